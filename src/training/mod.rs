//! Training: batches in, checkpoints and metrics out.

pub mod checkpoints;
mod learner;
pub mod optimizer;
pub mod schedule;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::checkpoint::{HostTensor, from_bytes, to_bytes};
use crate::model::{Backend, Model, Subject};
use crate::plan::Plan;
use crate::record::checkpoints::{MODEL, OPTIMIZER};
use crate::record::metrics::MetricsFile;
use crate::record::{Metrics, RunDirectory};
pub use learner::Learner;
use std::collections::BTreeSet;

/// Who looks on while a model learns.
pub trait Watch {
    /// After every step.
    fn step(&mut self, metrics: &Metrics);

    /// At every checkpoint of the plan, the fresh model included.
    ///
    /// # Errors
    /// Whatever it returns ends the training.
    fn checkpoint(&mut self, step: u64, tokens: u64, subject: &dyn Subject) -> Result<()>;

    /// Whether to save after this step and stop.
    fn stop(&self) -> bool;

    /// Whether to save after this step and go on.
    fn save(&self) -> bool;
}

/// The steps after which a plan's model is saved and probed.
///
/// # Errors
/// If the plan names a schedule that this version has not.
pub fn checkpoint_steps(plan: &Plan) -> Result<BTreeSet<u64>> {
    let chosen = &plan.training.checkpoints;
    let kind = checkpoints::KINDS.iter().find(|k| k.kind.name == chosen.kind);
    let kind = kind.ok_or_else(|| unknown("checkpoint schedule", &chosen.kind))?;
    Ok(checkpoints::steps(kind, &chosen.config, plan.training.steps))
}

/// Whether the steps taken had the learning rates that this plan gives them, where they were of a run of `steps`.
///
/// # Errors
/// If the plan names a schedule that this version has not.
pub fn same_rates(plan: &Plan, steps: u64, taken: u64) -> Result<bool> {
    let chosen = &plan.training.schedule;
    let schedule = schedule::KINDS.iter().find(|k| k.kind.name == chosen.kind);
    let schedule = schedule.ok_or_else(|| unknown("schedule", &chosen.kind))?;
    let share = |step: u64, steps: u64| schedule::share(schedule, &chosen.config, step, steps);
    Ok((1..=taken).all(|step| share(step, steps) == share(step, plan.training.steps)))
}

fn unknown(what: &str, name: &str) -> Error {
    Error::message(format!("there is no {what} {name:?} in this version"))
}

/// The tensors of a checkpoint's file; the one at fault is named.
fn tensors(run: &RunDirectory, step: u64, name: &str) -> Result<Vec<HostTensor>> {
    let named = |error| Error::message(format!("{}: {error}", run.checkpoint(step).join(name).display()));
    from_bytes(&run.load_checkpoint(step, name)?).map_err(named)
}

/// A model as it was saved.
///
/// # Errors
/// If the checkpoint is damaged or does not fit the plan.
pub fn load<D: Backend>(plan: &Plan, run: &RunDirectory, step: u64) -> Result<Model<D>> {
    let mut model = Model::new(plan, D::open()?)?;
    model.set(&tensors(run, step, MODEL)?)?;
    Ok(model)
}

/// Trains a plan's model in its run directory, from the start or on from a checkpoint: what was saved after it goes, and
/// comes again.
///
/// # Errors
/// [`Error::Interrupted`] once stopped and saved; otherwise what the disk or the device refuses,
/// or that the loss is no longer a number.
pub fn train<D: Backend>(
    plan: &Plan,
    dataset: &Dataset,
    run: &RunDirectory,
    from: Option<u64>,
    watch: &mut dyn Watch,
) -> Result<()> {
    let mut trainer = Trainer::<D>::new(plan, dataset, run)?;
    let mut step = from.unwrap_or(0);
    for later in run.checkpoints().into_iter().filter(|saved| from.is_none_or(|from| *saved > from)) {
        run.remove_checkpoint(later)?;
    }
    let mut metrics_file = run.metrics_after(step)?;
    match from {
        Some(saved) => trainer.load(saved)?,
        None => trainer.checkpoint(0, &metrics_file, watch)?,
    }
    let planned = checkpoint_steps(plan)?;
    while step < plan.training.steps {
        let mut metrics = trainer.step(step)?;
        step += 1;
        if planned.contains(&step) {
            metrics.validation_loss = Some(trainer.validation_loss()?);
        }
        metrics_file.append(&metrics)?;
        watch.step(&metrics);
        if planned.contains(&step) {
            trainer.checkpoint(step, &metrics_file, watch)?;
            // What an interruption saved between planned checkpoints has done its service.
            for extra in run.checkpoints().into_iter().filter(|s| !planned.contains(s)) {
                run.remove_checkpoint(extra)?;
            }
        }
        if watch.save() && !planned.contains(&step) {
            trainer.save(step, &metrics_file)?;
        }
        if watch.stop() && step < plan.training.steps {
            trainer.save(step, &metrics_file)?;
            return Err(Error::Interrupted);
        }
    }
    Ok(())
}

/// A loss in nats that no model of any vocabulary comes back from.
const EXPLODED: f32 = 1000.0;

struct Trainer<'a, D: Backend> {
    learner: Learner<'a, D>,
    run: &'a RunDirectory,
    validation: Vec<Vec<usize>>,
}

impl<'a, D: Backend> Trainer<'a, D> {
    fn new(plan: &'a Plan, dataset: &'a Dataset, run: &'a RunDirectory) -> Result<Self> {
        let learner = Learner::new(plan, dataset)?;
        Ok(Trainer { learner, run, validation: dataset.validation(plan.training.validation_sequences) })
    }

    fn step(&mut self, step: u64) -> Result<Metrics> {
        let metrics = self.learner.step(step)?;
        match metrics.loss.is_finite() && metrics.loss < EXPLODED && metrics.grad_norm.is_finite() {
            true => Ok(metrics),
            false => Err(self.diverged(&metrics)),
        }
    }

    fn diverged(&self, Metrics { step, loss, grad_norm, .. }: &Metrics) -> Error {
        let what = match (loss.is_finite(), grad_norm.is_finite()) {
            (true, true) => "the loss has exploded",
            (true, false) => "the gradient is not finite",
            (false, _) => "the loss is not finite",
        };
        let Learner { model, optimizer, .. } = &self.learner;
        let largest = model.params.iter().nth(optimizer.largest()).map_or("?", |param| param.name.as_str());
        let good = match self.run.checkpoints().last() {
            Some(last) => format!("the last good checkpoint is {}", self.run.checkpoint(*last).display()),
            None => "there is no checkpoint before it".into(),
        };
        let advice = "a lower learning rate, a longer warm-up or a smaller clip_norm may help";
        Error::message(format!(
            "{what} at step {step} (loss {loss}, gradient norm {grad_norm}, most of it in `{largest}`); {good}; {advice}"
        ))
    }

    fn validation_loss(&self) -> Result<f64> {
        let losses = self.learner.model.losses(&self.validation)?;
        let (sum, count) = losses.iter().flatten().fold((0.0, 0), |(s, n), &l| (s + f64::from(l), n + 1));
        Ok(sum / f64::from(count.max(1)))
    }

    fn checkpoint(&mut self, step: u64, metrics: &MetricsFile, watch: &mut dyn Watch) -> Result<()> {
        self.save(step, metrics)?;
        let Learner { plan, model, .. } = &self.learner;
        // Probes need other memory than steps do.
        model.release();
        watch.checkpoint(step, plan.tokens_at(step), model)?;
        model.release();
        Ok(())
    }

    fn save(&mut self, step: u64, metrics: &MetricsFile) -> Result<()> {
        let Learner { plan, model, optimizer, .. } = &mut self.learner;
        let contents = vec![
            (MODEL, to_bytes(&model.to_host())?),
            (OPTIMIZER, to_bytes(&optimizer.to_host(&model.params)?)?),
        ];
        self.run.save_checkpoint(step, plan.tokens_at(step), metrics.sync()?, &contents)
    }

    fn load(&mut self, step: u64) -> Result<()> {
        let Learner { model, optimizer, .. } = &mut self.learner;
        model.set(&tensors(self.run, step, MODEL)?)?;
        let moments = tensors(self.run, step, OPTIMIZER)?;
        optimizer.set(&model.params, &moments)
    }
}
