//! The run directory: the seam between what needs a model and what needs only files.

pub mod analysis;
pub mod checkpoints;
mod digests;
pub mod directory;
pub mod lock;
pub mod metrics;
pub mod origins;
pub mod table;
pub mod verdict;

pub use analysis::Analysis;
pub use checkpoints::Resumption;
pub use directory::RunDirectory;
pub use metrics::Metrics;
pub use origins::{Origins, origins};
pub use table::{Cell, Column, Table};
pub use verdict::{Criterion, InductionHead, Outcome, PhaseChange, ShiftedHead, Verdict};

/// Everything a report, figure or comparison may read of a run.
#[derive(Debug, Clone)]
pub struct Record {
    /// The run's name.
    pub name: String,
    /// `plan.toml`, every key resolved.
    pub plan: toml::Table,
    /// `metrics.jsonl`: columns `step, tokens, loss, lr, grad_norm, validation_loss`.
    pub metrics: Table,
    /// The probes' results, in the order of the plan.
    pub analyses: Vec<Analysis>,
    /// The verdict, once there is one.
    pub verdict: Option<Verdict>,
    /// `provenance.json`.
    pub provenance: serde_json::Value,
    /// What wall clocks touch: seconds of training, tokens per second; absent until the run ends.
    pub timings: serde_json::Value,
}

impl Record {
    /// The first analysis of that probe.
    pub fn analysis(&self, probe: &str) -> Option<&Analysis> {
        self.analyses.iter().find(|a| a.probe == probe)
    }

    /// Whether its verdict is one on the trained model: a run that did not end may be measured before it has one.
    pub fn is_judged(&self) -> bool {
        self.verdict.is_some() && !self.timings.is_null()
    }
}
