//! Token and position embeddings.
//!
//! `x[b, t] = W_E[token[b, t]]`; the gradient of a row of W_E is the sum over the row's occurrences.
//! Positions: `y[b, t] = x[b, t] + W_pos[t]`; the gradient of `W_pos[t]` is the sum over the batch.

use super::{Backend, Flat, Result, Stream, Taped};
use dfdx::prelude::*;

/// tokens `batch * position`, W_E `[d_vocab, d_model]`, result `[batch, position, d_model]`.
pub fn composed<D: Backend>(
    tokens: &[usize],
    batch: usize,
    position: usize,
    w_e: &Flat<D>,
    d_model: usize,
) -> Result<Stream<D>, D> {
    let d_vocab = w_e.shape().0 / d_model;
    debug_assert!(tokens.iter().all(|&token| token < d_vocab));
    let index = w_e.device().try_tensor_from_vec(tokens.to_vec(), (batch, position))?;
    w_e.retaped::<OwnedTape<f32, D>>().try_reshape_like(&(d_vocab, d_model))?.try_gather(index)
}

/// x `[batch, position, d_model]`, W_pos `[n_ctx, d_model]` with `position <= n_ctx`.
pub fn composed_add_positions<D: Backend>(x: Stream<D>, w_pos: &Flat<D>) -> Result<Stream<D>, D> {
    let shape @ (_, position, d_model) = *x.shape();
    let n_ctx = w_pos.shape().0 / d_model;
    debug_assert!(position <= n_ctx);
    // Not a slice: its backward pass in dfdx 0.13 writes where it should add, and W_pos may be used twice.
    let first = w_pos.device().try_tensor_from_vec((0..position).collect(), (position,))?;
    let w_pos: Taped<(usize, usize), D> =
        w_pos.retaped::<OwnedTape<f32, D>>().try_reshape_like(&(n_ctx, d_model))?.try_gather(first)?;
    let w_pos = w_pos.try_broadcast_like::<_, Axis<0>>(&shape)?;
    x.try_add(w_pos)
}

#[cfg(test)]
mod tests {
    use super::super::{activation::composed_relu, testing::*};
    use super::*;

    #[test]
    fn rows_are_found() {
        let (w, p) = (random(5 * 4, 1), random(7 * 4, 2));
        let x = composed(&[4, 0, 0, 3, 1, 4], 2, 3, &w, 4).unwrap();
        let (x, w, y) = (x.as_vec(), w.as_vec(), composed_add_positions(x, &p).unwrap().as_vec());
        assert_eq!(x[..4], w[16..]);
        assert_eq!(x[12..16], w[12..16]);
        assert_eq!(y[20], w[16] + p.as_vec()[8]);
    }

    #[test]
    fn gradients_are_differences() {
        assert_gradients(&[random(5 * 4, 1), random(7 * 4, 2)], &|i| {
            let x = composed(&[4, 0, 0, 3, 1, 4], 2, 3, &i[0], 4)?;
            let x = composed_add_positions(x, &i[1])?;
            composed_add_positions(composed_relu(x)?, &i[1])
        });
    }
}
