//! [`embedding`](mod@crate::ops::embedding) on the card.

use super::engine::{Grid, engine};
use super::memory::{Uploaded, address, buffer_address, gradient, output};
use crate::ops::{Flat, Result, Stream};
use dfdx::prelude::*;

/// tokens `batch * position`, W_E `[d_vocab, d_model]`.
pub fn fused(
    tokens: &[usize],
    batch: usize,
    position: usize,
    w_e: &Flat<Cuda>,
    d_model: usize,
) -> Result<Stream<Cuda>, Cuda> {
    let (x, to) = output(w_e.device(), (batch, position, d_model))?;
    let uploaded = Uploaded::new(tokens.iter().copied())?;
    let args = [uploaded.address().into(), address(w_e)?.into(), to.into(), d_model.into()];
    engine()?.launch("embed", Grid::rows(tokens.len(), d_model), &args)?;

    let (out, w_e, places) = (x.clone(), w_e.clone(), by_token(tokens));
    let mut tape = OwnedTape::default();
    tape.add_backward_op(move |grads| {
        let (d_x, d_w) = (gradient(grads, &out)?, gradient(grads, &w_e)?);
        let rows = places.words.len();
        let lists = [places.words, places.starts, places.places].map(Uploaded::new);
        let [words, starts, places] = lists;
        let (words, starts, places) = (words?, starts?, places?);
        let lists = [words.address().into(), starts.address().into(), places.address().into()];
        let args = [&lists[..], &[d_x.into(), d_w.into(), d_model.into()]].concat();
        engine()?.launch("embed_backward", Grid::rows(rows, d_model), &args)
    });
    Ok(x.put_tape(tape))
}

/// Tokens with the places where they stand, in order.
#[derive(Debug, PartialEq)]
struct ByToken {
    /// The tokens that occur.
    words: Vec<usize>,
    /// Where the places of each begin, and where those of the last end.
    starts: Vec<usize>,
    places: Vec<usize>,
}

fn by_token(tokens: &[usize]) -> ByToken {
    let mut places: Vec<usize> = (0..tokens.len()).collect();
    places.sort_by_key(|&place| tokens[place]); // stable
    let new = |&k: &usize| k == 0 || tokens[places[k]] != tokens[places[k - 1]];
    let mut starts: Vec<usize> = (0..places.len()).filter(new).collect();
    let words = starts.iter().map(|&k| tokens[places[k]]).collect();
    starts.push(places.len());
    ByToken { words, starts, places }
}

/// x `[batch, position, d_model]`, W_pos `[n_ctx, d_model]`.
pub fn fused_add_positions(x: Stream<Cuda>, w_pos: &Flat<Cuda>) -> Result<Stream<Cuda>, Cuda> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let shape @ (batch, position, d_model) = *x.shape();
    let (n, sequence) = (batch * position * d_model, position * d_model);
    let (y, to) = output(x.device(), shape)?;
    let args = [to.into(), address(&x)?.into(), address(w_pos)?.into(), n.into(), sequence.into()];
    engine()?.launch("add_positions", Grid::each(n), &args)?;

    let (out, x, w_pos) = (y.clone(), x.ghost(), w_pos.clone());
    tape.add_backward_op(move |grads| {
        let (d_y, d_w) = (gradient(grads, &out)?, gradient(grads, &w_pos)?);
        let d_x = buffer_address(grads.get_or_alloc_mut(&x)?);
        engine()?.launch("accumulate", Grid::each(n), &[d_x.into(), d_y.into(), 1f32.into(), n.into()])?;
        let args = [d_w.into(), d_y.into(), batch.into(), sequence.into()];
        engine()?.launch("add_positions_backward", Grid::each(sequence), &args)
    });
    Ok(y.put_tape(tape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_order() {
        let found = by_token(&[7, 2, 7, 0, 2, 7]);
        let expected =
            ByToken { words: vec![0, 2, 7], starts: vec![0, 1, 3, 6], places: vec![3, 1, 4, 0, 2, 5] };
        assert_eq!(found, expected);
        assert_eq!(by_token(&[]), ByToken { words: vec![], starts: vec![0], places: vec![] });
    }
}
