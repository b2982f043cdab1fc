//! Normalisation of every token's features.
//!
//! Layer norm (Ba et al. 2016): `y = (x - mean x) / sqrt(var x + eps) * gain + bias`, the variance without
//! Bessel's correction. Root-mean-square norm (Zhang and Sennrich 2019): `y = x / sqrt(mean x² + eps) * gain`.
//! `eps` is [`EPS`] in both.

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
}
