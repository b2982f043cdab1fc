//! What is done to attention heads while a model runs, to see what they are for.

use crate::ops::{Backend, Result, Stream};
use dfdx::prelude::*;

/// `(layer, head)`
pub type Head = (usize, usize);

/// Heads taken out of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intervention {
    /// Heads whose result z is the same at every position: `[d_head]`, or nothing for zero.
    pub replaced: Vec<(Head, Option<Vec<f32>>)>,
    /// Whether every head attends as it does in the untouched model, so that what is replaced reaches other heads
    /// by their values alone (Olsson et al. 2022, pattern-preserving ablation).
    pub frozen_patterns: bool,
}

impl Intervention {
    /// One head's result replaced by zero.
    pub fn without(head: Head) -> Self {
        Intervention { replaced: vec![(head, None)], frozen_patterns: false }
    }

    /// z `[batch, position, n_heads * d_head]` of a layer, with what is replaced in it.
    pub(super) fn replace<D: Backend>(
        &self,
        layer: usize,
        d_head: usize,
        z: Stream<D>,
    ) -> Result<Stream<D>, D> {
        let here = || self.replaced.iter().filter(|((l, _), _)| *l == layer);
        if here().next().is_none() {
            return Ok(z);
        }
        let shape @ (_, _, width) = *z.shape();
        let (mut keep, mut put) = (vec![1.0; width], vec![0.0; width]);
        for ((_, head), by) in here() {
            let features = head * d_head..(head + 1) * d_head;
            keep[features.clone()].fill(0.0);
            if let Some(by) = by {
                put[features].copy_from_slice(by);
            }
        }
        let everywhere = |row: Vec<f32>| {
            let row: Tensor<(usize,), f32, D> = z.device().try_tensor_from_vec(row, (width,))?;
            row.try_broadcast_like::<_, Axes2<0, 1>>(&shape)
        };
        let (keep, put) = (everywhere(keep)?, everywhere(put)?);
        z.try_mul(keep)?.try_add(put)
    }
}
