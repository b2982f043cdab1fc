//! Probes: published measurements on a model, each emitting tidy tables.
//!
//! A probe sees a [`Subject`] and the [`Material`] it may be shown; both have hand-made stand-ins
//! in tests. One file a kind, one line each in [`KINDS`].

mod ablation;
pub mod attention_map;
mod bayes_bigram;
mod circuits;
mod composition;
mod conv_weights;
mod copying;
mod duplicate_token;
mod in_context_learning;
mod last_occurrence;
mod loss_pca;
mod ngram_baseline;
mod observer;
mod offset_profile;
mod per_token_loss;
mod ov_eigenvalues;
mod prefix_matching;
mod previous_token;
mod repeated;
mod repeated_loss;
mod smear;
mod stream_composition;
#[cfg(test)]
mod testing;
mod texts;
pub mod verdict;

pub use observer::Observer;
pub use texts::{check_texts, from_start};

use crate::dataset::{Bigrams, Dataset};
use crate::error::{Error, Result};
use crate::model::Subject;
use crate::random::Stream;
use crate::record::{Cell, Table};
use crate::spec::{Default, Key, Kind, Type};
use crate::tokenizer::Tokenizer;
use serde::{Deserialize, de::DeserializeOwned};

/// The kinds of probe.
pub const KINDS: &[&ProbeKind] = &[
    &prefix_matching::KIND,
    &offset_profile::KIND,
    &previous_token::KIND,
    &duplicate_token::KIND,
    &copying::KIND,
    &ov_eigenvalues::KIND,
    &composition::KIND,
    &repeated_loss::KIND,
    &ablation::KIND,
    &in_context_learning::KIND,
    &attention_map::KIND,
    &conv_weights::KIND,
    &smear::KIND,
    &per_token_loss::KIND,
    &loss_pca::KIND,
    &ngram_baseline::KIND,
    &last_occurrence::KIND,
    &stream_composition::KIND,
    &bayes_bigram::KIND,
];

/// A kind of probe.
#[derive(Debug)]
pub struct ProbeKind {
    /// Raised whenever it measures otherwise than before: what an earlier version measured is then
    /// measured again.
    pub version: u32,
    /// Name, documentation (formula, source, erratum), keys, checks.
    pub kind: Kind,
    /// Measures a model at one checkpoint.
    pub measure: fn(&Context<'_>) -> Result<Vec<Table>>,
    /// Makes what is reported of what was measured at all checkpoints; without it, that is reported.
    pub finish: Option<fn(Vec<Table>) -> Vec<Table>>,
}

/// The version of a probe, if there is such a probe.
pub fn version(probe: &str) -> Option<u32> {
    KINDS.iter().find(|kind| kind.kind.name == probe).map(|kind| kind.version)
}

/// What a probe may show a model.
pub trait Material {
    /// Plain held-out windows of `n_ctx + 1` tokens.
    fn validation(&self, count: usize) -> Vec<Vec<usize>>;
    /// Held-out passages without a start token inside; none if the dataset has no text.
    fn passages(&self, rng: &mut Stream, count: usize, length: usize) -> Vec<Vec<usize>>;
    /// How often each token occurs in training.
    fn frequencies(&self) -> &[u64];
    /// Which token follows which in training.
    fn bigrams(&self) -> &Bigrams;
    /// Text to tokens and back.
    fn tokenizer(&self) -> &Tokenizer;
}

impl Material for Dataset {
    fn validation(&self, count: usize) -> Vec<Vec<usize>> {
        Dataset::validation(self, count)
    }
    fn passages(&self, rng: &mut Stream, count: usize, length: usize) -> Vec<Vec<usize>> {
        Dataset::passages(self, rng, count, length)
    }
    fn frequencies(&self) -> &[u64] {
        Dataset::frequencies(self)
    }
    fn bigrams(&self) -> &Bigrams {
        Dataset::bigrams(self)
    }
    fn tokenizer(&self) -> &Tokenizer {
        Dataset::tokenizer(self)
    }
}

/// A measurement about to be made.
pub struct Context<'a> {
    /// The model.
    pub subject: &'a dyn Subject,
    /// What it may be shown.
    pub material: &'a dyn Material,
    /// The analysis's own randomness: a function of the seed and its id, the same at every checkpoint.
    pub rng: Stream,
    /// The probe's parameters.
    pub config: &'a toml::Table,
    /// Steps taken.
    pub step: u64,
    /// Training tokens read.
    pub tokens: u64,
}

impl Context<'_> {
    /// The parameters as the probe's own type.
    ///
    /// # Errors
    /// If they were not made by planning.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        self.config.clone().try_into().map_err(|e: toml::de::Error| Error::message(e.to_string()))
    }

    /// A table of one score a head at this checkpoint.
    pub fn heads_table(&self, unit: &str, scores: impl IntoIterator<Item = ((usize, usize), f64)>) -> Table {
        let columns = [("step", "steps"), ("tokens", "tokens"), ("layer", ""), ("head", ""), ("score", unit)];
        let mut table = Table::new("heads", &columns);
        for ((layer, head), score) in scores {
            table.push(self.row([layer.into(), head.into(), score.into()]));
        }
        table
    }

    /// A row that starts with where training stands.
    pub fn row<const N: usize>(&self, cells: [Cell; N]) -> impl Iterator<Item = Cell> {
        [Cell::from(self.step), Cell::from(self.tokens)].into_iter().chain(cells)
    }
}

/// The key of probes that look at held-out windows: how many of them.
const fn windows(default: &'static str) -> Key {
    Key {
        name: "sequences",
        ty: Type::Integer(1, 100_000),
        default: Default::Value(default),
        doc: "held-out windows averaged over",
    }
}

/// The parameters of a probe that has no other key.
#[derive(Debug, Deserialize)]
struct Windows {
    sequences: usize,
}

/// The mean of an iterator's numbers, `NaN` if it has none.
pub(crate) fn mean(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.into_iter().fold((0.0, 0u64), |(s, n), x| (s + x, n + 1));
    sum / count as f64
}
