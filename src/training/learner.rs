//! A model that learns step by step, without a run directory.

use super::optimizer::Optimizer;
use super::{schedule, unknown};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::cost::sequences_at_once;
use crate::model::{Backend, Model};
use crate::ops::{Precision, Taped, meter};
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
    precision: Precision,
    /// Sequences that it takes at a time.
    pub at_once: usize,
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
        let precision = Precision::named(&plan.training.precision).unwrap_or_default();
        let memory = D::memory().map(|memory| memory.free);
        let at_once = sequences_at_once(plan, &plan.training.device, memory)?;
        Ok(Learner { plan, dataset, schedule, model, optimizer, precision, at_once })
    }

    /// From `step` steps taken to one more; loss and gradient may be no numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(&mut self, step: u64) -> Result<Metrics> {
        let training = &self.plan.training;
        let windows = meter::timed("batch", || self.dataset.batch(step));
        let (value, gradients) = D::with_precision(self.precision, || self.gradients(&windows))?;
        let share = schedule::share(self.schedule, &training.schedule.config, step + 1, training.steps);
        let (lr, grad_norm) = self.optimizer.step(&mut self.model.params, gradients, step + 1, share)?;
        let (step, tokens) = (step + 1, self.plan.tokens_at(step + 1));
        Ok(Metrics { step, tokens, loss: value, lr, grad_norm, validation_loss: None })
    }

    /// The mean loss of windows `[batch_size, n_ctx + 1]`, and its gradients: of some sequences at a time, added up in
    /// their order.
    fn gradients(&self, windows: &[usize]) -> Result<(f32, Gradients<f32, D>)> {
        let batch = self.plan.training.batch_size;
        let number = |loss: &Taped<(), D>| loss.as_vec().first().copied().unwrap_or(f32::NAN);
        if self.at_once >= batch {
            let loss = self.model.loss(windows, batch)?;
            let value = number(&loss);
            return Ok((value, loss.try_backward().map_err(Error::device)?));
        }
        let (mut value, mut sums) = (0.0, Gradients::leaky());
        let width = windows.len() / batch;
        for some in windows.chunks(self.at_once * width) {
            let sequences = some.len() / width;
            let share = sequences as f32 / batch as f32;
            let loss = self.model.loss(some, sequences)?;
            value += f64::from(number(&loss)) * f64::from(share);
            let part = loss.try_mul(share).and_then(|loss| loss.try_backward());
            let mut part = part.map_err(Error::device)?;
            for param in self.model.params.iter() {
                D::add_gradient(&param.value, &mut sums, &mut part).map_err(Error::device)?;
            }
        }
        Ok((value as f32, sums))
    }
}
