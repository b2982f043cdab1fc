//! What a probe sees of a model: numbers on the host, whatever the device. Tests of probes put
//! hand-made patterns in its place.

use super::{Backend, Intervention, Model, Pass};
use crate::error::{Error, Result};
use dfdx::prelude::*;

/// A model under examination.
pub trait Subject {
    /// Positions in a sequence.
    fn n_ctx(&self) -> usize;

    /// Size of the vocabulary.
    fn d_vocab(&self) -> usize;

    /// Layers, with and without attention.
    fn n_layers(&self) -> usize;

    /// `(layer, heads)` of every layer with attention, in order.
    fn heads(&self) -> &[(usize, usize)];

    /// The loss of every prediction in windows of one length, nats, `[window][position]`.
    ///
    /// # Errors
    /// If the device fails.
    fn losses(&self, windows: &[Vec<usize>]) -> Result<Losses> {
        Ok(self.losses_under(windows, &[Intervention::default()])?.concat())
    }

    /// The same under each of several interventions.
    ///
    /// # Errors
    /// If the device fails.
    fn losses_under(&self, windows: &[Vec<usize>], interventions: &[Intervention]) -> Result<Vec<Losses>>;

    /// The attention patterns over sequences of one length.
    ///
    /// # Errors
    /// If the device fails.
    fn patterns(&self, sequences: &[Vec<usize>]) -> Result<Patterns>;

    /// The logarithm of the probability of every next token after every position of one sequence,
    /// `[position, d_vocab]`.
    ///
    /// # Errors
    /// If the device fails.
    fn log_probs(&self, sequence: &[usize]) -> Result<Vec<f32>>;

    /// The residual stream over sequences of one length.
    ///
    /// # Errors
    /// If the device fails.
    fn streams(&self, sequences: &[Vec<usize>]) -> Result<Streams>;

    /// The values of heads over sequences of one length, before attention mixes them.
    ///
    /// # Errors
    /// If the device fails.
    fn values(&self, sequences: &[Vec<usize>]) -> Result<HeadValues>;

    /// A parameter by its name in a checkpoint.
    fn parameter(&self, name: &str) -> Option<Parameter>;
}

/// Nats, `[window][position]`.
pub type Losses = Vec<Vec<f32>>;

/// A parameter's values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// Attention patterns of all layers over a batch of sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns {
    /// Sequences.
    pub batch: usize,
    /// Positions of each.
    pub positions: usize,
    /// `(layer, heads, [batch, head, query, key])`
    pub layers: Vec<(usize, usize, Vec<f32>)>,
}

impl Patterns {
    /// Every `(layer, head)` with its pattern of each sequence, `[query, key]`.
    pub fn heads(&self) -> impl Iterator<Item = ((usize, usize), Vec<&[f32]>)> {
        let size = self.positions * self.positions;
        self.layers.iter().flat_map(move |(layer, n_heads, data)| {
            (0..*n_heads).map(move |head| {
                let of = |b: usize| &data[(b * n_heads + head) * size..][..size];
                ((*layer, head), (0..self.batch).map(of).collect())
            })
        })
    }
}

/// The residual stream of a batch of sequences as it grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Streams {
    /// Features.
    pub d_model: usize,
    /// How many of them come before the first block.
    pub inputs: usize,
    /// What was added, and the stream once it was, `[batch, position, d_model]`: the embedding,
    /// positions if they are added to the stream, every block.
    pub after: Vec<(String, Vec<f32>)>,
}

/// The values `v` of all heads over a batch of sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadValues {
    /// Sequences.
    pub batch: usize,
    /// Positions of each.
    pub positions: usize,
    /// `(layer, heads, [batch, position, head, d_head])`
    pub layers: Vec<(usize, usize, Vec<f32>)>,
}

impl HeadValues {
    /// A head's values over one sequence, `[position, d_head]`; none if there is no such head.
    pub fn of(&self, (layer, head): (usize, usize), sequence: usize) -> Vec<&[f32]> {
        let found = self.layers.iter().find(|(l, n_heads, _)| *l == layer && head < *n_heads);
        found.map_or_else(Vec::new, |(_, n_heads, data)| {
            let rows = self.batch * self.positions * n_heads;
            let d_head = data.len() / rows.max(1);
            let at = |p: usize| ((sequence * self.positions + p) * n_heads + head) * d_head;
            (0..self.positions).map(|p| &data[at(p)..][..d_head]).collect()
        })
    }
}

/// Tokens that go through the model at once; more are cut into runs of this size.
const TOKENS_AT_ONCE: usize = 8192;

impl<D: Backend> Subject for Model<D> {
    fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    fn d_vocab(&self) -> usize {
        self.d_vocab
    }

    fn n_layers(&self) -> usize {
        self.n_layers
    }

    fn heads(&self) -> &[(usize, usize)] {
        &self.heads
    }

    fn losses_under(&self, windows: &[Vec<usize>], interventions: &[Intervention]) -> Result<Vec<Losses>> {
        let width = windows.first().map_or(2, Vec::len);
        let mut losses = vec![Vec::with_capacity(windows.len()); interventions.len()];
        for group in windows.chunks((TOKENS_AT_ONCE / width).max(1)) {
            let tokens = group.concat();
            let run = |pass: &mut Pass<D>| self.token_losses(&tokens, group.len(), pass);
            let mut clean = Pass { keep_patterns: true, ..Pass::default() };
            let frozen = interventions.iter().any(|intervention| intervention.frozen_patterns);
            let untouched = if frozen { run(&mut clean)? } else { Vec::new() };
            for (intervention, losses) in interventions.iter().zip(&mut losses) {
                let of_group = match (intervention.frozen_patterns, intervention.replaced.is_empty()) {
                    // As every head attends as it did and writes what it wrote.
                    (true, true) => untouched.clone(),
                    (true, false) => run(&mut Pass {
                        intervention: intervention.clone(),
                        frozen: clean.patterns.clone(),
                        ..Pass::default()
                    })?,
                    (false, _) => run(&mut Pass { intervention: intervention.clone(), ..Pass::default() })?,
                };
                losses.extend(of_group.chunks_exact(width - 1).map(<[f32]>::to_vec));
            }
        }
        Ok(losses)
    }

    fn patterns(&self, sequences: &[Vec<usize>]) -> Result<Patterns> {
        let mut pass = Pass { keep_patterns: true, ..Pass::default() };
        let tokens = sequences.concat();
        self.known(&tokens)?;
        self.stream(&tokens, sequences.len(), &mut pass, false).map_err(Error::device)?;
        let layer = |(layer, pattern): (usize, crate::ops::Pattern<D>)| {
            let n_heads = pattern.shape().1;
            (layer, n_heads, pattern.as_vec())
        };
        Ok(Patterns {
            batch: sequences.len(),
            positions: sequences.first().map_or(0, Vec::len),
            layers: pass.patterns.into_iter().map(layer).collect(),
        })
    }

    fn log_probs(&self, sequence: &[usize]) -> Result<Vec<f32>> {
        let mut logits = self.logits(sequence, 1, &mut Pass::default())?;
        for row in logits.chunks_exact_mut(self.d_vocab) {
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|logit| f64::from((logit - most).exp())).sum();
            let log_sum = most + sum.ln() as f32;
            row.iter_mut().for_each(|logit| *logit -= log_sum);
        }
        Ok(logits)
    }

    fn streams(&self, sequences: &[Vec<usize>]) -> Result<Streams> {
        let mut pass = Pass { keep_streams: true, ..Pass::default() };
        let tokens = sequences.concat();
        self.known(&tokens)?;
        self.stream(&tokens, sequences.len(), &mut pass, false).map_err(Error::device)?;
        let values = pass.streams.into_iter().map(|stream| stream.as_vec());
        let after = self.sources.iter().cloned().zip(values).collect();
        Ok(Streams { d_model: self.d_model, inputs: self.sources.len() - self.blocks.len(), after })
    }

    fn values(&self, sequences: &[Vec<usize>]) -> Result<HeadValues> {
        let mut pass = Pass { keep_values: true, ..Pass::default() };
        let tokens = sequences.concat();
        self.known(&tokens)?;
        self.stream(&tokens, sequences.len(), &mut pass, false).map_err(Error::device)?;
        let n_heads = |layer: usize| self.heads.iter().find(|(l, _)| *l == layer).map_or(0, |(_, n)| *n);
        let layers = pass.values.into_iter().map(|(layer, v)| (layer, n_heads(layer), v.as_vec()));
        Ok(HeadValues {
            batch: sequences.len(),
            positions: sequences.first().map_or(0, Vec::len),
            layers: layers.collect(),
        })
    }

    fn parameter(&self, name: &str) -> Option<Parameter> {
        let param = self.params.iter().find(|p| p.name == name)?;
        Some(Parameter { shape: param.shape.clone(), values: param.value.as_vec() })
    }
}
