//! [`causal_conv1d`](mod@crate::ops::causal_conv1d) on the card: what an output sees, side by side, times the taps.

use super::columns::{add_column_sums, add_parts, together};
use super::engine::{Grid, engine};
use super::memory::{Address, Scratch, address, gradient, output};
use super::product::{Matrix, Target, product};
use crate::ops::{Flat, Result, Stream};
use dfdx::prelude::*;

/// What both forms go by.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    position: usize,
    d_model: usize,
    kernel: usize,
}

impl Sizes {
    fn rows(self) -> usize {
        self.batch * self.position
    }

    fn numbers(self) -> usize {
        self.rows() * self.d_model
    }

    /// x `[batch * position, d_model]` to `[batch * position, kernel * d_model]`
    fn unfolded(self, x: Address) -> Result<Matrix, Cuda> {
        let Sizes { position, d_model, kernel, .. } = self;
        let n = self.numbers();
        Matrix::made(n * kernel, kernel * d_model, |to| {
            let args = [x.into(), to.into(), n.into(), position.into(), d_model.into(), kernel.into()];
            engine()?.launch("unfold", Grid::each(n * kernel), &args)
        })
    }

    /// W `[d_model, d_model, kernel]` to `[kernel * d_model, d_model]`
    fn taps(self, w: Address) -> Result<Matrix, Cuda> {
        let Sizes { d_model, kernel, .. } = self;
        Matrix::made(kernel * d_model * d_model, d_model, |to| {
            let args = [w.into(), to.into(), d_model.into(), d_model.into(), kernel.into()];
            engine()?.launch("taps_to_matrix", Grid::each(kernel * d_model * d_model), &args)
        })
    }
}

/// x `[batch, position, d_model]`, W `[d_model, d_model, kernel_size]` or, depthwise, `[d_model, 1, kernel_size]`,
/// b `[d_model]`.
pub fn fused(
    x: Stream<Cuda>,
    w: &Flat<Cuda>,
    b: &Flat<Cuda>,
    kernel: usize,
    depthwise: bool,
) -> Result<Stream<Cuda>, Cuda> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let shape @ (batch, position, d_model) = *x.shape();
    let sizes = Sizes { batch, position, d_model, kernel };
    let (y, to) = output(x.device(), shape)?;
    match depthwise {
        true => depthwise_forward(to, address(&x)?, address(w)?, address(b)?, sizes)?,
        false => dense_forward(to, address(&x)?, address(w)?, address(b)?, sizes)?,
    }

    let (out, w, b) = (y.clone(), w.clone(), b.clone());
    tape.add_backward_op(move |grads| {
        let (d_y, d_x, d_w) = (gradient(grads, &out)?, gradient(grads, &x)?, gradient(grads, &w)?);
        let (x, w) = (address(&x)?, address(&w)?);
        match depthwise {
            true => depthwise_backward([d_x, d_w], [x, w, d_y], sizes)?,
            false => dense_backward([d_x, d_w], [x, w, d_y], sizes)?,
        }
        add_column_sums(gradient(grads, &b)?, d_y, sizes.rows(), d_model)
    });
    Ok(y.put_tape(tape))
}

fn dense_forward(y: Address, x: Address, w: Address, b: Address, sizes: Sizes) -> Result<(), Cuda> {
    let (d_model, width) = (sizes.d_model, sizes.kernel * sizes.d_model);
    let (seen, taps) = (sizes.unfolded(x)?, sizes.taps(w)?);
    product(Target::write(y, d_model), 1.0, seen.side(), taps.side(), (sizes.rows(), width, d_model))?;
    let args = [y.into(), b.into(), sizes.numbers().into(), d_model.into()];
    engine()?.launch("add_to_rows", Grid::each(sizes.numbers()), &args)
}

fn dense_backward([d_x, d_w]: [Address; 2], [x, w, d_y]: [Address; 3], sizes: Sizes) -> Result<(), Cuda> {
    let Sizes { position, d_model, kernel, .. } = sizes;
    let (rows, n, width) = (sizes.rows(), sizes.numbers(), kernel * d_model);
    let d_y = Matrix::of(d_y, rows, d_model)?;
    let d_seen = Scratch::new(n * kernel, 4)?;
    let taps = sizes.taps(w)?;
    let to = Target::write(d_seen.address(), width);
    product(to, 1.0, d_y.side(), taps.side().transposed(), (rows, d_model, width))?;
    let seen = d_seen.address();
    let args = [d_x.into(), seen.into(), n.into(), position.into(), d_model.into(), kernel.into()];
    engine()?.launch("unfold_backward", Grid::each(n), &args)?;
    let d_taps = Scratch::new(width * d_model, 4)?;
    let to = Target::write(d_taps.address(), d_model);
    product(to, 1.0, sizes.unfolded(x)?.side().transposed(), d_y.side(), (width, rows, d_model))?;
    let args = [d_w.into(), d_taps.address().into(), d_model.into(), d_model.into(), kernel.into()];
    engine()?.launch("add_matrix_to_taps", Grid::each(width * d_model), &args)
}

fn depthwise_forward(y: Address, x: Address, w: Address, b: Address, sizes: Sizes) -> Result<(), Cuda> {
    let Sizes { position, d_model, kernel, .. } = sizes;
    let places = [y.into(), x.into(), w.into(), b.into()];
    let args =
        [&places[..], &[sizes.numbers().into(), position.into(), d_model.into(), kernel.into()]].concat();
    engine()?.launch("depthwise", Grid::each(sizes.numbers()), &args)
}

fn depthwise_backward([d_x, d_w]: [Address; 2], [x, w, d_y]: [Address; 3], sizes: Sizes) -> Result<(), Cuda> {
    let Sizes { position, d_model, kernel, .. } = sizes;
    let (rows, n) = (sizes.rows(), sizes.numbers());
    let counts = [position.into(), d_model.into(), kernel.into()];
    let args = [&[d_x.into(), d_y.into(), w.into(), n.into()], &counts[..]].concat();
    engine()?.launch("depthwise_backward", Grid::each(n), &args)?;
    add_parts(d_w, rows, d_model * kernel, |parts, n_parts| {
        let places = [x.into(), d_y.into(), parts.into(), rows.into()];
        let args = [&places[..], &counts, &[together(rows).into()]].concat();
        engine()?.launch("depthwise_parts", Grid::columns(d_model * kernel, n_parts, 1), &args)
    })
}
