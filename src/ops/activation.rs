//! Pointwise activations of a multi-layer perceptron.
//!
//! GELU (Hendrycks and Gimpel 2016), exact: `y = x Φ(x) = x (1 + erf(x / √2)) / 2`,
//! `dy/dx = Φ(x) + x φ(x)` with `φ(x) = exp(-x² / 2) / √(2π)`. ReLU: `y = max(x, 0)`.

use super::cpu::{exp, fma, for_chunks, new_chunks, output, read, take_gradient, vectorized};
use super::{Backend, Result, Stream};
use dfdx::prelude::*;
use std::f64::consts::{PI, SQRT_2};

/// x `[batch, position, feature]`.
///
/// The derivative that dfdx 0.13 gives its `accurate_gelu` is `Φ(x) + √2 x φ(x)`. A term that is zero in the
/// forward pass and has the derivative `(1 - √2) x φ(x)` puts it right: `c(x) = (√2 - 1) φ(x)` minus its value.
pub fn composed_gelu<D: Backend>(x: Stream<D>) -> Result<Stream<D>, D> {
    let c = x
        .with_empty_tape()
        .try_square()?
        .try_mul(-0.5f32)?
        .try_exp()?
        .try_mul(((SQRT_2 - 1.0) / (2.0 * PI).sqrt()) as f32)?;
    let (value, tape) = c.split_tape();
    let detached = value.clone().try_mul(1.0f32)?; // a new id
    let zero = value.put_tape(tape).try_sub(detached)?;
    x.try_accurate_gelu()?.try_add(zero)
}

/// x `[batch, position, feature]`.
pub fn composed_relu<D: Backend>(x: Stream<D>) -> Result<Stream<D>, D> {
    x.try_relu()
}

/// [`composed_gelu`], in one pass each way.
pub fn fused_gelu(x: Stream<Cpu>) -> Result<Stream<Cpu>, Cpu> {
    fused(x, gelu, gelu_backward)
}

/// [`composed_relu`], in one pass each way.
pub fn fused_relu(x: Stream<Cpu>) -> Result<Stream<Cpu>, Cpu> {
    fused(x, relu, relu_backward)
}

/// Numbers in a piece of work.
const PIECE: usize = 1 << 14;

/// `forward(x, y)` writes y, `backward(x, dy, dx)` adds to dx.
fn fused(
    x: Stream<Cpu>,
    forward: fn(&[f32], &mut [f32]),
    backward: fn(&[f32], &[f32], &mut [f32]),
) -> Result<Stream<Cpu>, Cpu> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let x_values = read(&x);
    let y = new_chunks(x_values.len(), PIECE, |i, y| forward(&x_values[i * PIECE..], y));
    let (y, y_values) = output(x.device(), y, *x.shape())?;

    let out = y.clone();
    tape.add_backward_op(move |grads| {
        drop(y_values);
        let d_y = take_gradient(grads, &out)?;
        for_chunks(grads.get_or_alloc_mut(&x)?, PIECE, |i, d_x| {
            backward(&x_values[i * PIECE..], &d_y[i * PIECE..], d_x);
        });
        Ok(())
    });
    Ok(y.put_tape(tape))
}

/// `Φ(x)` and `exp(-x² / 2)`. With `t = 1 / (1 + 0.27 |x|)`, `Φ(-|x|) exp(x² / 2) / t` is a polynomial in t:
/// by interpolation at the Chebyshev nodes, 3e-8 relative.
#[inline(always)]
fn normal<const FMA: bool>(x: f32) -> (f32, f32) {
    let bell = exp::<FMA>(-0.5 * x * x);
    let t = 1.0 / fma::<FMA>(x.abs(), 0.27, 1.0);
    let mut p = 0.028_906_98;
    for c in [
        -0.126_257_86,
        0.169_385_95,
        -0.068_829_2,
        0.107_608_65,
        0.072_126_21,
        0.101_793_6,
        0.107_545_16,
        0.107_720_51,
    ] {
        p = fma::<FMA>(p, t, c);
    }
    let tail = p * t * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell)
}

vectorized! {
    fn gelu(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = x * normal::<FMA>(*x).0;
        }
    }
}

vectorized! {
    fn gelu_backward(x: &[f32], d_y: &[f32], d_x: &mut [f32]) {
        const SCALE: f32 = std::f32::consts::FRAC_2_SQRT_PI * 0.5 * std::f32::consts::FRAC_1_SQRT_2;
        for ((d_x, x), d_y) in d_x.iter_mut().zip(x).zip(d_y) {
            let (below, bell) = normal::<FMA>(*x);
            *d_x = fma::<FMA>(*d_y, fma::<FMA>(x * SCALE, bell, below), *d_x);
        }
    }
}

vectorized! {
    fn relu(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = if *x > 0.0 { *x } else { 0.0 };
        }
    }
}

vectorized! {
    fn relu_backward(x: &[f32], d_y: &[f32], d_x: &mut [f32]) {
        for ((d_x, x), d_y) in d_x.iter_mut().zip(x).zip(d_y) {
            *d_x += if *x > 0.0 { *d_y } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Flat, testing::*};
    use super::*;

    #[test]
    fn values_are_known() {
        let x: Flat<Cpu> = Cpu::default().tensor_from_vec(vec![-2.0, -0.5, 0.0, 1.0], (4,));
        let y = composed_gelu(stream(&x, (1, 2, 2))).unwrap().as_vec();
        assert_close(&y, &[-0.045500264, -0.15426877, 0.0, 0.8413447], 1e-6, "gelu");
        let y = composed_relu(stream(&x, (1, 2, 2))).unwrap().as_vec();
        assert_eq!(y, [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn gradients_are_differences() {
        let x = random(2 * 3 * 4, 1) * 1.5;
        assert_gradients(std::slice::from_ref(&x), &|i| composed_gelu(stream(&i[0], (2, 3, 4))));
        assert_gradients(&[x], &|i| composed_relu(stream(&i[0], (2, 3, 4))));
    }

    #[test]
    fn fused_is_composed() {
        for shape @ (batch, position, d) in [(1, 1, 8), (3, 513, 24)] {
            let x = random(batch * position * d, 1) * 3.0;
            let x = std::slice::from_ref(&x);
            let [a, b]: [Operation; 2] =
                [&|i| fused_gelu(stream(&i[0], shape)), &|i| composed_gelu(stream(&i[0], shape))];
            assert_same(x, a, b, 1e-6, "gelu");
            let [a, b]: [Operation; 2] =
                [&|i| fused_relu(stream(&i[0], shape)), &|i| composed_relu(stream(&i[0], shape))];
            assert_same(x, a, b, 1e-6, "relu");
        }
    }
}
