//! Causal multi-head self-attention (Vaswani et al. 2017; Elhage et al. 2021 for its circuits).
//!
//! `x + Σ_h A_h (norm(x) W_V) W_O`, with `A_h = softmax(q_h k_h^T / sqrt(d_head))` over the past.

use super::{Block, BlockKind, Cost, Init, Pass};
use crate::error::{Error, Result};
use crate::model::norm::Norm;
use crate::model::params::{ParamId, Params};
use crate::ops::card::QUERIES;
use crate::ops::{self, Attention as Options, Backend, Stream};
use crate::plan::{Architecture, Chosen, keys::BLOCK_POSITIONS};
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use dfdx::prelude::*;
use serde::Deserialize;

/// The registry's entry.
pub const KIND: BlockKind = BlockKind {
    kind: Kind {
        name: "attention",
        doc: "Causal multi-head self-attention without biases (Elhage et al. 2021): \
              x + sum over heads of softmax(q k^T / sqrt(d_head)) v W_O. With smeared keys \
              (Olsson et al. 2022) k_t becomes sigma(a) k_t + (1 - sigma(a)) k_(t-1), a per head.",
        example: "kind = \"attention\"\nn_heads = 2",
        keys: KEYS,
        traits: &[Trait::Heads],
        check,
    },
    cost,
    cpu: build::<Cpu>,
    #[cfg(feature = "cuda")]
    cuda: build::<Cuda>,
};

const KEYS: &[Key] = &[
    Key { name: "n_heads", ty: Type::Integer(1, 4096), default: Default::Required, doc: "attention heads" },
    Key {
        name: "d_head",
        ty: Type::Integer(1, 65536),
        default: Default::Computed("d_model / n_heads"),
        doc: "width of a head",
    },
    Key {
        name: "positions",
        ty: Type::Word(BLOCK_POSITIONS),
        default: Default::Computed("the architecture's"),
        doc: "how this block knows positions",
    },
    Key {
        name: "smeared_keys",
        ty: Type::Flag,
        default: Default::Value("false"),
        doc: "mix each key with the one before it, by a learned share per head",
    },
];

#[derive(Debug, Deserialize)]
struct Config {
    n_heads: usize,
    d_head: usize,
    positions: String,
    smeared_keys: bool,
}

fn check(cx: &mut Checking<'_>) {
    let (Some(n_heads), Some(d_model)) = (cx.integer("n_heads"), cx.facts.d_model) else { return };
    let n_heads = n_heads as usize;
    if !cx.written("d_head") && d_model % n_heads != 0 {
        let divisors: Vec<String> =
            (1..=d_model.min(64)).filter(|n| d_model % n == 0).map(|n| n.to_string()).collect();
        cx.clash(
            "n_heads",
            format!("`n_heads` = {n_heads} does not divide d_model = {d_model}"),
            ("architecture.d_model", "width of the residual stream"),
            format!("use one of {}, or set `d_head`", divisors.join(", ")),
        );
    }
    cx.default("d_head", ((d_model / n_heads).max(1)) as i64);
    // `learned` is in the stream already: a block has nothing to add.
    let of_architecture = cx.facts.positions.clone().unwrap_or_default();
    let own = if BLOCK_POSITIONS.contains(&of_architecture.as_str()) { &of_architecture } else { "none" };
    cx.default("positions", own);
    let d_head = cx.integer("d_head").unwrap_or(2);
    if cx.text("positions") == Some("rotary") && d_head % 2 != 0 {
        let message = format!("rotary positions turn pairs of features, and a head has {d_head}");
        let key = if cx.written("d_head") { "d_head" } else { "n_heads" };
        cx.error(key, message, "make d_head even");
    }
}

struct Attention {
    layer: usize,
    n_heads: usize,
    d_head: usize,
    norm: Norm,
    /// `[n_heads, d_model, d_head]`
    w_q: ParamId,
    w_k: ParamId,
    w_v: ParamId,
    /// `[n_heads, d_head, d_model]`
    w_o: ParamId,
    /// `[n_heads]`
    smear: Option<ParamId>,
    /// `[n_heads, n_ctx]`
    rel_bias: Option<ParamId>,
    /// `[n_ctx, d_model]`, added to the input of queries and keys only (Press et al. 2021).
    w_pos: Option<ParamId>,
    rotary: bool,
}

/// Four maps, then scores and their sum of values over the past, which is half of the context on average.
fn cost(chosen: &Chosen, architecture: &Architecture) -> Result<Cost> {
    let config: Config = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let (d_model, width) = (architecture.d_model, config.n_heads * config.d_head);
    let past = architecture.n_ctx + 1; // twice its mean
    let located = if config.positions == "shortformer" { d_model } else { 0 };
    // The normed stream, q, k, v, z, their map, and the sum with the stream.
    Ok(Cost {
        flops: 8 * d_model * width + 2 * past * width,
        kept: 3 * d_model + located + 4 * width,
        scores: config.n_heads * architecture.n_ctx.min(QUERIES),
        // q, k, v and the gradient of z with their heads apart; then the gradients of the first three.
        worked: 7 * width,
    })
}

fn build<D: Backend>(chosen: &Chosen, init: &mut Init<'_, D>) -> Result<Box<dyn Block<D>>> {
    let config: Config = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let (d_model, n_ctx) = (init.architecture.d_model, init.architecture.n_ctx);
    let Config { n_heads, d_head, .. } = config;
    let inward = [n_heads, d_model, d_head];
    let positions = config.positions.as_str();
    Ok(Box::new(Attention {
        layer: init.layer,
        n_heads,
        d_head,
        norm: init.norm()?,
        w_q: init.map("attn.W_Q", &inward, d_model)?,
        w_k: init.map("attn.W_K", &inward, d_model)?,
        w_v: init.map("attn.W_V", &inward, d_model)?,
        w_o: init.map("attn.W_O", &[n_heads, d_head, d_model], n_heads * d_head)?,
        smear: match config.smeared_keys {
            true => Some(init.zeros("attn.smear", &[n_heads])?),
            false => None,
        },
        rel_bias: match positions {
            "relative_bias" => Some(init.zeros("attn.rel_bias", &[n_heads, n_ctx])?),
            _ => None,
        },
        w_pos: init.w_pos.filter(|_| positions == "shortformer"),
        rotary: positions == "rotary",
    }))
}

impl<D: Backend> Block<D> for Attention {
    fn forward(&self, x: Stream<D>, params: &Params<D>, pass: &mut Pass<D>) -> ops::Result<Stream<D>, D> {
        let d_model = x.shape().2;
        let residual = x.with_empty_tape();
        let normed = self.norm.apply(x, params)?;
        let [w_q, w_k, w_v] = [self.w_q, self.w_k, self.w_v].map(|id| params.get(id));
        // q, k, v: [batch, position, n_heads * d_head]
        let [q, k, v] = match self.w_pos {
            None => D::heads_linear(normed, [w_q, w_k, w_v], self.n_heads)?,
            Some(w_pos) => {
                let [v] = D::heads_linear(normed.with_empty_tape(), [w_v], self.n_heads)?;
                let located = D::add_positions(normed, params.get(w_pos))?;
                let [q, k] = D::heads_linear(located, [w_q, w_k], self.n_heads)?;
                [q, k, v]
            }
        };
        if pass.keep_values {
            pass.values.push((self.layer, v.retaped()));
        }
        let options = Options {
            n_heads: self.n_heads,
            rel_bias: self.rel_bias.map(|id| params.get(id)),
            smear: self.smear.map(|id| params.get(id)),
            rotary: self.rotary,
            keep_pattern: pass.keep_patterns,
        };
        let z = match pass.frozen.iter().find(|(layer, _)| *layer == self.layer) {
            Some((_, pattern)) => {
                let (v, tape) = v.split_tape();
                D::mix(pattern, &v)?.put_tape(tape)
            }
            None => {
                let (z, pattern) = D::causal_attention(q, k, v, &options)?;
                pass.patterns.extend(pattern.map(|pattern| (self.layer, pattern)));
                z
            }
        };
        let z = pass.intervention.replace(self.layer, self.d_head, z)?;
        let result = D::linear(z, params.get(self.w_o), None, d_model)?;
        D::add(result, residual)
    }
}
