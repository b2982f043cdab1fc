//! Two maps with a nonlinearity between them, position by position.
//!
//! `x + act(norm(x) W_in + b_in) W_out + b_out`.

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
        name: "mlp",
        doc: "Two maps with a nonlinearity between them; gelu is the exact one (Hendrycks and \
              Gimpel 2016). Right after an attention block it shares that block's layer.",
        example: "kind = \"mlp\"\nd_mlp = 256",
        keys: KEYS,
        traits: &[Trait::JoinsAttention],
        check,
    },
    cost,
    cpu: build::<Cpu>,
    #[cfg(feature = "cuda")]
    cuda: build::<Cuda>,
};

const KEYS: &[Key] = &[
    Key {
        name: "d_mlp",
        ty: Type::Integer(1, 1 << 20),
        default: Default::Computed("4 × d_model"),
        doc: "width between the maps",
    },
    Key {
        name: "activation",
        ty: Type::Word(&["gelu", "relu"]),
        default: Default::Value("\"gelu\""),
        doc: "the nonlinearity",
    },
];

fn check(cx: &mut Checking<'_>) {
    if let Some(d_model) = cx.facts.d_model {
        cx.default("d_mlp", 4 * d_model as i64);
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    d_mlp: usize,
    activation: String,
}

struct Mlp {
    d_mlp: usize,
    relu: bool,
    norm: Norm,
    /// `[d_model, d_mlp]`, `[d_mlp]`
    w_in: ParamId,
    b_in: ParamId,
    /// `[d_mlp, d_model]`, `[d_model]`
    w_out: ParamId,
    b_out: ParamId,
}

fn cost(chosen: &Chosen, architecture: &Architecture) -> Result<Cost> {
    let config: Config = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let d_model = architecture.d_model;
    Ok(Cost {
        flops: 4 * d_model * config.d_mlp,
        kept: 3 * d_model + 2 * config.d_mlp,
        scores: 0,
        worked: 2 * config.d_mlp,
    })
}

fn build<D: Backend>(chosen: &Chosen, init: &mut Init<'_, D>) -> Result<Box<dyn Block<D>>> {
    let Config { d_mlp, activation } = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let d_model = init.architecture.d_model;
    Ok(Box::new(Mlp {
        d_mlp,
        relu: activation == "relu",
        norm: init.norm()?,
        w_in: init.map("mlp.W_in", &[d_model, d_mlp], d_model)?,
        b_in: init.zeros("mlp.b_in", &[d_mlp])?,
        w_out: init.map("mlp.W_out", &[d_mlp, d_model], d_mlp)?,
        b_out: init.zeros("mlp.b_out", &[d_model])?,
    }))
}

impl<D: Backend> Block<D> for Mlp {
    fn forward(&self, x: Stream<D>, params: &Params<D>, _: &mut Pass<D>) -> ops::Result<Stream<D>, D> {
        let d_model = x.shape().2;
        let residual = x.with_empty_tape();
        let normed = self.norm.apply(x, params)?;
        let hidden = D::linear(normed, params.get(self.w_in), Some(params.get(self.b_in)), self.d_mlp)?;
        let hidden = if self.relu { D::relu(hidden)? } else { D::gelu(hidden)? };
        let result = D::linear(hidden, params.get(self.w_out), Some(params.get(self.b_out)), d_model)?;
        D::add(result, residual)
    }
}
