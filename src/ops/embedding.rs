//! Token and position embeddings.
//!
//! `x[b, t] = W_E[token[b, t]]`; the gradient of a row of W_E is the sum over the row's occurrences.
//! Positions: `y[b, t] = x[b, t] + W_pos[t]`; the gradient of `W_pos[t]` is the sum over the batch.

use super::cpu::{copy, for_chunks, new_chunks, output, read, take_gradient};
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

/// [`composed`], rows copied and summed.
pub fn fused(
    tokens: &[usize],
    batch: usize,
    position: usize,
    w_e: &Flat<Cpu>,
    d_model: usize,
) -> Result<Stream<Cpu>, Cpu> {
    debug_assert!(tokens.iter().all(|&t| (t + 1) * d_model <= w_e.shape().0));
    let w = copy(w_e);
    let x = new_chunks(tokens.len() * d_model, PIECE * d_model, |i, x| {
        for (x, token) in x.chunks_exact_mut(d_model).zip(&tokens[i * PIECE..]) {
            x.copy_from_slice(&w[token * d_model..][..d_model]);
        }
    });
    let (x, x_values) = output(w_e.device(), x, (batch, position, d_model))?;

    let (out, w_e, tokens) = (x.clone(), w_e.clone(), tokens.to_vec());
    let mut tape = OwnedTape::default();
    tape.add_backward_op(move |grads| {
        drop(x_values);
        let d_x = take_gradient(grads, &out)?;
        let d_w = grads.get_or_alloc_mut(&w_e)?;
        // A piece of the vocabulary looks for its own tokens, so that a row's sum is in their order.
        let rows = (d_w.len() / d_model.max(1)).div_ceil(PIECES);
        for_chunks(d_w, rows * d_model, |i, d_w| {
            for (d_x, token) in d_x.chunks_exact(d_model).zip(&tokens) {
                let row = token.wrapping_sub(i * rows);
                if row < d_w.len() / d_model {
                    let d_w = &mut d_w[row * d_model..][..d_model];
                    d_w.iter_mut().zip(d_x).for_each(|(sum, d)| *sum += d);
                }
            }
        });
        Ok(())
    });
    Ok(x.put_tape(tape))
}

/// [`composed_add_positions`], in one pass.
pub fn fused_add_positions(x: Stream<Cpu>, w_pos: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let shape @ (_, position, d_model) = *x.shape();
    let sequence = position * d_model;
    let w = copy(w_pos);
    let x_values = read(&x);
    let y = new_chunks(x_values.len(), sequence, |i, y| {
        let terms = x_values[i * sequence..].iter().zip(&w);
        y.iter_mut().zip(terms).for_each(|(y, (x, w))| *y = x + w);
    });
    let (y, y_values) = output(x.device(), y, shape)?;

    let (out, x, w_pos) = (y.clone(), x.ghost(), w_pos.clone());
    tape.add_backward_op(move |grads| {
        drop(y_values);
        let d_y = take_gradient(grads, &out)?;
        for_chunks(grads.get_or_alloc_mut(&x)?, sequence, |i, d_x| {
            let d_y = &d_y[i * sequence..];
            d_x.iter_mut().zip(d_y).for_each(|(sum, d)| *sum += d);
        });
        let d_w = &mut grads.get_or_alloc_mut(&w_pos)?[..sequence];
        let rows = position.div_ceil(PIECES) * d_model;
        for_chunks(d_w, rows, |i, d_w| {
            for d_y in d_y.chunks_exact(sequence) {
                let d_y = &d_y[i * rows..];
                d_w.iter_mut().zip(d_y).for_each(|(sum, d)| *sum += d);
            }
        });
        Ok(())
    });
    Ok(y.put_tape(tape))
}

/// Tokens in a piece of work.
const PIECE: usize = 512;
/// Pieces of a table.
const PIECES: usize = 16;

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

    #[test]
    fn fused_is_composed() {
        for (batch, position, d, d_vocab) in
            [(1, 1, 8, 13), (2, 7, 16, 13), (3, 128, 64, 1001), (2, 513, 24, 30)]
        {
            let tokens: Vec<usize> = (0..batch * position).map(|i| i * i % d_vocab).collect();
            let inputs = [random(d_vocab * d, 1), random((position + 5) * d, 2)];
            assert_same(
                &inputs,
                &|i| fused_add_positions(fused(&tokens, batch, position, &i[0], d)?, &i[1]),
                &|i| composed_add_positions(composed(&tokens, batch, position, &i[0], d)?, &i[1]),
                1e-5,
                "embedding",
            );
        }
    }
}
