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

/// `Σ grad²` of each parameter's gradient `[n]`, in double precision over parts; the card is waited for once.
pub fn fused_squared_norms(
    params: &[&Flat<Cuda>],
    grads: &mut Gradients<f32, Cuda>,
) -> Result<Vec<f64>, Cuda> {
    const PARTS: usize = 256;
    let parts = Scratch::new(params.len() * PARTS, 8)?;
    for (i, param) in params.iter().enumerate() {
        let args = [
            gradient(grads, param)?.into(),
            parts.address().plus(i * PARTS, 8).into(),
            param.shape().0.into(),
        ];
        engine()?.launch("squares", Grid { blocks: [PARTS as u32, 1, 1], threads: 256 }, &args)?;
    }
    let parts = download::<f64>(&parts, params.len() * PARTS)?;
    Ok(parts.chunks(PARTS).map(|parts| parts.iter().sum()).collect())
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
