//! [`adamw`](mod@crate::ops::adamw) on the card.

use super::engine::{Grid, engine};
use super::memory::{Scratch, address, buffer_address, download, gradient};
use crate::ops::{AdamW, Flat, Moments, Result};
use dfdx::prelude::*;

/// One step; all `[n]`. In place: nobody else may hold the parameter's memory, as nobody does between two passes.
pub fn fused(
    param: &mut Flat<Cuda>,
    moments: &mut Moments<Cuda>,
    grads: &mut Gradients<f32, Cuda>,
    hyper: &AdamW,
) -> Result<(), Cuda> {
    let (rate, root) = hyper.corrections();
    let kept = 1.0 - hyper.lr * hyper.weight_decay;
    let rest = [1.0 - hyper.beta1, 1.0 - hyper.beta2];
    let numbers = [rate, root, hyper.eps, hyper.beta1, hyper.beta2, rest[0], rest[1], kept, hyper.grad_scale];
    let n = param.shape().0;
    let [m, v] = moments.buffers(param)?.map(buffer_address);
    let places = [address(param)?.into(), m.into(), v.into(), gradient(grads, param)?.into()];
    let args = [&places[..], &[n.into(), numbers.map(|x| x as f32).into()]].concat();
    engine()?.launch("adamw", Grid::each(n), &args)
}

/// `Σ grad²` of a parameter's gradient `[n]`, in double precision over parts.
pub fn fused_squared_norm(param: &Flat<Cuda>, grads: &mut Gradients<f32, Cuda>) -> Result<f64, Cuda> {
    let n = param.shape().0;
    let grid = Grid { blocks: [n.div_ceil(1 << 12).min(256) as u32, 1, 1], threads: 256 };
    let n_parts = grid.blocks[0] as usize;
    let parts = Scratch::new(n_parts, 8)?;
    let args = [gradient(grads, param)?.into(), parts.address().into(), n.into()];
    engine()?.launch("squares", grid, &args)?;
    Ok(download::<f64>(&parts, n_parts)?.iter().sum())
}

/// `sum += part` of a parameter's gradients `[n]`.
pub fn fused_add_gradient(
    param: &Flat<Cuda>,
    sums: &mut Gradients<f32, Cuda>,
    part: &mut Gradients<f32, Cuda>,
) -> Result<(), Cuda> {
    let n = param.shape().0;
    let args = [gradient(sums, param)?.into(), gradient(part, param)?.into(), 1f32.into(), n.into()];
    engine()?.launch("accumulate", Grid::each(n), &args)
}
