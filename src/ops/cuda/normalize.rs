//! [`normalize`](mod@crate::ops::normalize) on the card.

use super::columns::{add_column_sums, add_parts, together};
use super::engine::{Grid, engine};
use super::memory::{Scratch, address, gradient, output};
use crate::ops::normalize::EPS;
use crate::ops::{Flat, Result, Stream};
use dfdx::prelude::*;

/// x `[batch, position, d]`, gain and bias `[d]`: layer norm with a bias, root-mean-square norm without.
pub fn fused(x: Stream<Cuda>, gain: &Flat<Cuda>, bias: Option<&Flat<Cuda>>) -> Result<Stream<Cuda>, Cuda> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let shape @ (batch, position, d) = *x.shape();
    let rows = batch * position;
    let (y, to) = output(x.device(), shape)?;
    let statistics = Scratch::new(2 * rows, 4)?;
    let bias_address = bias.map(address).transpose()?;
    let places = [address(&x)?.into(), address(gain)?.into(), bias_address.into(), to.into()];
    let args = [&places[..], &[statistics.address().into(), d.into(), EPS.into()]].concat();
    engine()?.launch("normalize", Grid::rows(rows, d), &args)?;

    let (out, gain, bias) = (y.clone(), gain.clone(), bias.cloned());
    tape.add_backward_op(move |grads| {
        let (d_y, d_x) = (gradient(grads, &out)?, gradient(grads, &x)?);
        let (x, statistics) = (address(&x)?, statistics.address());
        let centred = usize::from(bias.is_some());
        let places = [x.into(), address(&gain)?.into(), statistics.into(), d_y.into(), d_x.into()];
        let args = [&places[..], &[d.into(), centred.into()]].concat();
        engine()?.launch("normalize_backward", Grid::rows(rows, d), &args)?;
        add_parts(gradient(grads, &gain)?, rows, d, |parts, n_parts| {
            let places = [x.into(), statistics.into(), d_y.into(), parts.into()];
            let args = [&places[..], &[rows.into(), d.into(), together(rows).into()]].concat();
            engine()?.launch("gain_parts", Grid::columns(d, n_parts, 1), &args)
        })?;
        match &bias {
            Some(bias) => add_column_sums(gradient(grads, bias)?, d_y, rows, d),
            None => Ok(()),
        }
    });
    Ok(y.put_tape(tape))
}
