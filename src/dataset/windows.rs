//! Windows of token ids on disk: those to train on, and those that are held out.

use super::ids::Ids;
use crate::error::{Error, Result};
use crate::random::{self, Stream};
use std::ops::Range;

/// The training and the held-out part of what is on disk.
#[derive(Debug)]
pub struct Windows {
    training: Ids,
    /// The held-out ids, unless they are the end of the training ones.
    validation: Option<Ids>,
    training_range: Range<usize>,
    validation_range: Range<usize>,
}

impl Windows {
    /// The parts where some documents are held out whole; or, where these are too few for a window, the
    /// end of the longer part, a `fraction` of it.
    ///
    /// # Errors
    /// If there is less than two windows of tokens.
    pub fn held_out(training: Ids, validation: Ids, fraction: f64, window: usize) -> Result<Windows> {
        let (n, m) = (training.len(), validation.len());
        if m >= window && n >= window {
            return Ok(Windows::apart(training, validation));
        }
        let longer = if n >= m { training } else { validation };
        let total = longer.len();
        let held = share(total, fraction, window);
        if total < held + window {
            return Err(too_few(n + m, window));
        }
        Ok(Windows::cut(longer, total - held))
    }

    /// Two parts as they are.
    pub fn apart(training: Ids, validation: Ids) -> Windows {
        let (training_range, validation_range) = (0..training.len(), 0..validation.len());
        Windows { training, validation: Some(validation), training_range, validation_range }
    }

    /// One part, of which everything from `cut` on is held out.
    pub fn cut(ids: Ids, cut: usize) -> Windows {
        let (training_range, validation_range) = (0..cut, cut..ids.len());
        Windows { training: ids, validation: None, training_range, validation_range }
    }

    /// The ids of each part, and which of them: training, held out.
    pub fn parts(&self) -> [(&Ids, Range<usize>); 2] {
        let validation = self.validation.as_ref().unwrap_or(&self.training);
        [(&self.training, self.training_range.clone()), (validation, self.validation_range.clone())]
    }

    /// A random window of the training part.
    pub fn training(&self, rng: &mut Stream, width: usize) -> Vec<usize> {
        let starts = self.training_range.len() + 1 - width;
        let start = self.training_range.start + random::below(rng, starts as u64) as usize;
        self.training.window(start..start + width)
    }

    /// At most `count` tokens of the training part: all of it, or 64 stretches, evenly spread.
    pub fn stretches(&self, count: usize) -> Vec<Vec<usize>> {
        const STRETCHES: usize = 64;
        let range = &self.training_range;
        if range.len() <= count {
            return vec![self.training.window(range.clone())];
        }
        let width = count / STRETCHES;
        let start = |i: usize| range.start + (range.len() - width) * i / (STRETCHES - 1);
        (0..STRETCHES).map(|i| self.training.window(start(i)..start(i) + width)).collect()
    }

    fn held_out_at(&self, start: usize, width: usize) -> Vec<usize> {
        let start = self.validation_range.start + start;
        self.validation.as_ref().unwrap_or(&self.training).window(start..start + width)
    }

    /// Held-out windows, evenly spread.
    pub fn validation(&self, count: usize, width: usize) -> Vec<Vec<usize>> {
        let length = self.validation_range.len();
        let count = count.min(length / width).max(1);
        let start = |i: usize| (length - width) * i / (count - 1).max(1);
        (0..count).map(|i| self.held_out_at(start(i), width)).collect()
    }

    /// Held-out passages without the start token.
    pub fn passages(&self, rng: &mut Stream, count: usize, length: usize, start: u32) -> Vec<Vec<usize>> {
        const TRIES: usize = 200;
        let starts = (self.validation_range.len() + 1).saturating_sub(length) as u64;
        if starts == 0 {
            return Vec::new();
        }
        let mut passage = || {
            let mut tries = (0..TRIES).map(|_| self.held_out_at(random::below(rng, starts) as usize, length));
            tries.find(|p| !p.contains(&(start as usize)))
        };
        (0..count).filter_map(|_| passage()).collect()
    }
}

/// How many tokens at the end of `total` are held out: a fraction, and at least a window.
pub fn share(total: usize, fraction: f64, window: usize) -> usize {
    ((total as f64 * fraction) as usize).max(window)
}

/// That there is less than two windows of tokens.
pub fn too_few(tokens: usize, window: usize) -> Error {
    let needed = 2 * window;
    Error::message(format!("the dataset has {tokens} tokens; a training and a held-out window need {needed}"))
}
