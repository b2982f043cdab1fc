//! Work in pieces, on all threads.

use rayon::prelude::*;
use std::mem::MaybeUninit;

/// The size, a multiple of `unit`, of pieces of at most about `most` that cut `total` into an even number of nearly
/// equal ones: on two threads, or four, none waits for the last piece of another.
pub fn even_piece(total: usize, most: usize, unit: usize) -> usize {
    let pieces = 2 * total.div_ceil(2 * most).max(1);
    total.div_ceil(pieces).next_multiple_of(unit).max(unit)
}

/// `f(i, piece)` for the pieces of `values`, `len` numbers each but for the last.
pub fn for_chunks(values: &mut [f32], len: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let len = len.max(1);
    if values.len() <= len {
        values.chunks_mut(len).enumerate().for_each(|(i, piece)| f(i, piece));
    } else {
        let pieces = values.par_chunks_mut(len).enumerate();
        pieces.for_each(|(i, piece)| f(i, piece));
    }
}

/// A new vector of `length` numbers, made piece by piece: `f(i, piece)` gets pieces of zeros.
pub fn new_chunks(length: usize, len: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::with_capacity(length);
    let spare = &mut values.spare_capacity_mut()[..length];
    spare.par_chunks_mut(len.max(1)).enumerate().for_each(|(i, piece)| {
        piece.fill(MaybeUninit::new(0.0));
        // SAFETY: all of it has just been written.
        f(i, unsafe { &mut *(piece as *mut [MaybeUninit<f32>] as *mut [f32]) });
    });
    // SAFETY: the pieces are the whole length, and all have been written.
    unsafe { values.set_len(length) };
    values
}

/// Zeros, written on all threads: a single one would keep the others waiting.
pub fn zeros(length: usize) -> Vec<f32> {
    new_chunks(length, 1 << 16, |_, _| ())
}

/// `f` of every piece, in order.
pub fn map_chunks<P: Send, R: Send>(
    pieces: impl Iterator<Item = P>,
    f: impl Fn(P) -> R + Send + Sync,
) -> Vec<R> {
    map_tasks(pieces, || (), |(), piece| f(piece))
}

/// `f` of every task, in order, with something to work in for each run of tasks on a thread.
pub fn map_tasks<P: Send, W, R: Send>(
    tasks: impl Iterator<Item = P>,
    work: impl Fn() -> W + Send + Sync,
    f: impl Fn(&mut W, P) -> R + Send + Sync,
) -> Vec<R> {
    let tasks: Vec<P> = tasks.collect();
    if tasks.len() <= 1 {
        tasks.into_iter().map(|task| f(&mut work(), task)).collect()
    } else {
        tasks.into_par_iter().map_init(work, f).collect()
    }
}

/// `sum += part` for each part in turn.
pub fn add_in_order(sum: &mut [f32], parts: &[Vec<f32>]) {
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}
