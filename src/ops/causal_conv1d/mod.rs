//! Causal convolution over positions.
//!
//! `y[t] = b + Σ_j W[:, :, j] x[t - (kernel_size - 1) + j]`, with zeros to the left of the sequence: the weight is
//! in the order of torch's `Conv1d`, so the last tap is the current token. Depthwise, every feature has its own
//! `kernel_size` taps and sees no other feature.

mod fused;

use super::{Backend, Flat, Result, Stream, Taped};
use dfdx::prelude::*;

pub use fused::fused;

/// x `[batch, position, d_model]`, W `[d_model, d_model, kernel_size]` (output, input, tap) or, depthwise,
/// `[d_model, 1, kernel_size]`, b `[d_model]`, y as x.
pub fn composed<D: Backend>(
    x: Stream<D>,
    w: &Flat<D>,
    b: &Flat<D>,
    kernel_size: usize,
    depthwise: bool,
) -> Result<Stream<D>, D> {
    let shape @ (batch, position, d_model) = *x.shape();
    let d_in = if depthwise { 1 } else { d_model };
    // [d_model, d_in, kernel_size] -> [kernel_size, d_in, d_model]
    let w = w
        .retaped::<OwnedTape<f32, D>>()
        .try_reshape_like(&(d_model, d_in, kernel_size))?
        .try_permute::<(usize, usize, usize), Axes3<2, 1, 0>>()?
        .try_reshape_like(&(kernel_size, d_in * d_model))?;
    let bias = b.clone().try_broadcast_like::<_, Axes2<0, 1>>(&shape)?;
    let mut y: Stream<D> = bias.retaped();
    for j in 0..kernel_size {
        let tap: Taped<(usize,), D> =
            w.with_empty_tape().try_select(w.device().try_tensor_from_vec(vec![j], ())?)?;
        let shifted = shift(x.with_empty_tape(), kernel_size - 1 - j)?;
        let term = if depthwise {
            shifted.try_mul(tap.try_broadcast_like::<_, Axes2<0, 1>>(&shape)?)?
        } else {
            shifted
                .try_reshape_like(&(batch * position, d_model))?
                .try_matmul(tap.try_reshape_like(&(d_model, d_model))?)?
                .try_reshape_like(&shape)?
        };
        y = term.try_add(y)?;
    }
    // What happened to x and W before goes in once.
    let ((_, x_tape), (_, w_tape), (y, tape)) = (x.split_tape(), w.split_tape(), y.split_tape());
    Ok(y.put_tape(tape.merge(w_tape).merge(x_tape)))
}

/// `y[t] = x[t - by]`, zeros to the left. (By gathering: the backward pass of a slice in dfdx 0.13 writes where it
/// should add.)
fn shift<D: Backend>(x: Stream<D>, by: usize) -> Result<Stream<D>, D> {
    if by == 0 {
        return Ok(x);
    }
    let shape @ (batch, position, _) = *x.shape();
    let device = x.device().clone();
    let from: Vec<usize> = (0..position).map(|t| t.saturating_sub(by)).collect();
    let index = device.try_tensor_from_vec(from.repeat(batch), (batch, position))?;
    let inside = (0..position).map(|t| if t < by { 0.0 } else { 1.0 });
    let inside = device
        .try_tensor_from_vec(inside.collect(), (position,))?
        .try_broadcast_like::<_, Axes2<0, 2>>(&shape)?;
    let shifted: Stream<D> = x.try_gather(index)?;
    shifted.try_mul(inside)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    /// The definition, loop by loop.
    fn naive(
        x: &[f32],
        w: &[f32],
        b: &[f32],
        (batch, position, d): (usize, usize, usize),
        kernel: usize,
        depthwise: bool,
    ) -> Vec<f32> {
        let mut y = b.repeat(batch * position);
        for (s, t, o) in (0..batch * position * d).map(|i| (i / (position * d), i / d % position, i % d)) {
            for j in 0..kernel {
                let Some(from) = (t + j).checked_sub(kernel - 1) else {
                    continue;
                };
                let row = &x[(s * position + from) * d..][..d];
                y[(s * position + t) * d + o] += if depthwise {
                    w[o * kernel + j] * row[o]
                } else {
                    (0..d).map(|i| w[(o * d + i) * kernel + j] * row[i]).sum()
                };
            }
        }
        y
    }

    #[test]
    fn is_the_definition() {
        for (position, kernel) in [(5, 1), (5, 2), (5, 3), (2, 4)] {
            for depthwise in [false, true] {
                let shape = (2, position, 4);
                let d_in = if depthwise { 1 } else { 4 };
                let inputs = [random(2 * position * 4, 1), random(4 * d_in * kernel, 2), random(4, 3)];
                let f: Operation = &|i| composed(stream(&i[0], shape), &i[1], &i[2], kernel, depthwise);
                let [x, w, b] = inputs.each_ref().map(|i| i.as_vec());
                let expected = naive(&x, &w, &b, shape, kernel, depthwise);
                assert_close(&f(&inputs).unwrap().as_vec(), &expected, 1e-6, "conv");
                assert_gradients(&inputs, f);
            }
        }
    }

    #[test]
    fn fused_is_composed() {
        for (batch, position, d, kernel) in
            [(1, 1, 8, 2), (2, 7, 13, 3), (3, 128, 16, 2), (2, 513, 8, 4), (5, 2, 8, 4)]
        {
            for depthwise in [false, true] {
                let shape = (batch, position, d);
                let d_in = if depthwise { 1 } else { d };
                let inputs = [random(batch * position * d, 1), random(d * d_in * kernel, 2), random(d, 3)];
                assert_same(
                    &inputs,
                    &|i| fused(stream(&i[0], shape), &i[1], &i[2], kernel, depthwise),
                    &|i| composed(stream(&i[0], shape), &i[1], &i[2], kernel, depthwise),
                    1e-5,
                    "conv",
                );
            }
        }
    }
}
