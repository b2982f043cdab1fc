//! The blocks a model is made of: one file a kind, one line each in [`KINDS`].

mod attention;
mod conv1d;
mod mlp;

use super::intervention::Intervention;
use super::norm::Norm;
use super::params::{Maker, ParamId, Params, Start};
use crate::error::{Error, Result};
use crate::ops::{self, Backend, Pattern, Stream, Values};
use crate::plan::{Architecture, Chosen};
use crate::spec::{Kind, Trait};
use dfdx::prelude::Cpu;

/// The kinds of block.
pub const KINDS: &[&BlockKind] = &[&attention::KIND, &conv1d::KIND, &mlp::KIND];

/// A kind of block: how it is written, and how it is made on each device.
#[derive(Debug)]
pub struct BlockKind {
    /// Name, documentation, keys, checks.
    pub kind: Kind,
    /// What it costs, a token.
    pub cost: fn(&Chosen, &Architecture) -> Result<Cost>,
    /// Makes one on the CPU.
    pub cpu: Build<Cpu>,
    /// Makes one on a GPU.
    #[cfg(feature = "cuda")]
    pub cuda: Build<dfdx::prelude::Cuda>,
}

/// What a block costs, a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations of its matrix products, going forward.
    pub flops: usize,
    /// Numbers that training keeps for the way back: what the operations read, and the residual stream.
    pub kept: usize,
    /// Scores of attention that exist at a time on a card.
    pub scores: usize,
    /// Numbers that the way back works in on a card, beside scores.
    pub worked: usize,
}

/// Makes a block from its resolved table.
pub type Build<D> = fn(&Chosen, &mut Init<'_, D>) -> Result<Box<dyn Block<D>>>;

/// Something that adds to the residual stream.
pub trait Block<D: Backend> {
    /// x `[batch, position, d_model]` to the same with the block's result added.
    fn forward(&self, x: Stream<D>, params: &Params<D>, pass: &mut Pass<D>) -> ops::Result<Stream<D>, D>;
}

/// What a forward pass is asked to keep or to change, besides computing.
#[derive(Debug)]
pub struct Pass<D: Backend> {
    /// What is done to heads.
    pub intervention: Intervention,
    /// Patterns to attend by instead of the model's own, by layer, `[batch, head, query, key]`.
    pub frozen: Vec<(usize, Pattern<D>)>,
    /// Whether attention patterns are kept.
    pub keep_patterns: bool,
    /// The kept patterns, by layer, `[batch, head, query, key]`.
    pub patterns: Vec<(usize, Pattern<D>)>,
    /// Whether the residual stream is kept.
    pub keep_streams: bool,
    /// The kept stream after the embedding, after positions if they are added to it, and after every
    /// block, `[batch, position, d_model]`.
    pub streams: Vec<Values<D>>,
    /// Whether the values of heads are kept.
    pub keep_values: bool,
    /// The kept values, by layer, `[batch, position, n_heads * d_head]`.
    pub values: Vec<(usize, Values<D>)>,
}

impl<D: Backend> Pass<D> {
    /// Keeps the stream as it is now, if that is asked for.
    pub fn see(&mut self, x: &Stream<D>) {
        if self.keep_streams {
            self.streams.push(x.retaped());
        }
    }
}

impl<D: Backend> Default for Pass<D> {
    fn default() -> Self {
        Pass {
            intervention: Intervention::default(),
            frozen: Vec::new(),
            keep_patterns: false,
            patterns: Vec::new(),
            keep_streams: false,
            streams: Vec::new(),
            keep_values: false,
            values: Vec::new(),
        }
    }
}

/// What a block is made with.
#[derive(Debug)]
pub struct Init<'a, D: Backend> {
    /// The model it is part of.
    pub architecture: &'a Architecture,
    /// Makes its parameters.
    pub maker: &'a mut Maker<D>,
    /// Its layer.
    pub layer: usize,
    /// Whether it shares the layer of the attention block before it.
    pub joins: bool,
    /// W_pos `[n_ctx, d_model]`, shared by all that add it to queries and keys.
    pub w_pos: Option<ParamId>,
}

impl<D: Backend> Init<'_, D> {
    /// The norm before the block: `ln1`, or `ln2` after attention in the same layer.
    pub fn norm(&mut self) -> Result<Norm> {
        let which = if self.joins { "ln2" } else { "ln1" };
        let name = format!("blocks.{}.{which}", self.layer);
        Norm::make(self.maker, &self.architecture.normalization, &name, self.architecture.d_model)
    }

    /// A map with that many inputs, started as the architecture says.
    pub fn map(&mut self, name: &str, shape: &[usize], fan_in: usize) -> Result<ParamId> {
        let std = self.architecture.init.block_std(fan_in);
        self.maker.make(format!("blocks.{}.{name}", self.layer), shape, Start::Normal(std))
    }

    /// A parameter that starts at zero.
    pub fn zeros(&mut self, name: &str, shape: &[usize]) -> Result<ParamId> {
        self.maker.make(format!("blocks.{}.{name}", self.layer), shape, Start::Constant(0.0))
    }
}

/// The registry's entry of a name.
///
/// # Errors
/// If there is none: the plan was not made by this version.
pub fn find(name: &str) -> Result<&'static BlockKind> {
    let found = KINDS.iter().copied().find(|k| k.kind.name == name);
    found.ok_or_else(|| Error::message(format!("there is no block {name:?} in this version")))
}

/// The layer of each block, and whether it shares that of the attention block before it.
///
/// # Errors
/// If a kind is unknown.
pub fn layers(blocks: &[Chosen]) -> Result<Vec<(usize, bool)>> {
    let traits = |b: &Chosen| {
        let kind = &find(&b.kind)?.kind;
        Ok((kind.is(Trait::Heads), kind.is(Trait::JoinsAttention)))
    };
    let traits: Vec<(bool, bool)> = blocks.iter().map(traits).collect::<Result<_>>()?;
    let layers = crate::plan::layers(traits);
    let joins = |i: usize| i > 0 && layers[i - 1] == layers[i];
    Ok((0..layers.len()).map(|i| (layers[i], joins(i))).collect())
}
