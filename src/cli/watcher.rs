//! Who looks on while a model learns: shows progress, runs the probes, keeps the time.

use super::clock::Clock;
use super::{console, progress, signals};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::model::Subject;
use crate::plan::Plan;
use crate::probes::Observer;
use crate::record::{Metrics, RunDirectory};
use crate::training::Watch;

/// Looks on while a model learns: shows progress, runs the probes, writes the timings.
pub struct Watcher<'a> {
    plan: &'a Plan,
    /// The moving line.
    pub progress: progress::Training,
    /// What the probes saw.
    pub observer: Observer<'a>,
    /// Where the time went.
    pub clock: Clock<'a>,
}

impl<'a> Watcher<'a> {
    /// Looks on at a run of this plan, from its beginning or from a step on.
    pub fn new(
        plan: &'a Plan,
        dataset: &'a Dataset,
        run: &RunDirectory,
        from: Option<u64>,
        quiet: bool,
    ) -> Result<Self> {
        signals::listen(ended);
        Ok(Watcher {
            plan,
            progress: progress::Training::new(plan.tokens_at(plan.training.steps), quiet),
            observer: Observer::new(plan, dataset),
            clock: Clock::from(from, plan, run)?,
        })
    }
}

impl Watch for Watcher<'_> {
    fn step(&mut self, metrics: &Metrics) {
        self.clock.trained(metrics.step);
        self.progress.step(metrics, self.plan.tokens_at(1));
    }

    fn checkpoint(&mut self, step: u64, tokens: u64, subject: &dyn Subject) -> Result<()> {
        self.clock.trained(step);
        self.observer.observe(step, tokens, subject)?;
        self.clock.probed();
        self.clock.keep();
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
