//! The model: embedding, blocks, unembedding, built from a plan on any device.

pub mod blocks;
pub mod checkpoint;
pub mod cost;
pub mod device;
pub mod intervention;
mod norm;
pub mod params;
pub mod shapes;
pub mod subject;

pub use blocks::Pass;
pub use device::Backend;
pub use intervention::Intervention;
pub use params::{Param, Params};
pub use subject::{HeadValues, Losses, Parameter, Patterns, Streams, Subject};

use crate::error::{Error, Result};
use crate::ops::{self, Stream, Taped, Unembedding};
use crate::plan::Plan;
use blocks::{Block, Init};
use dfdx::prelude::*;
use norm::Norm;
use params::{Maker, ParamId, Start};

/// A language model on a device.
pub struct Model<D: Backend> {
    /// What it has learned.
    pub params: Params<D>,
    d_model: usize,
    d_vocab: usize,
    n_ctx: usize,
    /// W_E `[d_vocab, d_model]`
    w_e: ParamId,
    /// W_pos `[n_ctx, d_model]`, if it is added to the stream.
    stream_positions: Option<ParamId>,
    blocks: Vec<Box<dyn Block<D>>>,
    final_norm: Norm,
    /// W_U `[d_model, d_vocab]`, or W_E.
    unembedding: (ParamId, Unembedding),
    n_layers: usize,
    /// What adds to the residual stream, in order: the embedding, positions, blocks.
    sources: Vec<String>,
    /// Heads of every layer that has some.
    heads: Vec<(usize, usize)>,
}

impl<D: Backend> std::fmt::Debug for Model<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.params.iter().map(|p| p.name.as_str()).collect();
        f.debug_struct("Model").field("params", &names).finish_non_exhaustive()
    }
}

impl<D: Backend> Model<D> {
    /// A fresh model: its weights are a function of the plan's seed alone.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn new(plan: &Plan, device: D) -> Result<Self> {
        Self::build(plan, &mut Maker::new(device, plan.seed))
    }

    fn build(plan: &Plan, maker: &mut Maker<D>) -> Result<Self> {
        let architecture = &plan.architecture;
        let (d_model, n_ctx, d_vocab) = (architecture.d_model, architecture.n_ctx, plan.d_vocab());
        let init = &architecture.init;
        maker.part("embedding");
        let embedding = Start::Normal(init.embedding_std);
        let w_e = maker.make("embed.W_E".into(), &[d_vocab, d_model], embedding)?;
        let learned = architecture.positions == "learned";
        let positions = architecture.blocks.iter().filter_map(|b| b.config.get("positions"));
        let shared = positions.into_iter().any(|p| p.as_str() == Some("shortformer"));
        let w_pos = match learned || shared {
            true => {
                let start = Start::Normal(init.position_std);
                Some(maker.make("pos_embed.W_pos".into(), &[n_ctx, d_model], start)?)
            }
            false => None,
        };
        let mut blocks = Vec::new();
        let mut sources = vec!["embedding".to_string()];
        sources.extend(learned.then(|| "positions".to_string()));
        let mut heads = Vec::new();
        let mut n_layers = 0;
        let layers = blocks::layers(&architecture.blocks)?;
        for (i, (chosen, (layer, joins))) in architecture.blocks.iter().zip(layers).enumerate() {
            n_layers = layer + 1;
            let kind = blocks::find(&chosen.kind)?;
            let name = format!("block {i}, {}", chosen.kind);
            maker.part(&name);
            sources.push(name);
            let mut init = Init { architecture, maker: &mut *maker, layer, joins, w_pos };
            blocks.push(D::build(kind)(chosen, &mut init)?);
            let n_heads = chosen.config.get("n_heads").and_then(|n| n.as_integer());
            heads.extend(n_heads.map(|n| (layer, n as usize)));
        }
        maker.part("unembedding");
        let final_norm = Norm::make(maker, &architecture.normalization, "ln_final", d_model)?;
        let unembedding = match architecture.tied_embeddings {
            true => (w_e, Unembedding::Tied),
            false => {
                let start = Start::Normal(init.unembedding_std);
                let w_u = maker.make("unembed.W_U".into(), &[d_model, d_vocab], start)?;
                (w_u, Unembedding::Untied)
            }
        };
        let stream_positions = w_pos.filter(|_| learned);
        let params = std::mem::take(&mut maker.params);
        Ok(Model {
            params,
            d_model,
            d_vocab,
            n_ctx,
            w_e,
            stream_positions,
            blocks,
            final_norm,
            unembedding,
            n_layers,
            sources,
            heads,
        })
    }

    /// Gives back the memory that its device keeps for what comes next, before something else does.
    pub fn release(&self) {
        if let Some(param) = self.params.iter().next() {
            param.value.device().release();
        }
    }

    /// Tokens that the vocabulary has.
    fn known(&self, tokens: &[usize]) -> Result<()> {
        match tokens.iter().find(|token| **token >= self.d_vocab) {
            None => Ok(()),
            Some(token) => Err(Error::message(format!(
                "token {token} is beyond the vocabulary of {}: where it was read from is damaged, or has another \
                 tokenizer's tokens",
                self.d_vocab
            ))),
        }
    }

    /// Tokens `[batch, position]` to the normalised residual stream before the unembedding,
    /// `[batch, position, d_model]`. With `record` the tape lives through all blocks.
    fn stream(
        &self,
        tokens: &[usize],
        batch: usize,
        pass: &mut Pass<D>,
        record: bool,
    ) -> ops::Result<Stream<D>, D> {
        let position = tokens.len() / batch.max(1);
        let forget = |x: Stream<D>| if record { x } else { x.split_tape().0.leaky_trace() };
        let mut x = D::embedding(tokens, batch, position, self.params.get(self.w_e), self.d_model)?;
        pass.see(&x);
        if let Some(w_pos) = self.stream_positions {
            x = D::add_positions(x, self.params.get(w_pos))?;
            pass.see(&x);
        }
        for block in &self.blocks {
            x = forget(block.forward(x, &self.params, pass)?);
            pass.see(&x);
        }
        self.final_norm.apply(x, &self.params)
    }

    /// Mean next-token loss, nats, of windows `[batch, position + 1]`, on a tape.
    ///
    /// # Errors
    /// If the device fails, or a token is none of the vocabulary.
    pub fn loss(&self, windows: &[usize], batch: usize) -> Result<Taped<(), D>> {
        self.known(windows)?;
        let (inputs, targets) = split_windows(windows, batch);
        let run = || {
            let x = self.stream(&inputs, batch, &mut Pass::default(), true)?;
            let (w_u, layout) = self.unembedding;
            D::linear_cross_entropy(x, self.params.get(w_u), layout, self.d_vocab, &targets)
        };
        run().map_err(Error::device)
    }

    /// The loss of every target of windows `[batch, position + 1]`, nats, `[batch, position]`.
    ///
    /// # Errors
    /// If the device fails, or a token is none of the vocabulary.
    pub fn token_losses(&self, windows: &[usize], batch: usize, pass: &mut Pass<D>) -> Result<Vec<f32>> {
        self.known(windows)?;
        let (inputs, targets) = split_windows(windows, batch);
        let mut run = || {
            let (x, _) = self.stream(&inputs, batch, pass, false)?.split_tape();
            let (w_u, layout) = self.unembedding;
            D::token_losses(&x, self.params.get(w_u), layout, self.d_vocab, &targets)
        };
        run().map_err(Error::device)
    }

    /// Logits `[batch, position, d_vocab]` of tokens `[batch, position]`.
    ///
    /// # Errors
    /// If the device fails, or a token is none of the vocabulary.
    pub fn logits(&self, tokens: &[usize], batch: usize, pass: &mut Pass<D>) -> Result<Vec<f32>> {
        self.known(tokens)?;
        let mut run = || {
            let (x, _) = self.stream(tokens, batch, pass, false)?.split_tape();
            let (w_u, layout) = self.unembedding;
            Ok(D::logits(&x, self.params.get(w_u), layout, self.d_vocab)?.as_vec())
        };
        run().map_err(|e: D::Err| Error::device(e))
    }
}

/// Windows `[batch, position + 1]` to inputs and targets, both `[batch, position]`.
fn split_windows(windows: &[usize], batch: usize) -> (Vec<usize>, Vec<usize>) {
    let width = windows.len() / batch.max(1);
    let rows = windows.chunks_exact(width.max(1));
    let inputs = rows.clone().flat_map(|row| &row[..width - 1]).copied().collect();
    let targets = rows.flat_map(|row| &row[1..]).copied().collect();
    (inputs, targets)
}
