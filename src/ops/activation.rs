//! Pointwise activations of a multi-layer perceptron.
//!
//! GELU (Hendrycks and Gimpel 2016), exact: `y = x Φ(x) = x (1 + erf(x / √2)) / 2`,
//! `dy/dx = Φ(x) + x φ(x)` with `φ(x) = exp(-x² / 2) / √(2π)`. ReLU: `y = max(x, 0)`.

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
}
