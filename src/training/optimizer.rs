//! How gradients move weights: one kind so far, AdamW.

use crate::error::{Error, Result};
use crate::model::checkpoint::HostTensor;
use crate::model::{Backend, Params};
use crate::ops::{AdamW, Moments};
use crate::plan::Training;
use crate::spec::{Checking, Default, Key, Kind, Range, Type};
use dfdx::prelude::*;
use serde::Deserialize;

/// The kinds of optimizer.
pub const KINDS: &[&Kind] = &[&ADAMW];

const ADAMW: Kind = Kind {
    name: "adamw",
    doc: "Adam with decoupled weight decay (Loshchilov and Hutter 2019). Decay applies to \
          matrices only: not to gains, biases, smearing or positional biases.",
    example: "kind = \"adamw\"\nlr = 1e-2\nbetas = [0.9, 0.95]\nweight_decay = 0.01",
    keys: &[
        Key {
            name: "lr",
            ty: Type::Number(Range::POSITIVE),
            default: Default::Value("1e-2"),
            doc: "the full learning rate; two-layer models form induction heads at 1e-2, rarely at 1e-3",
        },
        Key {
            name: "betas",
            ty: Type::List(&Type::Number(Range { min: 0.0, max: 0.999_999_9, min_included: true }), 2, 2),
            default: Default::Value("[0.9, 0.95]"),
            doc: "decay of the two moments",
        },
        Key {
            name: "eps",
            ty: Type::Number(Range::POSITIVE),
            default: Default::Value("1e-8"),
            doc: "added to the root of the second moment",
        },
        Key {
            name: "weight_decay",
            ty: Type::Number(Range::NOT_NEGATIVE),
            default: Default::Value("0.01"),
            doc: "shrinks matrices by lr × this at every step",
        },
    ],
    traits: &[],
    check,
};

fn check(cx: &mut Checking<'_>) {
    let number = |key: &str| cx.config.get(key).and_then(toml::Value::as_float);
    let (Some(lr), decay) = (number("lr"), number("weight_decay").unwrap_or(0.0)) else { return };
    if lr > 10.0 {
        cx.error("lr", "a learning rate above 10 cannot work", "two-layer models take about 1e-2");
    } else if lr * decay >= 1.0 {
        let message =
            format!("`weight_decay` = {decay} leaves nothing of the weights: lr × weight_decay is 1 or more");
        cx.error("weight_decay", message, format!("use less than {}", 1.0 / lr));
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    lr: f64,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
}

/// AdamW with its two moments for every parameter.
#[derive(Debug)]
pub struct Optimizer<D: Backend> {
    config: Config,
    clip_norm: f64,
    moments: Moments<D>,
    largest: usize,
}

impl<D: Backend> Optimizer<D> {
    /// An optimizer that has seen nothing.
    ///
    /// # Errors
    /// If the plan's table was not made by planning.
    pub fn new(training: &Training) -> Result<Self> {
        Ok(Optimizer {
            config: training.optimizer.config().map_err(|e| Error::message(e.to_string()))?,
            clip_norm: training.clip_norm,
            moments: Moments::default(),
            largest: 0,
        })
    }

    /// The parameter, by its place, that had the longest gradient at the last step; the first whose is no number.
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// Step number `step` (from 1) at this share of the full rate.
    /// Returns the learning rate and the gradient's length before clipping.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(
        &mut self,
        params: &mut Params<D>,
        mut gradients: Gradients<f32, D>,
        step: u64,
        share: f64,
    ) -> Result<(f64, f64)> {
        let lr = self.config.lr * share;
        let mut run = || {
            let (mut squares, mut longest) = (0.0, f64::NEG_INFINITY);
            let values: Vec<_> = params.iter().map(|param| &param.value).collect();
            for (place, square) in D::squared_norms(&values, &mut gradients)?.into_iter().enumerate() {
                squares += square;
                if square > longest || (square.is_nan() && !longest.is_nan()) {
                    (self.largest, longest) = (place, square);
                }
            }
            let norm = squares.sqrt();
            // As torch's clip_grad_norm_.
            let clipped = self.clip_norm > 0.0 && norm > self.clip_norm;
            let grad_scale = if clipped { self.clip_norm / (norm + 1e-6) } else { 1.0 };
            let [beta1, beta2] = self.config.betas;
            for param in params.iter_mut() {
                let weight_decay = if param.decays() { self.config.weight_decay } else { 0.0 };
                let eps = self.config.eps;
                let hyper = AdamW { lr, beta1, beta2, eps, weight_decay, step, grad_scale };
                D::adamw(&mut param.value, &mut self.moments, &mut gradients, &hyper)?;
            }
            Ok(norm)
        };
        run().map(|norm| (lr, norm)).map_err(|e: D::Err| Error::device(e))
    }

    /// Both moments of every parameter on the host, as `m.<name>` and `v.<name>`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn to_host(&mut self, params: &Params<D>) -> Result<Vec<HostTensor>> {
        let mut tensors = Vec::new();
        for param in params.iter() {
            let moments = self.moments.get(&param.value).map_err(Error::device)?;
            for (which, moment) in ["m", "v"].into_iter().zip(moments) {
                tensors.push((format!("{which}.{}", param.name), param.shape.clone(), moment.as_vec()));
            }
        }
        Ok(tensors)
    }

    /// Takes up saved moments.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another size.
    pub fn set(&mut self, params: &Params<D>, tensors: &[HostTensor]) -> Result<()> {
        for param in params.iter() {
            let saved = |which: &str| {
                let wanted = format!("{which}.{}", param.name);
                let found = tensors.iter().find(|(name, shape, _)| *name == wanted && *shape == param.shape);
                let Some((_, _, values)) = found else {
                    return Err(Error::message(format!("the saved optimizer has no fitting `{wanted}`")));
                };
                let device = param.value.device();
                device.try_tensor_from_vec(values.clone(), *param.value.shape()).map_err(Error::device)
            };
            let moments = [saved("m")?, saved("v")?];
            self.moments.set(&param.value, moments).map_err(Error::device)?;
        }
        Ok(())
    }
}
