//! The forward pass of a head: blocks of queries against all keys before them.

use super::super::cpu::{LANES, Matrix, exp, greatest, multiply, vectorized};
use super::heads::{Columns, Making, Sizes, gather, transpose};

/// Queries in a block.
pub(super) const BLOCK: usize = 48;

/// Scores of a block; rows are a little longer than they need to be, so that they are whole lanes and do not all
/// meet in the same cache lines.
pub(super) fn stride(position: usize) -> usize {
    position.next_multiple_of(LANES) + LANES
}

/// A head's bias `[n_ctx]` in the order of keys: that of query `i` starts at `position - 1 - i`. Padded with
/// zeros to whole lanes.
pub(super) fn by_key(bias: &[f32], position: usize) -> Vec<f32> {
    let mut by_key: Vec<f32> = bias[..position].iter().rev().copied().collect();
    by_key.resize(position + LANES, 0.0);
    by_key
}

/// What a thread works in.
pub(super) struct Scratch {
    scores: Vec<f32>,
    z: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    k_columns: Vec<f32>,
    v: Vec<f32>,
    shares: [f32; BLOCK],
}

impl Scratch {
    pub fn new(sizes: Sizes) -> Self {
        let rows = vec![0.0; sizes.position * sizes.d_head];
        Self {
            scores: vec![0.0; BLOCK * stride(sizes.position)],
            z: vec![0.0; BLOCK * sizes.d_head],
            q: rows.clone(),
            k: rows.clone(),
            k_columns: vec![0.0; sizes.d_head * stride(sizes.position)],
            v: rows,
            shares: [0.0; BLOCK],
        }
    }
}

/// One head of one sequence: writes z, the logarithms of the sums of exponentials `[position]` and, unless it is
/// empty, the pattern `[position, position]`. `bias` is [`by_key`] or empty.
pub(super) fn head(
    [q, k, v]: [&[f32]; 3],
    making: &Making,
    at: (usize, usize),
    bias: &[f32],
    scratch: &mut Scratch,
    (z, log_sums, pattern): (&Columns, &mut [f32], &mut [f32]),
) {
    let Sizes { position, d_head, .. } = making.sizes;
    let stride = stride(position);
    making.queries(q, at, &mut scratch.q);
    making.keys(k, at, &mut scratch.k);
    transpose(&scratch.k, d_head, &mut scratch.k_columns, stride);
    gather(v, &making.sizes, at, &mut scratch.v);
    for first in (0..position).step_by(BLOCK) {
        let rows = BLOCK.min(position - first);
        let keys = first + rows;
        let scores = &mut scratch.scores[..rows * stride];
        let operands =
            (Matrix::rows(&scratch.q[first * d_head..], d_head), Matrix::rows(&scratch.k_columns, stride));
        multiply((scores, stride), false, making.sizes.scale(), operands, (rows, d_head, keys));
        let log_sums = &mut log_sums[first..keys];
        softmax_rows(scores, stride, first, position, bias, log_sums, &mut scratch.shares);
        let operands = (Matrix::rows(scores, stride), Matrix::rows(&scratch.v, d_head));
        multiply((&mut scratch.z, d_head), false, 1.0, operands, (rows, keys, d_head));
        for (row, share) in scratch.shares[..rows].iter().enumerate() {
            // SAFETY: a head of a sequence is one task.
            let z = unsafe { z.row(at, first + row) };
            let from = &scratch.z[row * d_head..];
            z.iter_mut().zip(from).for_each(|(z, from)| *z = share * from);
            if !pattern.is_empty() {
                let to = &mut pattern[(first + row) * position..][..keys];
                let from = &scores[row * stride..];
                to.iter_mut().zip(from).for_each(|(p, from)| *p = share * from);
            }
        }
    }
}

vectorized! {
    /// Scores of queries from `first` on become exponentials, zero behind the query; `shares` are what to multiply
    /// them with for the pattern.
    fn softmax_rows(
        scores: &mut [f32],
        stride: usize,
        first: usize,
        position: usize,
        bias: &[f32],
        log_sums: &mut [f32],
        shares: &mut [f32],
    ) {
        for (row, scores) in scores.chunks_exact_mut(stride).enumerate() {
            let query = first + row;
            let lanes = (query + 1).next_multiple_of(LANES);
            scores[query + 1..].fill(0.0);
            scores[query + 1..lanes].fill(-1e30);
            let seen = &mut scores[..lanes];
            if !bias.is_empty() {
                let bias = &bias[position - 1 - query..][..lanes];
                for (score, bias) in seen.iter_mut().zip(bias) {
                    *score += bias;
                }
            }
            let greatest = greatest(seen);
            let mut sums = [0.0; LANES];
            for x in seen.as_chunks_mut::<LANES>().0 {
                for l in 0..LANES {
                    x[l] = exp::<FMA>(x[l] - greatest);
                    sums[l] += x[l];
                }
            }
            seen[query + 1..].fill(0.0);
            let sum: f32 = sums.iter().sum();
            log_sums[row] = greatest + sum.ln();
            shares[row] = 1.0 / sum;
        }
    }
}
