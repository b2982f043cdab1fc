//! Where the time of a run went, whichever processes it ran in.

use super::provenance;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::RunDirectory;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::Instant;

/// A line of `timings.jsonl`: seconds since the run's first step, those between processes not counted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Spent {
    step: u64,
    training_seconds: f64,
    probing_seconds: f64,
}

/// Time spent training and probing.
pub struct Clock<'a> {
    plan: &'a Plan,
    last: Instant,
    spent: Spent,
    lines: File,
}

impl<'a> Clock<'a> {
    /// Goes on from what was spent until a step, or from nothing.
    pub fn from(step: Option<u64>, plan: &'a Plan, run: &RunDirectory) -> Result<Self> {
        let path = run.file("timings.jsonl");
        let spent = step.and_then(|step| {
            let lines = std::fs::read_to_string(&path).ok()?;
            let mut known = lines.lines().filter_map(|line| serde_json::from_str::<Spent>(line).ok());
            known.rfind(|spent| spent.step <= step)
        });
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Clock {
            plan,
            last: Instant::now(),
            spent: spent.unwrap_or_default(),
            lines: opened.map_err(Error::write(&path))?,
        })
    }

    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = now.duration_since(self.last).as_secs_f64();
        self.last = now;
        seconds
    }

    /// What went by since was training, up to this step.
    pub fn trained(&mut self, step: u64) {
        self.spent.training_seconds += self.lap();
        self.spent.step = step;
    }

    /// What went by since was probing.
    pub fn probed(&mut self) {
        self.spent.probing_seconds += self.lap();
    }

    /// Writes down what was spent until now.
    pub fn keep(&mut self) {
        // For curiosity: a disk that refuses it fails at the next checkpoint.
        let _ = writeln!(self.lines, "{}", json!(self.spent));
    }

    /// `done.json`.
    pub fn summary(&self) -> serde_json::Value {
        let Spent { step, training_seconds, probing_seconds } = self.spent;
        json!({
            "training_seconds": training_seconds,
            "probing_seconds": probing_seconds,
            "tokens_per_second": self.plan.tokens_at(step) as f64 / training_seconds.max(1e-9),
            "finished": provenance::now(),
        })
    }
}
