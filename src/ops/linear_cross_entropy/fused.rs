//! Loss and both gradients in one pass over chunks of tokens: the logits never exist whole.
//!
//! Within a chunk, blocks of tokens give logits, losses, `g` and `dx`; then blocks of the vocabulary add
//! `gᵀ x` to their rows of `dW_Uᵀ`, so that every sum is over the tokens in their order.

use super::super::cpu::{
    LANES, Matrix, add_transposed, copy, even_piece, exp, for_chunks, greatest, map_chunks, multiply, output,
    read, rows_product, take_gradient, transpose, vectorized, wide_products, zeros,
};
use super::super::{Flat, Result, Taped, Values};
use super::{Stream, Unembedding};
use dfdx::prelude::*;
use std::cell::Cell;

/// Logits that exist at a time, at most about: 6 M, or where that is more, a quarter of what the embedding and the
/// unembedding with their moments take.
fn most_logits(d_model: usize, d_vocab: usize) -> usize {
    (6 << 20).max(d_model * d_vocab * 3 / 2)
}

/// Tokens in a block, at most. Where products are made in AVX-512, as many as its kernels take before they repack
/// the unembedding; elsewhere so many that repacking it is little beside the products. In any case as few as leave four
/// blocks room for their logits.
fn block_of(d_model: usize, d_vocab: usize, tokens: usize) -> usize {
    let most = match (d_model * d_vocab <= 2 << 20, wide_products()) {
        (true, true) => 48,
        (true, false) => 384,
        (false, _) => 192,
    };
    even_piece(tokens, most.min(most_logits(d_model, d_vocab) / (4 * d_vocab)).max(6), 6)
}

/// Tokens in a chunk: blocks enough for all threads, an even number, in about 2 M logits where they are so many.
fn chunk_of(block: usize, d_vocab: usize) -> usize {
    let blocks = (2 << 20) / (block * d_vocab);
    block * (blocks & !1).clamp(4, 20)
}

/// Tokens whose logits exist at a time, of so many.
pub fn chunk(d_model: usize, d_vocab: usize, tokens: usize) -> usize {
    chunk_of(block_of(d_model, d_vocab, tokens), d_vocab).min(tokens)
}

/// Numbers in the matrices that a step makes beside the logits: the unembedding in both layouts, and its gradient.
pub fn chunk_matrices(d_model: usize, d_vocab: usize) -> usize {
    3 * d_model * d_vocab
}

/// Rows of the vocabulary in a block.
fn vocabulary_block(d_vocab: usize) -> usize {
    if wide_products() { 128 } else { even_piece(d_vocab, 256, LANES) }
}

/// The unembedding in both layouts, each read where its products are fast.
struct Matrices {
    /// `[d_model, d_vocab]`
    to_logits: Vec<f32>,
    /// `[d_vocab, d_model]`
    to_model: Vec<f32>,
}

impl Matrices {
    fn new(w_u: &Flat<Cpu>, layout: Unembedding, d_vocab: usize) -> Self {
        let w = copy(w_u);
        let d_model = w.len() / d_vocab;
        match layout {
            Unembedding::Untied => Self { to_model: transpose(&w, (d_model, d_vocab)), to_logits: w },
            Unembedding::Tied => Self { to_logits: transpose(&w, (d_vocab, d_model)), to_model: w },
        }
    }
}

/// What comes out of the pass over the chunks.
struct Outcome {
    losses: Vec<f32>,
    /// `[tokens, d_model]`
    d_x: Vec<f32>,
    /// `[d_vocab, d_model]`
    d_w: Vec<f32>,
}

/// The pass, with the gradients of `Σ loss * weight`.
fn pass(x: &[f32], w: &Matrices, d_vocab: usize, targets: &[usize], weight: f32) -> Outcome {
    let d_model = w.to_model.len() / d_vocab;
    let tokens = targets.len();
    let block = block_of(d_model, d_vocab, tokens);
    let chunk = chunk(d_model, d_vocab, tokens);
    let vocabulary = vocabulary_block(d_vocab);
    let stride = d_vocab.next_multiple_of(LANES) + LANES; // rows must not all meet in the same cache lines
    let mut g = SCRATCH.take();
    g.resize(chunk * stride, 0.0);
    let mut losses = Vec::with_capacity(tokens);
    let mut d_x = zeros(tokens * d_model);
    let mut d_w = zeros(d_vocab * d_model);

    let chunks = d_x.chunks_mut((chunk * d_model).max(1));
    for ((d_x, x), targets) in
        chunks.zip(x.chunks((chunk * d_model).max(1))).zip(targets.chunks(chunk.max(1)))
    {
        let blocks = d_x
            .chunks_mut(block * d_model)
            .zip(g.chunks_mut(block * stride))
            .zip(x.chunks(block * d_model).zip(targets.chunks(block)));
        let block_losses = map_chunks(blocks, |((d_x, g), (x, targets))| {
            let rows = targets.len();
            let (x, to_logits) = (Matrix::rows(x, d_model), Matrix::rows(&w.to_logits, d_vocab));
            let shape = (rows, d_model, d_vocab);
            multiply((g, stride), false, 1.0, (x, to_logits), shape);
            let losses = g.chunks_mut(stride).zip(targets).map(|(g, &target)| {
                let g = &mut g[..d_vocab];
                let target_logit = g[target];
                let log_sum = softmax(g, weight);
                g[target] -= weight;
                log_sum - target_logit
            });
            let losses: Vec<f32> = losses.collect();
            let (g, to_model) = (Matrix::rows(g, stride), Matrix::rows(&w.to_model, d_model));
            multiply((d_x, d_model), false, 1.0, (g, to_model), (rows, d_vocab, d_model));
            losses
        });
        losses.extend(block_losses.into_iter().flatten());

        for_chunks(&mut d_w, vocabulary * d_model, |i, d_w| {
            let rows = d_w.len() / d_model;
            let g = Matrix::rows(&g[i * vocabulary..], stride).transposed();
            let x = Matrix::rows(x, d_model);
            multiply((d_w, d_model), true, 1.0, (g, x), (rows, targets.len(), d_model));
        });
    }
    SCRATCH.set(g);
    Outcome { losses, d_x, d_w }
}

thread_local! {
    /// The logits of a chunk: as large as a chunk's, and kept for the next step.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

vectorized! {
    /// Turns logits into `weight * softmax` and returns the logarithm of the sum of their exponentials.
    fn softmax(logits: &mut [f32], weight: f32) -> f32 {
        let greatest = greatest(logits);
        let mut sums = [0.0; LANES];
        let (lanes, rest) = logits.as_chunks_mut::<LANES>();
        for x in lanes {
            for l in 0..LANES {
                x[l] = exp::<FMA>(x[l] - greatest);
                sums[l] += x[l];
            }
        }
        for (x, sum) in rest.iter_mut().zip(&mut sums) {
            *x = exp::<FMA>(*x - greatest);
            *sum += *x;
        }
        let sum: f32 = sums.iter().sum();
        let share = weight / sum;
        for x in logits.iter_mut() {
            *x *= share;
        }
        greatest + sum.ln()
    }
}

/// x `[batch, position, d_model]`, targets `batch * position`; the mean loss.
pub fn fused(
    x: Stream<Cpu>,
    w_u: &Flat<Cpu>,
    layout: Unembedding,
    d_vocab: usize,
    targets: &[usize],
) -> Result<Taped<(), Cpu>, Cpu> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let w = Matrices::new(w_u, layout, d_vocab);
    let weight = 1.0 / targets.len() as f32;
    let Outcome { losses, d_x, d_w } = pass(&read(&x), &w, d_vocab, targets, weight);
    let mean = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64;
    let (loss, _) = output(x.device(), vec![mean as f32], ())?;

    let (out, w_u) = (loss.clone(), w_u.clone());
    tape.add_backward_op(move |grads| {
        let scale = take_gradient(grads, &out)?[0];
        add_scaled(grads.get_or_alloc_mut(&x)?, &d_x, scale);
        let sum = grads.get_or_alloc_mut(&w_u)?;
        match layout {
            Unembedding::Untied => add_transposed(sum, scale, &d_w, (d_vocab, d_w.len() / d_vocab)),
            Unembedding::Tied => add_scaled(sum, &d_w, scale),
        }
        Ok(())
    });
    Ok(loss.put_tape(tape))
}

fn add_scaled(sum: &mut [f32], part: &[f32], scale: f32) {
    const PIECE: usize = 1 << 16;
    for_chunks(sum, PIECE, |i, sum| {
        let part = &part[i * PIECE..];
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += scale * part);
    });
}

/// x `[batch, position, d_model]`, targets and result `batch * position`.
pub fn fused_token_losses(
    x: &Values<Cpu>,
    w_u: &Flat<Cpu>,
    layout: Unembedding,
    d_vocab: usize,
    targets: &[usize],
) -> Result<Vec<f32>, Cpu> {
    let d_model = x.shape().2;
    let x = read(&x.clone().try_contiguous()?);
    let w = logit_matrix(w_u, layout, d_vocab);
    let block = block_of(d_model, d_vocab, targets.len());
    let blocks = x.chunks((block * d_model).max(1)).zip(targets.chunks(block));
    let losses = map_chunks(blocks, |(x, targets)| {
        let mut logits = vec![0.0; targets.len() * d_vocab];
        let (x, w) = (Matrix::rows(x, d_model), Matrix::rows(&w, d_vocab));
        let shape = (targets.len(), d_model, d_vocab);
        multiply((&mut logits, d_vocab), false, 1.0, (x, w), shape);
        let rows = logits.chunks_mut(d_vocab).zip(targets);
        let losses = rows.map(|(logits, &target)| {
            let target_logit = logits[target];
            softmax(logits, 1.0) - target_logit
        });
        losses.collect::<Vec<f32>>()
    });
    Ok(losses.into_iter().flatten().collect())
}

/// x `[batch, position, d_model]`, result `[batch, position, d_vocab]`.
pub fn fused_logits(
    x: &Values<Cpu>,
    w_u: &Flat<Cpu>,
    layout: Unembedding,
    d_vocab: usize,
) -> Result<Values<Cpu>, Cpu> {
    let (batch, position, d_model) = *x.shape();
    let w = logit_matrix(w_u, layout, d_vocab);
    let x_values = read(&x.clone().try_contiguous()?);
    let columns = Matrix::rows(&w, d_vocab);
    let logits = rows_product(&x_values, columns, (d_model, d_vocab));
    x.device().try_tensor_from_vec(logits, (batch, position, d_vocab))
}

/// `[d_model, d_vocab]`
fn logit_matrix(w_u: &Flat<Cpu>, layout: Unembedding, d_vocab: usize) -> Vec<f32> {
    let w = copy(w_u);
    match layout {
        Unembedding::Untied => w,
        Unembedding::Tied => transpose(&w, (d_vocab, w.len() / d_vocab)),
    }
}
