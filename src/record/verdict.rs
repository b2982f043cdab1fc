//! `analyses/verdict.json`: whether an induction head formed, and by which evidence.

use super::table::Table;
use serde::{Deserialize, Serialize};

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

impl Criterion {
    /// The figures that may meet it, one a head of [`Verdict::heads`], each with the words that say which it is.
    pub fn figures(&self, heads: &Table) -> Vec<(&'static str, Vec<f64>)> {
        let column = |name: &str| heads.numbers(name);
        match self.measure.as_str() {
            "prefix_matching" => vec![
                (" on random tokens", column("prefix_matching")),
                (" on passages", column("prefix_matching_passages")),
            ],
            "ablation" => vec![
                (" by zero", column("ablation")),
                (" with patterns preserved", column("ablation_pattern_preserving")),
            ],
            "copying" => {
                let chance = column("copying_chance");
                vec![("", column("copying").into_iter().zip(chance).map(|(x, chance)| x - chance).collect())]
            }
            other => vec![("", column(other))],
        }
    }

    /// What it is held against, one a head: the greatest of the figures that may meet it; not a number where none was
    /// measured.
    pub fn held_against(&self, heads: &Table) -> Vec<f64> {
        let figures = self.figures(heads);
        let greatest = |head: usize| {
            let of_head = figures.iter().filter_map(|(_, values)| values.get(head).copied());
            of_head.fold(f64::NAN, f64::max)
        };
        (0..heads.rows.len()).map(greatest).collect()
    }
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
