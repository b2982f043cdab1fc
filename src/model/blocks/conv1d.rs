//! Causal convolution over positions, added to the residual stream.
//!
//! `x_t + b + Σ_k W[:, :, K-1-k] norm(x)_(t-k)`, zero before the first position; the last tap is
//! the current token (torch `Conv1d` order). Under an attention block it smears each token's
//! neighbours into its keys, which is the previous-token head's job.

use super::{Block, BlockKind, Cost, Init, Pass};
use crate::error::{Error, Result};
use crate::model::norm::Norm;
use crate::model::params::{ParamId, Params};
use crate::ops::{self, Backend, Stream};
use crate::plan::{Architecture, Chosen};
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use dfdx::prelude::*;
use serde::Deserialize;

/// The registry's entry.
pub const KIND: BlockKind = BlockKind {
    kind: Kind {
        name: "conv1d",
        doc: "Causal convolution over positions, full (every feature sees every feature) or \
              depthwise. The textbook induction head forms above a full one or a depthwise one of \
              width 2; above a depthwise one of width 3 or more the head is shifted.",
        example: "kind = \"conv1d\"\nkernel_size = 2",
        keys: KEYS,
        traits: &[Trait::Kernel],
        check,
    },
    cost,
    cpu: build::<Cpu>,
    #[cfg(feature = "cuda")]
    cuda: build::<Cuda>,
};

const KEYS: &[Key] = &[
    Key {
        name: "kernel_size",
        ty: Type::Integer(1, 65536),
        default: Default::Required,
        doc: "taps: the current token and kernel_size - 1 before it",
    },
    Key {
        name: "depthwise",
        ty: Type::Flag,
        default: Default::Value("false"),
        doc: "one kernel a feature instead of a map at every tap",
    },
];

fn check(cx: &mut Checking<'_>) {
    let (Some(kernel_size), Some(n_ctx)) = (cx.integer("kernel_size"), cx.facts.n_ctx) else { return };
    if kernel_size as usize > n_ctx {
        cx.clash(
            "kernel_size",
            format!("a kernel of {kernel_size} taps reaches further back than n_ctx = {n_ctx}"),
            ("architecture.n_ctx", "positions in a sequence"),
            format!("use at most {n_ctx}"),
        );
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    kernel_size: usize,
    depthwise: bool,
}

struct Conv1d {
    config: Config,
    norm: Norm,
    /// `[d_model, d_model or 1, kernel_size]`
    w: ParamId,
    /// `[d_model]`
    b: ParamId,
}

fn cost(chosen: &Chosen, architecture: &Architecture) -> Result<Cost> {
    let config: Config = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let d_model = architecture.d_model;
    let inputs = if config.depthwise { 1 } else { d_model };
    Ok(Cost {
        flops: 2 * config.kernel_size * inputs * d_model,
        kept: 3 * d_model,
        scores: 0,
        // What an output sees, and its gradient.
        worked: 2 * config.kernel_size * inputs,
    })
}

fn build<D: Backend>(chosen: &Chosen, init: &mut Init<'_, D>) -> Result<Box<dyn Block<D>>> {
    let config: Config = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let d_model = init.architecture.d_model;
    let inputs = if config.depthwise { 1 } else { d_model };
    let norm = init.norm()?;
    let w = init.map("conv.W", &[d_model, inputs, config.kernel_size], inputs * config.kernel_size)?;
    let b = init.zeros("conv.b", &[d_model])?;
    Ok(Box::new(Conv1d { config, norm, w, b }))
}

impl<D: Backend> Block<D> for Conv1d {
    fn forward(&self, x: Stream<D>, params: &Params<D>, _: &mut Pass<D>) -> ops::Result<Stream<D>, D> {
        let residual = x.with_empty_tape();
        let normed = self.norm.apply(x, params)?;
        let Config { kernel_size, depthwise } = self.config;
        let mixed = D::causal_conv1d(normed, params.get(self.w), params.get(self.b), kernel_size, depthwise)?;
        D::add(mixed, residual)
    }
}
