//! A model that learns step by step, without a run directory.

use super::optimizer::Optimizer;
use super::{schedule, unknown};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::{Backend, Model};
use crate::ops::meter;
use crate::plan::Plan;
use crate::record::Metrics;
use dfdx::prelude::*;

/// A model, its optimizer, and what it reads.
#[derive(Debug)]
pub struct Learner<'a, D: Backend> {
    /// What it does.
    pub plan: &'a Plan,
    dataset: &'a Dataset,
    schedule: &'static schedule::ScheduleKind,
    /// What has been learned.
    pub model: Model<D>,
    /// With what memory of the gradients.
    pub optimizer: Optimizer<D>,
}

impl<'a, D: Backend> Learner<'a, D> {
    /// A fresh model.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn new(plan: &'a Plan, dataset: &'a Dataset) -> Result<Self> {
        let chosen = &plan.training.schedule.kind;
        let schedule = schedule::KINDS.iter().copied().find(|k| k.kind.name == chosen);
        let schedule = schedule.ok_or_else(|| unknown("schedule", chosen))?;
        let model = Model::new(plan, D::open()?)?;
        let optimizer = Optimizer::new(&plan.training)?;
        Ok(Learner { plan, dataset, schedule, model, optimizer })
    }

    /// From `step` steps taken to one more; loss and gradient may be no numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(&mut self, step: u64) -> Result<Metrics> {
        let training = &self.plan.training;
        let windows = meter::timed("batch", || self.dataset.batch(step));
        let loss = self.model.loss(&windows, training.batch_size)?;
        let value = loss.as_vec().first().copied().unwrap_or(f32::NAN);
        let gradients = loss.try_backward().map_err(Error::device)?;
        let share = schedule::share(self.schedule, &training.schedule.config, step + 1, training.steps);
        let (lr, grad_norm) = self.optimizer.step(&mut self.model.params, gradients, step + 1, share)?;
        let (step, tokens) = (step + 1, self.plan.tokens_at(step + 1));
        Ok(Metrics { step, tokens, loss: value, lr, grad_norm, validation_loss: None })
    }
}
