//! Linear maps of the stream: `y = x W + b`.
//!
//! With `dy` the gradient of the output: `dx = dy Wᵀ`, `dW = xᵀ dy`, `db = Σ dy` over all tokens.
//!
//! [`composed_heads`] takes TransformerLens's `W_Q`, `W_K`, `W_V` as they are, `[n_heads, d_model, d_head]`, and
//! computes all heads as one matrix product: `y[.., h * d_head + e] = Σ_d x[.., d] W[h, d, e]`. `W_O`
//! `[n_heads, d_head, d_model]` is already the matrix `[n_heads * d_head, d_model]` that [`composed`] wants.

use super::{Backend, Flat, Result, Stream};
use dfdx::prelude::*;

/// `y = x W + b`: x `[batch, position, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[batch, position, d_out]`.
pub fn composed<D: Backend>(
    x: Stream<D>,
    w: &Flat<D>,
    b: Option<&Flat<D>>,
    d_out: usize,
) -> Result<Stream<D>, D> {
    let (batch, position, d_in) = *x.shape();
    let w = w.clone().try_reshape_like(&(d_in, d_out))?;
    let y = x.try_reshape_like(&(batch * position, d_in))?.try_matmul(w)?;
    let y = match b {
        None => y,
        Some(b) => {
            let b = b.clone().try_broadcast_like::<_, Axis<0>>(&(batch * position, d_out))?;
            y.try_add(b)?
        }
    };
    y.try_reshape_like(&(batch, position, d_out))
}

/// x `[batch, position, d_model]`, W `[n_heads, d_model, d_head]`, y `[batch, position, n_heads * d_head]`.
pub fn composed_heads<D: Backend>(x: Stream<D>, w: &Flat<D>, n_heads: usize) -> Result<Stream<D>, D> {
    let (batch, position, d_model) = *x.shape();
    let d_head = w.shape().0 / (n_heads * d_model);
    let w = w
        .retaped::<OwnedTape<f32, D>>()
        .try_reshape_like(&(n_heads, d_model, d_head))?
        .try_permute::<(usize, usize, usize), Axes3<1, 0, 2>>()?
        .try_reshape_like(&(d_model, n_heads * d_head))?;
    x.try_reshape_like(&(batch * position, d_model))?.try_matmul(w)?.try_reshape_like(&(
        batch,
        position,
        n_heads * d_head,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn heads_are_side_by_side() {
        let (x, w) = (random(2 * 3 * 4, 1), random(2 * 4 * 5, 2)); // 2 heads of 5
        let y = composed_heads(stream(&x, (2, 3, 4)), &w, 2).unwrap().as_vec();
        let (x, w) = (x.as_vec(), w.as_vec());
        for token in 0..6 {
            for h in 0..2 {
                for e in 0..5 {
                    let expected: f32 = (0..4).map(|d| x[token * 4 + d] * w[(h * 4 + d) * 5 + e]).sum();
                    assert!((y[token * 10 + h * 5 + e] - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn gradients_are_differences() {
        let (x, w, b) = (random(2 * 3 * 4, 1), random(4 * 10, 2), random(10, 3));
        assert_gradients(&[x.clone(), w.clone(), b], &|i| {
            composed(stream(&i[0], (2, 3, 4)), &i[1], Some(&i[2]), 10)
        });
        assert_gradients(&[x, w], &|i| composed_heads(stream(&i[0], (2, 3, 4)), &i[1], 2));
    }
}
