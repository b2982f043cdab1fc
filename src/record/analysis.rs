//! `analyses/<id>.json` and `analyses/verdict.json`: what the probes found.

use super::table::Table;
use serde::{Deserialize, Serialize};

/// The result of one probe over the checkpoints of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The version of this file's form.
    pub format: u32,
    /// The probe's name in the registry.
    pub probe: String,
    /// The name of this analysis within its run.
    pub id: String,
    /// The formula and its source, in words.
    pub definition: String,
    /// Every parameter the probe ran with.
    pub parameters: toml::Table,
    /// The version of the probe: another one may measure otherwise.
    #[serde(default)]
    pub version: u32,
    /// Digest of the checkpoints that were measured; empty where they were none of a run.
    #[serde(default)]
    pub measured_on: String,
    /// What was measured.
    pub tables: Vec<Table>,
}

impl Analysis {
    /// The table of that name, if the probe emitted one.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == name)
    }
}

/// What the evidence says about induction heads in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// `found`, `not_found` or `inconclusive`.
    pub verdict: Outcome,
    /// One sentence that says why.
    pub summary: String,
    /// What a head had to show, each with its threshold.
    pub criteria: Vec<Criterion>,
    /// The heads that showed all of it, strongest first.
    pub induction_heads: Vec<InductionHead>,
    /// Heads that attend at another offset than the token after the previous occurrence.
    pub shifted_heads: Vec<ShiftedHead>,
    /// The checkpoint interval in which the in-context-learning score moved most.
    pub phase_change: Option<PhaseChange>,
    /// All heads at the last checkpoint, with each criterion's figure.
    pub heads: Table,
}

/// The three possible outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At least one head meets every criterion.
    Found,
    /// Everything was measured and no head does.
    NotFound,
    /// Some evidence is missing.
    Inconclusive,
}

impl Outcome {
    /// The outcome as it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Found => "found",
            Outcome::NotFound => "not_found",
            Outcome::Inconclusive => "inconclusive",
        }
    }
}

/// One thing a head had to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// What is compared: a column of [`Verdict::heads`].
    pub measure: String,
    /// The least value that counts.
    pub threshold: f64,
    /// The unit of both.
    pub unit: String,
    /// What it means, in words.
    pub meaning: String,
}

/// A head that met every criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InductionHead {
    /// Layer, from 0.
    pub layer: usize,
    /// Head within its layer, from 0.
    pub head: usize,
    /// Prefix matching on random tokens at the last checkpoint, a share of attention.
    pub prefix_matching: f64,
    /// Prefix matching on repeated passages, where the dataset has passages.
    pub prefix_matching_passages: Option<f64>,
    /// The copying score, −1…1, where it was measured.
    pub copying: Option<f64>,
    /// What the copying score would be by chance.
    #[serde(default)]
    pub copying_chance: Option<f64>,
    /// Rise of the loss on the second copy without the head, nats.
    pub ablation: f64,
    /// The first checkpoint from which its prefix matching stayed above the threshold.
    pub formed_at_step: Option<u64>,
    /// The same in training tokens.
    pub formed_at_tokens: Option<u64>,
}

/// A head that looks at a fixed offset other than 1 after the previous occurrence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShiftedHead {
    /// Layer, from 0.
    pub layer: usize,
    /// Head within its layer, from 0.
    pub head: usize,
    /// Positions after the previous occurrence of the current token; 1 is the textbook head.
    pub offset: i64,
    /// Mean attention there.
    pub attention: f64,
    /// Rise of the loss on the second copy without the head, nats.
    pub ablation: f64,
}

/// The checkpoint interval in which the in-context-learning score moved most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseChange {
    /// Where it starts, in steps and in training tokens.
    pub from_step: u64,
    /// Tokens at the start.
    pub from_tokens: u64,
    /// Where it ends.
    pub to_step: u64,
    /// Tokens at the end.
    pub to_tokens: u64,
    /// The score before and after, nats.
    pub before: f64,
    /// The score after, nats.
    pub after: f64,
}
