//! The backward pass of a head: the pattern again from the scores and the kept logarithms, block by block.
//!
//! `dV = Pᵀ dZ`, `dP = dZ Vᵀ`, `dS = P ∘ (dP - δ)` with `δ_i = dz_i · z_i`, `dQ = dS K / √d_head`,
//! `dK = dSᵀ Q / √d_head`, and the bias of a distance gets the sum of `dS` along its diagonal.

use super::super::cpu::{LANES, Matrix, exp, fma, multiply, sum_lanes, vectorized};
use super::forward::{BLOCK, stride};
use super::heads::{Columns, Making, Sizes, gather, transpose};

/// What a thread works in.
pub(super) struct Scratch {
    pattern: Vec<f32>,
    d_scores: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    k_columns: Vec<f32>,
    v_columns: Vec<f32>,
    z: Vec<f32>,
    d_z: Vec<f32>,
    d_q: Vec<f32>,
    d_k: Vec<f32>,
    d_v: Vec<f32>,
    deltas: Vec<f32>,
}

impl Scratch {
    pub fn new(Sizes { position, d_head, .. }: Sizes) -> Self {
        let rows = vec![0.0; position * d_head];
        Self {
            pattern: vec![0.0; BLOCK * stride(position)],
            d_scores: vec![0.0; BLOCK * stride(position)],
            q: rows.clone(),
            k: rows.clone(),
            k_columns: vec![0.0; d_head * stride(position)],
            v_columns: vec![0.0; d_head * stride(position)],
            z: rows.clone(),
            d_z: rows.clone(),
            d_q: rows.clone(),
            d_k: rows.clone(),
            d_v: rows,
            deltas: vec![0.0; position],
        }
    }
}

/// One head of one sequence: adds to the gradients of q, k and v; returns those of the bias in the order of keys
/// (empty without one) and of the smear's `a`.
pub(super) fn head(
    [q, k, v, z, d_z]: [&[f32]; 5],
    making: &Making,
    at: (usize, usize),
    (bias, log_sums): (&[f32], &[f32]),
    scratch: &mut Scratch,
    [d_q, d_k, d_v]: [&Columns; 3],
) -> (Vec<f32>, f32) {
    let sizes @ Sizes { position, d_head, .. } = making.sizes;
    let stride = stride(position);
    // d_v is made last: until then it is where the values lie.
    gather(v, &sizes, at, &mut scratch.d_v);
    transpose(&scratch.d_v, d_head, &mut scratch.v_columns, stride);
    making.queries(q, at, &mut scratch.q);
    making.keys(k, at, &mut scratch.k);
    transpose(&scratch.k, d_head, &mut scratch.k_columns, stride);
    gather(z, &sizes, at, &mut scratch.z);
    gather(d_z, &sizes, at, &mut scratch.d_z);
    row_products(&scratch.z, &scratch.d_z, d_head, &mut scratch.deltas);
    scratch.d_k.fill(0.0);
    scratch.d_v.fill(0.0);
    let mut d_bias = vec![0.0; bias.len()];

    for first in (0..position).step_by(BLOCK) {
        let rows = BLOCK.min(position - first);
        let keys = first + rows;
        let pattern = &mut scratch.pattern[..rows * stride];
        let d_scores = &mut scratch.d_scores[..rows * stride];
        let q = Matrix::rows(&scratch.q[first * d_head..], d_head);
        let d_z = Matrix::rows(&scratch.d_z[first * d_head..], d_head);

        let operands = (q, Matrix::rows(&scratch.k_columns, stride));
        multiply((pattern, stride), false, sizes.scale(), operands, (rows, d_head, keys));
        pattern_rows(pattern, stride, first, position, bias, &log_sums[first..keys]);
        let operands = (Matrix::rows(pattern, stride).transposed(), d_z);
        multiply((&mut scratch.d_v, d_head), true, 1.0, operands, (keys, rows, d_head));

        let operands = (d_z, Matrix::rows(&scratch.v_columns, stride));
        multiply((d_scores, stride), false, 1.0, operands, (rows, d_head, keys));
        let deltas = &scratch.deltas[first..keys];
        score_rows(d_scores, pattern, stride, first, position, deltas, &mut d_bias);
        let d_scores = Matrix::rows(d_scores, stride);
        let d_q = &mut scratch.d_q[first * d_head..];
        multiply(
            (d_q, d_head),
            false,
            sizes.scale(),
            (d_scores, Matrix::rows(&scratch.k, d_head)),
            (rows, keys, d_head),
        );
        let operands = (d_scores.transposed(), q);
        multiply((&mut scratch.d_k, d_head), true, sizes.scale(), operands, (keys, rows, d_head));
    }

    making.queries_backward(&mut scratch.d_q);
    let d_a = making.keys_backward(&mut scratch.d_k, k, at);
    let parts = [&scratch.d_q, &scratch.d_k, &scratch.d_v];
    for (sum, part) in [d_q, d_k, d_v].into_iter().zip(parts) {
        for (row, part) in part.chunks_exact(d_head).enumerate() {
            // SAFETY: a head of a sequence is one task.
            let sum = unsafe { sum.row(at, row) };
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    }
    (d_bias, d_a)
}

vectorized! {
    /// `products[i] = a[i] · b[i]` for rows of `length`.
    fn row_products(a: &[f32], b: &[f32], length: usize, products: &mut [f32]) {
        let rows = a.chunks_exact(length).zip(b.chunks_exact(length));
        for (product, (a, b)) in products.iter_mut().zip(rows) {
            *product = sum_lanes([a, b], |sum, [a, b]| fma::<FMA>(a, b, sum));
        }
    }
}

vectorized! {
    /// Scores of queries from `first` on become their pattern, zero behind the query.
    fn pattern_rows(
        scores: &mut [f32],
        stride: usize,
        first: usize,
        position: usize,
        bias: &[f32],
        log_sums: &[f32],
    ) {
        for ((row, scores), log_sum) in scores.chunks_exact_mut(stride).enumerate().zip(log_sums) {
            let query = first + row;
            let lanes = (query + 1).next_multiple_of(LANES);
            let seen = &mut scores[..lanes];
            if bias.is_empty() {
                for x in seen.iter_mut() {
                    *x = exp::<FMA>(*x - log_sum);
                }
            } else {
                let bias = &bias[position - 1 - query..][..lanes];
                for (x, bias) in seen.iter_mut().zip(bias) {
                    *x = exp::<FMA>(*x + (bias - log_sum));
                }
            }
            scores[query + 1..].fill(0.0);
        }
    }
}

vectorized! {
    /// `d_scores` holds dP and gets `P ∘ (dP - δ)`, which is also added to the bias of its distance.
    fn score_rows(
        d_scores: &mut [f32],
        pattern: &[f32],
        stride: usize,
        first: usize,
        position: usize,
        deltas: &[f32],
        d_bias: &mut [f32],
    ) {
        let rows = d_scores.chunks_exact_mut(stride).zip(pattern.chunks_exact(stride));
        for ((row, (d_scores, pattern)), delta) in rows.enumerate().zip(deltas) {
            let query = first + row;
            let lanes = (query + 1).next_multiple_of(LANES);
            let d_seen = &mut d_scores[..lanes];
            for (d, p) in d_seen.iter_mut().zip(&pattern[..lanes]) {
                *d = p * (*d - delta);
            }
            if !d_bias.is_empty() {
                let d_bias = &mut d_bias[position - 1 - query..][..lanes];
                for (sum, d) in d_bias.iter_mut().zip(d_seen.iter()) {
                    *sum += d;
                }
            }
            d_scores[query + 1..].fill(0.0);
        }
    }
}
