//! The convolution as products with shifted inputs, sequence by sequence.

use super::super::cpu::{
    Matrix, add_column_sums, add_in_order, copy, fma, for_chunks, map_chunks, multiply, new_chunks, output,
    read, take_gradient, vectorized,
};
use super::super::{Flat, Result, Stream};
use dfdx::prelude::*;

/// Tokens, about, whose share of the weight's gradient is summed apart.
const TOKENS: usize = 512;

/// The sizes of a call.
#[derive(Clone, Copy)]
struct Sizes {
    position: usize,
    d_model: usize,
    kernel_size: usize,
    depthwise: bool,
}

impl Sizes {
    /// Numbers in a sequence.
    fn sequence(&self) -> usize {
        self.position * self.d_model
    }

    /// Numbers in a tap.
    fn tap(&self) -> usize {
        if self.depthwise { self.d_model } else { self.d_model * self.d_model }
    }

    /// Taps that see the sequence at all, and how many numbers back each looks.
    fn shifts(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Self { position, d_model, kernel_size, .. } = *self;
        let shifts = (0..kernel_size).map(move |j| (j, kernel_size - 1 - j));
        shifts.filter(move |(_, back)| *back < position).map(move |(j, back)| (j, back * d_model))
    }
}

/// x `[batch, position, d_model]`, W `[d_model, d_model or 1, kernel_size]`, b `[d_model]`, y as x.
pub fn fused(
    x: Stream<Cpu>,
    w: &Flat<Cpu>,
    b: &Flat<Cpu>,
    kernel_size: usize,
    depthwise: bool,
) -> Result<Stream<Cpu>, Cpu> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let shape @ (batch, position, d_model) = *x.shape();
    let sizes = Sizes { position, d_model, kernel_size, depthwise };
    let x_values = read(&x);
    // Tap by tap, each [output, input] or [feature].
    let w_values = copy(w);
    let taps = (0..kernel_size).flat_map(|j| w_values.iter().skip(j).step_by(kernel_size));
    let taps: Vec<f32> = taps.copied().collect();

    let b_values = copy(b);
    let y = new_chunks(batch * position * d_model, sizes.sequence(), |i, y| {
        y.chunks_exact_mut(d_model).for_each(|y| y.copy_from_slice(&b_values));
        let x = &x_values[i * sizes.sequence()..][..y.len()];
        for (j, back) in sizes.shifts() {
            add_tap(&mut y[back..], &x[..x.len() - back], &taps[j * sizes.tap()..], sizes, true);
        }
    });
    let (y, y_values) = output(x.device(), y, shape)?;

    let (out, w, b) = (y.clone(), w.clone(), b.clone());
    tape.add_backward_op(move |grads| {
        drop(y_values);
        let d_y = take_gradient(grads, &out)?;
        add_column_sums(grads.get_or_alloc_mut(&b)?, &d_y);
        for_chunks(grads.get_or_alloc_mut(&x)?, sizes.sequence(), |i, d_x| {
            let d_y = &d_y[i * sizes.sequence()..][..d_x.len()];
            for (j, back) in sizes.shifts() {
                let seen = d_x.len() - back;
                add_tap(&mut d_x[..seen], &d_y[back..], &taps[j * sizes.tap()..], sizes, false);
            }
        });
        let group = (TOKENS / position.max(1)).max(1) * sizes.sequence().max(1);
        let parts = map_chunks(x_values.chunks(group).zip(d_y.chunks(group)), |(x, d_y)| {
            let mut part = vec![0.0; kernel_size * sizes.tap()];
            let sequences = x.chunks(sizes.sequence()).zip(d_y.chunks(sizes.sequence()));
            for (x, d_y) in sequences {
                for (j, back) in sizes.shifts() {
                    let part = &mut part[j * sizes.tap()..][..sizes.tap()];
                    add_tap_gradient(part, &x[..x.len() - back], &d_y[back..], sizes);
                }
            }
            part
        });
        let mut d_taps = vec![0.0; kernel_size * sizes.tap()];
        add_in_order(&mut d_taps, &parts);
        let d_w = grads.get_or_alloc_mut(&w)?;
        for (j, d_tap) in d_taps.chunks(sizes.tap().max(1)).enumerate() {
            let sums = d_w.iter_mut().skip(j).step_by(kernel_size);
            sums.zip(d_tap).for_each(|(sum, d)| *sum += d);
        }
        Ok(())
    });
    Ok(y.put_tape(tape))
}

/// Adds a tap of `x` to `y` of the same length: forward `y += x tapᵀ`, else `y += x tap`.
fn add_tap(y: &mut [f32], x: &[f32], tap: &[f32], sizes: Sizes, forward: bool) {
    let d = sizes.d_model;
    if sizes.depthwise {
        return add_products(y, x, &tap[..d]);
    }
    let tap = Matrix::rows(tap, d);
    let tap = if forward { tap.transposed() } else { tap };
    multiply((y, d), true, 1.0, (Matrix::rows(x, d), tap), (x.len() / d, d, d));
}

/// Adds `dyᵀ x` to the gradient of a tap.
fn add_tap_gradient(d_tap: &mut [f32], x: &[f32], d_y: &[f32], sizes: Sizes) {
    let d = sizes.d_model;
    if sizes.depthwise {
        return add_product_sums(d_tap, x, d_y);
    }
    let operands = (Matrix::rows(d_y, d).transposed(), Matrix::rows(x, d));
    multiply((d_tap, d), true, 1.0, operands, (d, x.len() / d, d));
}

vectorized! {
    /// `y[t, c] += x[t, c] tap[c]`
    fn add_products(y: &mut [f32], x: &[f32], tap: &[f32]) {
        let d = tap.len();
        for (y, x) in y.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
            for ((y, x), tap) in y.iter_mut().zip(x).zip(tap) {
                *y = fma::<FMA>(*x, *tap, *y);
            }
        }
    }
}

vectorized! {
    /// `d_tap[c] += Σ_t x[t, c] dy[t, c]`
    fn add_product_sums(d_tap: &mut [f32], x: &[f32], d_y: &[f32]) {
        let d = d_tap.len();
        for (x, d_y) in x.chunks_exact(d).zip(d_y.chunks_exact(d)) {
            for ((sum, x), d_y) in d_tap.iter_mut().zip(x).zip(d_y) {
                *sum = fma::<FMA>(*x, *d_y, *sum);
            }
        }
    }
}
