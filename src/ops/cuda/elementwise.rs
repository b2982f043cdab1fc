//! [`activation`](mod@crate::ops::activation) and [`residual`](mod@crate::ops::residual) on the card.

use super::engine::{Grid, engine};
use super::memory::{address, buffer_address, gradient, output};
use crate::ops::{Result, Stream};
use dfdx::prelude::*;

/// x `[batch, position, feature]`, by the kernels of these names.
pub fn activation(x: Stream<Cuda>, forward: &str, backward: &'static str) -> Result<Stream<Cuda>, Cuda> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let n = x.shape().num_elements();
    let (y, to) = output(x.device(), *x.shape())?;
    engine()?.launch(forward, Grid::each(n), &[to.into(), address(&x)?.into(), n.into()])?;
    let out = y.clone();
    tape.add_backward_op(move |grads| {
        let (d_y, d_x) = (gradient(grads, &out)?, gradient(grads, &x)?);
        let args = [d_x.into(), address(&x)?.into(), d_y.into(), n.into()];
        engine()?.launch(backward, Grid::each(n), &args)
    });
    Ok(y.put_tape(tape))
}

/// `a + b`, both `[batch, position, feature]`.
pub fn add(a: Stream<Cuda>, b: Stream<Cuda>) -> Result<Stream<Cuda>, Cuda> {
    let (a, tape) = a.try_contiguous()?.split_tape();
    let (b, b_tape) = b.try_contiguous()?.split_tape();
    let mut tape = tape.merge(b_tape);
    let n = a.shape().num_elements();
    let (y, to) = output(a.device(), *a.shape())?;
    engine()?.launch(
        "add",
        Grid::each(n),
        &[to.into(), address(&a)?.into(), address(&b)?.into(), n.into()],
    )?;
    let (out, a, b) = (y.clone(), a.ghost(), b.ghost());
    tape.add_backward_op(move |grads| {
        let d_y = gradient(grads, &out)?;
        for term in [a, b] {
            let d = buffer_address(grads.get_or_alloc_mut(&term)?);
            engine()?.launch("accumulate", Grid::each(n), &[d.into(), d_y.into(), 1f32.into(), n.into()])?;
        }
        Ok(())
    });
    Ok(y.put_tape(tape))
}
