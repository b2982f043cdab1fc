//! Training: batches in, checkpoints and metrics out.

pub mod checkpoints;
pub mod optimizer;
pub mod schedule;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::checkpoint::{from_bytes, to_bytes};
use crate::model::{Backend, Model, Subject};
use crate::plan::Plan;
use crate::record::{Metrics, RunDirectory};
use dfdx::prelude::*;
use optimizer::Optimizer;
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

fn unknown(what: &str, name: &str) -> Error {
    Error::message(format!("there is no {what} {name:?} in this version"))
}

/// A model as it was saved.
///
/// # Errors
/// If the checkpoint is damaged or does not fit the plan.
pub fn load<D: Backend>(plan: &Plan, run: &RunDirectory, step: u64) -> Result<Model<D>> {
    let mut model = Model::new(plan, D::open()?)?;
    model.set(&from_bytes(&run.load_checkpoint(step, "model.safetensors")?)?)?;
    Ok(model)
}

/// Trains a plan's model in its run directory, from the start or on from the newest checkpoint.
///
/// # Errors
/// [`Error::Interrupted`] once stopped and saved; otherwise what the disk or the device refuses,
/// or that the loss is no longer a number.
pub fn train<D: Backend>(
    plan: &Plan,
    dataset: &Dataset,
    run: &RunDirectory,
    resume: bool,
    watch: &mut dyn Watch,
) -> Result<()> {
    let mut trainer = Trainer::<D>::new(plan, dataset, run)?;
    let mut step = 0;
    match run.checkpoints().last() {
        Some(&saved) if resume => {
            trainer.load(saved)?;
            step = saved;
        }
        _ => trainer.checkpoint(0, watch)?,
    }
    let mut metrics_file = run.metrics_after(step)?;
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
            metrics_file.sync()?;
            trainer.checkpoint(step, watch)?;
            // What an interruption saved between planned checkpoints has done its service.
            for extra in run.checkpoints().into_iter().filter(|s| !planned.contains(s)) {
                run.remove_checkpoint(extra)?;
            }
        }
        if watch.stop() && step < plan.training.steps {
            metrics_file.sync()?;
            trainer.save(step)?;
            return Err(Error::Interrupted);
        }
    }
    Ok(())
}

struct Trainer<'a, D: Backend> {
    plan: &'a Plan,
    dataset: &'a Dataset,
    run: &'a RunDirectory,
    schedule: &'static schedule::ScheduleKind,
    model: Model<D>,
    optimizer: Optimizer<D>,
    validation: Vec<Vec<usize>>,
}

impl<'a, D: Backend> Trainer<'a, D> {
    fn new(plan: &'a Plan, dataset: &'a Dataset, run: &'a RunDirectory) -> Result<Self> {
        let chosen = &plan.training.schedule.kind;
        let schedule = schedule::KINDS.iter().copied().find(|k| k.kind.name == chosen);
        let model = Model::new(plan, D::open()?)?;
        Ok(Trainer {
            plan,
            dataset,
            run,
            schedule: schedule.ok_or_else(|| unknown("schedule", chosen))?,
            optimizer: Optimizer::new(&plan.training, &model.params)?,
            model,
            validation: dataset.validation(plan.training.validation_sequences),
        })
    }

    /// From `step` steps taken to one more.
    fn step(&mut self, step: u64) -> Result<Metrics> {
        let training = &self.plan.training;
        let windows = self.dataset.batch(step);
        let loss = self.model.loss(&windows, training.batch_size)?;
        let value = loss.as_vec().first().copied().unwrap_or(f32::NAN);
        let gradients = loss.try_backward().map_err(Error::device)?;
        let share = schedule::share(self.schedule, &training.schedule.config, step + 1, training.steps);
        let (lr, grad_norm) = self.optimizer.step(&mut self.model.params, gradients, step + 1, share)?;
        if !value.is_finite() || !grad_norm.is_finite() {
            return Err(self.diverged(step + 1, value, grad_norm));
        }
        let (step, tokens) = (step + 1, self.plan.tokens_at(step + 1));
        Ok(Metrics { step, tokens, loss: value, lr, grad_norm, validation_loss: None })
    }

    fn diverged(&self, step: u64, loss: f32, grad_norm: f64) -> Error {
        let what = if loss.is_finite() { "gradient" } else { "loss" };
        let good = match self.run.checkpoints().last() {
            Some(last) => format!("the last good checkpoint is {}", self.run.checkpoint(*last).display()),
            None => "there is no checkpoint before it".into(),
        };
        let advice = "a lower learning rate, a longer warm-up or a smaller clip_norm may help";
        Error::message(format!(
            "the {what} is not finite at step {step} (loss {loss}, gradient norm {grad_norm}); {good}; {advice}"
        ))
    }

    fn validation_loss(&self) -> Result<f64> {
        let losses = self.model.losses(&self.validation, &[])?;
        let (sum, count) = losses.iter().flatten().fold((0.0, 0), |(s, n), &l| (s + f64::from(l), n + 1));
        Ok(sum / f64::from(count.max(1)))
    }

    fn checkpoint(&self, step: u64, watch: &mut dyn Watch) -> Result<()> {
        self.save(step)?;
        watch.checkpoint(step, self.plan.tokens_at(step), &self.model)
    }

    fn save(&self, step: u64) -> Result<()> {
        let contents = vec![
            ("model.safetensors", to_bytes(&self.model.to_host())?),
            ("optimizer.safetensors", to_bytes(&self.optimizer.to_host(&self.model.params))?),
        ];
        self.run.save_checkpoint(step, self.plan.tokens_at(step), &contents)
    }

    fn load(&mut self, step: u64) -> Result<()> {
        self.model.set(&from_bytes(&self.run.load_checkpoint(step, "model.safetensors")?)?)?;
        let moments = from_bytes(&self.run.load_checkpoint(step, "optimizer.safetensors")?)?;
        self.optimizer.set(&self.model.params, &moments)
    }
}
