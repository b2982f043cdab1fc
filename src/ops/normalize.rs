//! Normalisation of every token's features.
//!
//! Layer norm (Ba et al. 2016): `y = (x - mean x) / sqrt(var x + eps) * gain + bias`, the variance without
//! Bessel's correction. Root-mean-square norm (Zhang and Sennrich 2019): `y = x / sqrt(mean x² + eps) * gain`.
//! `eps` is [`EPS`] in both.

use super::cpu::{
    add_in_order, copy, fma, map_chunks, output, read, sum_lanes, take_gradient, vectorized, zeros,
};
use super::{Backend, Flat, Result, Stream};
use dfdx::prelude::*;

/// What keeps the divisor from zero.
pub const EPS: f32 = 1e-5;

/// x `[batch, position, d]`, gain and bias `[d]`.
pub fn composed_layer_norm<D: Backend>(x: Stream<D>, gain: &Flat<D>, bias: &Flat<D>) -> Result<Stream<D>, D> {
    let shape = *x.shape();
    let gain = gain.clone().try_broadcast_like::<_, Axes2<0, 1>>(&shape)?;
    let bias = bias.clone().try_broadcast_like::<_, Axes2<0, 1>>(&shape)?;
    x.try_normalize::<Axis<2>>(EPS)?.try_mul(gain)?.try_add(bias)
}

/// x `[batch, position, d]`, gain `[d]`.
pub fn composed_rms_norm<D: Backend>(x: Stream<D>, gain: &Flat<D>) -> Result<Stream<D>, D> {
    let shape = *x.shape();
    let gain = gain.clone().try_broadcast_like::<_, Axes2<0, 1>>(&shape)?;
    let root = x.with_empty_tape().try_square()?.try_mean::<_, Axis<2>>()?.try_add(EPS)?.try_sqrt()?;
    x.try_div(root.try_broadcast_like::<_, Axis<2>>(&shape)?)?.try_mul(gain)
}

/// [`composed_layer_norm`], row by row.
pub fn fused_layer_norm(x: Stream<Cpu>, gain: &Flat<Cpu>, bias: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu> {
    fused(x, gain, Some(bias))
}

/// [`composed_rms_norm`], row by row.
pub fn fused_rms_norm(x: Stream<Cpu>, gain: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu> {
    fused(x, gain, None)
}

/// Rows in a piece of work.
const ROWS: usize = 256;

/// Layer norm with a bias, root-mean-square norm without.
fn fused(x: Stream<Cpu>, gain: &Flat<Cpu>, bias: Option<&Flat<Cpu>>) -> Result<Stream<Cpu>, Cpu> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let shape @ (batch, position, d) = *x.shape();
    let piece = (ROWS * d).max(1);
    let x_values = read(&x);
    let gain_values = copy(gain);
    let bias_values = bias.map(copy).unwrap_or_default();
    let mut y = zeros(batch * position * d);
    let pieces = y.chunks_mut(piece).zip(x_values.chunks(piece));
    let statistics = map_chunks(pieces, |(y, x)| {
        let mut statistics = vec![(0.0, 0.0); x.len() / d];
        forward_rows(x, &gain_values, &bias_values, y, &mut statistics);
        statistics
    });
    let (y, y_values) = output(x.device(), y, shape)?;

    let (out, gain, bias) = (y.clone(), gain.clone(), bias.cloned());
    tape.add_backward_op(move |grads| {
        drop(y_values);
        let d_y = take_gradient(grads, &out)?;
        let with_bias = bias.is_some();
        let d_x = grads.get_or_alloc_mut(&x)?;
        let pieces = d_x.chunks_mut(piece).zip(x_values.chunks(piece));
        let pieces = pieces.zip(d_y.chunks(piece).zip(&statistics));
        let parts = map_chunks(pieces, |((d_x, x), (d_y, statistics))| {
            let mut d_gain = vec![0.0; d];
            let mut d_bias = vec![0.0; if with_bias { d } else { 0 }];
            let inputs = [x, d_y, &gain_values];
            backward_rows(inputs, statistics, d_x, &mut d_gain, &mut d_bias);
            (d_gain, d_bias)
        });
        let (d_gains, d_biases): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        add_in_order(grads.get_or_alloc_mut(&gain)?, &d_gains);
        if let Some(bias) = &bias {
            add_in_order(grads.get_or_alloc_mut(bias)?, &d_biases);
        }
        Ok(())
    });
    Ok(y.put_tape(tape))
}

vectorized! {
    /// Keeps each row's mean (zero without a bias) and the inverse of its root.
    fn forward_rows(
        x: &[f32],
        gain: &[f32],
        bias: &[f32],
        y: &mut [f32],
        statistics: &mut [(f32, f32)],
    ) {
        let d = gain.len();
        let rows = x.chunks_exact(d).zip(y.chunks_exact_mut(d));
        for ((x, y), kept) in rows.zip(statistics) {
            let mean = if bias.is_empty() { 0.0 } else { sum_lanes([x], |sum, [x]| sum + x) / d as f32 };
            let squares = sum_lanes([x], |sum, [x]| fma::<FMA>(x - mean, x - mean, sum));
            let inverse = 1.0 / (squares / d as f32 + EPS).sqrt();
            if bias.is_empty() {
                for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
                    *y = x * inverse * gain;
                }
            } else {
                for (((y, x), gain), bias) in y.iter_mut().zip(x).zip(gain).zip(bias) {
                    *y = fma::<FMA>((x - mean) * inverse, *gain, *bias);
                }
            }
            *kept = (mean, inverse);
        }
    }
}

vectorized! {
    /// With `n` the normalised row and `g = dy gain`: `dx += (g - mean g - n mean(g n)) inverse`, without `mean g`
    /// in the root-mean-square norm; `dgain += dy n`, `dbias += dy`.
    fn backward_rows(
        inputs: [&[f32]; 3],
        statistics: &[(f32, f32)],
        d_x: &mut [f32],
        d_gain: &mut [f32],
        d_bias: &mut [f32],
    ) {
        let [x, d_y, gain] = inputs;
        let d = gain.len();
        let rows = x.chunks_exact(d).zip(d_y.chunks_exact(d)).zip(d_x.chunks_exact_mut(d));
        for (((x, d_y), d_x), (mean, inverse)) in rows.zip(statistics) {
            let centre = if d_bias.is_empty() {
                0.0
            } else {
                sum_lanes([d_y, gain], |sum, [d_y, gain]| fma::<FMA>(d_y, gain, sum)) / d as f32
            };
            let slope = sum_lanes([d_y, gain, x], |sum, [d_y, gain, x]| {
                fma::<FMA>(d_y * gain, (x - mean) * inverse, sum)
            }) / d as f32;
            let columns = x.iter().zip(d_y).zip(gain).zip(d_x.iter_mut().zip(d_gain.iter_mut()));
            for (((x, d_y), gain), (d_x, d_gain)) in columns {
                let n = (x - mean) * inverse;
                *d_gain = fma::<FMA>(*d_y, n, *d_gain);
                *d_x = fma::<FMA>(d_y * gain - centre - n * slope, *inverse, *d_x);
            }
            for (d_bias, d_y) in d_bias.iter_mut().zip(d_y) {
                *d_bias += d_y;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn tokens_have_mean_zero_and_variance_one() {
        let (x, ones, zeros) = (random(2 * 3 * 8, 1), random(8, 2) * 0.0 + 1.0, random(8, 2) * 0.0);
        let y = composed_layer_norm(stream(&x, (2, 3, 8)), &ones, &zeros).unwrap().as_vec();
        for token in y.chunks(8) {
            let mean = token.iter().sum::<f32>() / 8.0;
            let square = token.iter().map(|y| y * y).sum::<f32>() / 8.0;
            assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-3);
        }
        let y = composed_rms_norm(stream(&x, (2, 3, 8)), &ones).unwrap().as_vec();
        for token in y.chunks(8) {
            assert!((token.iter().map(|y| y * y).sum::<f32>() / 8.0 - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn gradients_are_differences() {
        let inputs = [random(2 * 3 * 8, 1), random(8, 2), random(8, 3)];
        assert_gradients(&inputs, &|i| composed_layer_norm(stream(&i[0], (2, 3, 8)), &i[1], &i[2]));
        assert_gradients(&inputs[..2], &|i| composed_rms_norm(stream(&i[0], (2, 3, 8)), &i[1]));
    }

    #[test]
    fn fused_is_composed() {
        for shape @ (batch, position, d) in [(1, 1, 8), (2, 7, 13), (3, 128, 64), (1, 513, 24)] {
            let inputs = [random(batch * position * d, 1) + 0.5, random(d, 2), random(d, 3)];
            assert_same(
                &inputs,
                &|i| fused_layer_norm(stream(&i[0], shape), &i[1], &i[2]),
                &|i| composed_layer_norm(stream(&i[0], shape), &i[1], &i[2]),
                1e-5,
                "layer norm",
            );
            assert_same(
                &inputs[..2],
                &|i| fused_rms_norm(stream(&i[0], shape), &i[1]),
                &|i| composed_rms_norm(stream(&i[0], shape), &i[1]),
                1e-5,
                "rms norm",
            );
        }
    }
}
