//! Who looks on while a model learns: shows progress, runs the probes, keeps the time.

use super::{console, progress, provenance, signals};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::Subject;
use crate::plan::Plan;
use crate::probes::Observer;
use crate::record::{Metrics, RunDirectory};
use crate::training::Watch;
use serde_json::json;
use std::io::Write;
use std::time::Instant;

/// Looks on while a model learns: shows progress, runs the probes, writes the timings.
pub struct Watcher<'a> {
    plan: &'a Plan,
    /// The moving line.
    pub progress: progress::Training,
    /// What the probes saw.
    pub observer: Observer<'a>,
    /// Where the time went.
    pub clock: Clock,
    timings: std::fs::File,
}

impl<'a> Watcher<'a> {
    /// Looks on at a run of this plan.
    pub fn new(plan: &'a Plan, dataset: &'a Dataset, run: &RunDirectory, quiet: bool) -> Result<Self> {
        signals::listen(ended);
        let path = run.file("timings.jsonl");
        let open = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        Ok(Watcher {
            plan,
            progress: progress::Training::new(plan.tokens_at(plan.training.steps), quiet),
            observer: Observer::new(plan, dataset),
            clock: Clock { last: Instant::now(), training: 0.0, probing: 0.0, tokens: 0 },
            timings: open.map_err(Error::write(&path))?,
        })
    }
}

impl Watch for Watcher<'_> {
    fn step(&mut self, metrics: &Metrics) {
        self.clock.training += self.clock.lap();
        self.clock.tokens += self.plan.tokens_at(1);
        self.progress.step(metrics, self.plan.tokens_at(1));
    }

    fn checkpoint(&mut self, step: u64, tokens: u64, subject: &dyn Subject) -> Result<()> {
        self.clock.training += self.clock.lap();
        self.observer.observe(step, tokens, subject)?;
        self.clock.probing += self.clock.lap();
        let line = json!({
            "step": step,
            "training_seconds": self.clock.training,
            "probing_seconds": self.clock.probing,
        });
        // Timings are for curiosity: a disk that refuses them fails at the next checkpoint.
        let _ = writeln!(self.timings, "{line}");
        Ok(())
    }

    fn stop(&self) -> bool {
        signals::ends() > 0
    }

    fn save(&self) -> bool {
        signals::save()
    }
}

/// The first Ctrl-C or SIGTERM asks to stop; the second ends the process at once.
fn ended(before: usize) {
    match before {
        0 => console::note("interrupted: finishing this step and saving (again to stop at once)"),
        _ => std::process::exit(signals::exit_code().into()),
    }
}

/// Time spent training and probing, seconds.
pub struct Clock {
    last: Instant,
    training: f64,
    probing: f64,
    tokens: u64,
}

impl Clock {
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = now.duration_since(self.last).as_secs_f64();
        self.last = now;
        seconds
    }

    /// `done.json`.
    pub fn summary(&self) -> serde_json::Value {
        json!({
            "training_seconds": self.training,
            "probing_seconds": self.probing,
            "tokens_per_second": self.tokens as f64 / self.training.max(1e-9),
            "finished": provenance::now(),
        })
    }
}
