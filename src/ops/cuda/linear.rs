//! [`linear`](mod@crate::ops::linear) on the card.

use super::columns::add_column_sums;
use super::engine::{Grid, engine};
use super::memory::{Address, Scratch, address, gradient, output};
use super::product::{Matrix, Target, product};
use crate::ops::{Flat, Result, Stream};
use dfdx::prelude::*;

/// How a parameter is the matrix `[d_in, d_out]` of a map.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// It is.
    Plain,
    /// `[heads, d_in, d_head]`
    Heads(usize),
}

impl Layout {
    fn matrix(self, w: Address, d_in: usize, d_out: usize) -> Result<Matrix, Cuda> {
        match self {
            Layout::Plain => Matrix::of(w, d_in, d_out),
            Layout::Heads(heads) => Matrix::made(d_in * d_out, d_out, |to| {
                let args = [w.into(), to.into(), heads.into(), d_in.into(), (d_out / heads).into()];
                engine()?.launch("heads_to_matrix", Grid::each(d_in * d_out), &args)
            }),
        }
    }

    /// `dW += xᵀ dy`, with `multiply` the product into a target.
    fn add_gradient(
        self,
        d_w: Address,
        d_in: usize,
        d_out: usize,
        multiply: impl FnOnce(Target) -> Result<(), Cuda>,
    ) -> Result<(), Cuda> {
        match self {
            Layout::Plain => multiply(Target::add(d_w, d_out)),
            Layout::Heads(heads) => {
                let matrix = Scratch::new(d_in * d_out, 4)?;
                multiply(Target::write(matrix.address(), d_out))?;
                let shape = [heads.into(), d_in.into(), (d_out / heads).into()];
                let args = [&[d_w.into(), matrix.address().into()], &shape[..]].concat();
                engine()?.launch("add_matrix_to_heads", Grid::each(d_in * d_out), &args)
            }
        }
    }
}

/// x `[batch, position, d_in]`, W `[d_in, d_out]`, b `[d_out]`.
pub fn fused(
    x: Stream<Cuda>,
    w: &Flat<Cuda>,
    b: Option<&Flat<Cuda>>,
    d_out: usize,
) -> Result<Stream<Cuda>, Cuda> {
    let [y] = maps(x, [w], Layout::Plain, b, d_out)?;
    Ok(y)
}

/// x `[batch, position, d_model]`, each W `[n_heads, d_model, d_head]`.
pub fn fused_heads<const N: usize>(
    x: Stream<Cuda>,
    ws: [&Flat<Cuda>; N],
    n_heads: usize,
) -> Result<[Stream<Cuda>; N], Cuda> {
    let d_out = ws.first().map_or(0, |w| w.shape().0 / x.shape().2);
    maps(x, ws, Layout::Heads(n_heads), None, d_out)
}

fn maps<const N: usize>(
    x: Stream<Cuda>,
    ws: [&Flat<Cuda>; N],
    layout: Layout,
    b: Option<&Flat<Cuda>>,
    d_out: usize,
) -> Result<[Stream<Cuda>; N], Cuda> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let (batch, position, d_in) = *x.shape();
    let tokens = batch * position;
    let (ws, b) = (ws.map(Flat::clone), b.cloned());
    let matrix = Matrix::of(address(&x)?, tokens, d_in)?;
    let mut ys = Vec::with_capacity(N);
    for w in &ws {
        let (y, to) = output(x.device(), (batch, position, d_out))?;
        let w = layout.matrix(address(w)?, d_in, d_out)?;
        product(Target::write(to, d_out), 1.0, matrix.side(), w.side(), (tokens, d_in, d_out))?;
        if let Some(b) = &b {
            let args = [to.into(), address(b)?.into(), (tokens * d_out).into(), d_out.into()];
            engine()?.launch("add_to_rows", Grid::each(tokens * d_out), &args)?;
        }
        ys.push(y);
    }

    let outs = ys.clone();
    tape.add_backward_op(move |grads| {
        let matrix = Matrix::of(address(&x)?, tokens, d_in)?;
        for (out, w) in outs.iter().zip(&ws) {
            let d_y = gradient(grads, out)?;
            let d_y_matrix = Matrix::of(d_y, tokens, d_out)?;
            let d_y_side = d_y_matrix.side();
            let w_matrix = layout.matrix(address(w)?, d_in, d_out)?;
            let d_x = Target::add(gradient(grads, &x)?, d_in);
            product(d_x, 1.0, d_y_side, w_matrix.side().transposed(), (tokens, d_out, d_in))?;
            layout.add_gradient(gradient(grads, w)?, d_in, d_out, |to| {
                product(to, 1.0, matrix.side().transposed(), d_y_side, (d_in, tokens, d_out))
            })?;
            if let Some(b) = &b {
                add_column_sums(gradient(grads, b)?, d_y, tokens, d_out)?;
            }
        }
        Ok(())
    });
    let mut tape = Some(tape);
    let mut ys = ys.into_iter();
    Ok(std::array::from_fn(|_| match ys.next() {
        Some(y) => y.put_tape(tape.take().unwrap_or_default()),
        None => unreachable!("one y for every W"),
    }))
}
