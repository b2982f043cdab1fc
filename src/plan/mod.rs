//! The plan: a spec's meaning, with every default filled in and no positions left.
//!
//! A [`Plan`] is plain data. It prints as TOML ([`Plan::to_toml`]), and planning what it prints
//! gives the same plan. What is of a kind (a block, a dataset, a probe) is a [`Chosen`]: the
//! kind's name and its resolved table, which the kind itself reads back into its own type.

mod analyses;
mod dataset;
pub mod keys;
mod print;
mod resolve;
mod tables;
mod training;

pub use dataset::period_fits;
pub use resolve::{Evidence, Planned, plan};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// An experiment, fully resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Names the run directory and the report.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Decides everything random.
    pub seed: u64,
    /// The model.
    pub architecture: Architecture,
    /// Text to tokens; its table always has `d_vocab`.
    pub tokenizer: Chosen,
    /// What the model reads; its table always has `repeat`.
    pub dataset: Chosen,
    /// How it learns.
    pub training: Training,
    /// What is measured.
    pub analyses: Vec<AnalysisPlan>,
    /// What counts as an induction head.
    pub verdict: Thresholds,
    /// How it is told.
    pub report: ReportPlan,
}

/// A kind picked from a registry, with its resolved table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// The kind's name.
    pub kind: String,
    /// Its keys, all of them.
    #[serde(flatten)]
    pub config: toml::Table,
}

/// A probe picked from the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalysisPlan {
    /// The probe's name.
    pub probe: String,
    /// The analysis's own name.
    pub id: String,
    /// `every` checkpoint or the `final` one.
    pub at: String,
    /// The probe's parameters, all of them.
    #[serde(flatten)]
    pub config: toml::Table,
}

/// The model, without a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Positions in a sequence.
    pub n_ctx: usize,
    /// The positional scheme of every attention block that has none of its own.
    pub positions: String,
    /// `layer`, `rms` or `none`.
    pub normalization: String,
    /// Whether W_U is W_E transposed.
    pub tied_embeddings: bool,
    /// Initial standard deviations.
    pub init: Init,
    /// The blocks, in order.
    pub blocks: Vec<Chosen>,
}

/// Initial standard deviations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Init {
    /// Of W_E.
    pub embedding_std: f64,
    /// Of W_pos.
    pub position_std: f64,
    /// Of W_U.
    pub unembedding_std: f64,
    /// Of the maps inside blocks: `"fan_in"` or a number.
    pub blocks: toml::Value,
}

impl Init {
    /// The standard deviation of a block's map with that many inputs.
    pub fn block_std(&self, fan_in: usize) -> f64 {
        match self.blocks.as_float() {
            Some(std) => std,
            None => 1.0 / (fan_in as f64).sqrt(),
        }
    }
}

/// How the model learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Optimizer steps.
    pub steps: u64,
    /// Sequences a step.
    pub batch_size: usize,
    /// Sequences at a time: `"all"`, `"auto"` or a number; runs from before this key have all.
    #[serde(default = "all")]
    pub micro_batch_size: toml::Value,
    /// How gradients move weights.
    pub optimizer: Chosen,
    /// The learning rate over the steps.
    pub schedule: Chosen,
    /// Longest gradient; 0 clips nothing.
    pub clip_norm: f64,
    /// When the model is saved and probed.
    pub checkpoints: Chosen,
    /// Held-out sequences behind each validation loss.
    pub validation_sequences: usize,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Of matrix products: `f32`, `tf32` or `bf16`.
    pub precision: String,
}

fn all() -> toml::Value {
    "all".into()
}

/// What a head has to show to count as an induction head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Least prefix matching, a share of attention.
    pub prefix_matching: f64,
    /// Least rise of the second-copy loss without the head, nats.
    pub ablation: f64,
    /// How far copying is above chance, at least, on the score's scale of −1 to 1.
    pub copying: f64,
}

/// How the run is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportPlan {
    /// A built-in template's name, or a path.
    pub template: String,
}

/// `dataset.repeat`: shares of the sequences that repeat themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// Share whose first period tokens come from a real window.
    pub passages: f64,
    /// Share whose first period tokens are uniformly random.
    pub random: f64,
    /// The period is uniform between these, both included.
    pub period: [usize; 2],
}

impl Chosen {
    /// The table as the kind's own type.
    ///
    /// # Errors
    /// If the table was not made by planning: it lacks a key or one has the wrong type.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, toml::de::Error> {
        self.config.clone().try_into()
    }
}

impl Plan {
    /// Size of the vocabulary.
    pub fn d_vocab(&self) -> usize {
        let size = self.tokenizer.config.get("d_vocab");
        size.and_then(toml::Value::as_integer).unwrap_or(0) as usize
    }

    /// The share of sequences that repeat themselves.
    pub fn repeat(&self) -> Repeat {
        let repeat = self.dataset.config.get("repeat").cloned();
        let none = Repeat { passages: 0.0, random: 0.0, period: [1, 1] };
        repeat.and_then(|r| r.try_into().ok()).unwrap_or(none)
    }

    /// Training tokens that have been read after so many steps.
    pub fn tokens_at(&self, step: u64) -> u64 {
        step * (self.training.batch_size * self.architecture.n_ctx) as u64
    }
}

/// The layer of each block, given whether it has heads and whether it joins an attention block:
/// an `mlp` right after attention shares its layer, as in TransformerLens; any other block opens
/// a new one.
pub fn layers(blocks: impl IntoIterator<Item = (bool, bool)>) -> Vec<usize> {
    let mut layers: Vec<usize> = Vec::new();
    let mut after_attention = false;
    for (heads, joins) in blocks {
        let next = layers.last().map_or(0, |last| last + 1);
        let layer = if joins && after_attention { next - 1 } else { next };
        layers.push(layer);
        after_attention = heads;
    }
    layers
}
