//! Work in pieces, on all threads.

use rayon::prelude::*;

/// How many rows of `width` numbers make a piece: about 64 KiB of them, and at least 16 rows.
pub fn chunk_of(width: usize) -> usize {
    (16 * 1024 / width.max(1)).max(16)
}

/// `f(i, piece)` for the pieces of `values`, `len` numbers each but for the last.
pub fn for_chunks(values: &mut [f32], len: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let len = len.max(1);
    if values.len() <= len {
        values
            .chunks_mut(len)
            .enumerate()
            .for_each(|(i, piece)| f(i, piece));
    } else {
        let pieces = values.par_chunks_mut(len).enumerate();
        pieces.for_each(|(i, piece)| f(i, piece));
    }
}

/// `f` of every piece, in order.
pub fn map_chunks<P: Send, R: Send>(
    pieces: impl Iterator<Item = P>,
    f: impl Fn(P) -> R + Send + Sync,
) -> Vec<R> {
    let pieces: Vec<P> = pieces.collect();
    if pieces.len() <= 1 {
        pieces.into_iter().map(f).collect()
    } else {
        pieces.into_par_iter().map(f).collect()
    }
}

/// `sum += part` for each part in turn.
pub fn add_in_order(sum: &mut [f32], parts: &[Vec<f32>]) {
    for part in parts {
        sum.iter_mut()
            .zip(part)
            .for_each(|(sum, part)| *sum += part);
    }
}
