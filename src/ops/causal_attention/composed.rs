//! Attention in plain dfdx operations.

use super::{Attention, Pattern, rotary_tables};
use crate::ops::{Backend, Flat, Result, Stream, Taped, Values};
use dfdx::prelude::*;

type Heads<D> = Taped<(usize, usize, usize, usize), D>;

/// q, k, v `[batch, position, n_heads * d_head]`; z of the same shape.
pub fn composed<D: Backend>(
    q: Stream<D>,
    k: Stream<D>,
    v: Stream<D>,
    options: &Attention<'_, D>,
) -> Result<(Stream<D>, Option<Pattern<D>>), D> {
    let shape @ (batch, position, width) = *q.shape();
    let n_heads = options.n_heads;
    let d_head = width / n_heads;
    let heads = |x: Stream<D>| x.try_reshape_like(&(batch, position, n_heads, d_head));

    let k = match options.smear {
        None => k,
        Some(a) => smear(k, a, n_heads)?,
    };
    let (mut q, mut k, v) = (heads(q)?, heads(k)?, heads(v)?);
    if options.rotary {
        (q, k) = (rotate(q)?, rotate(k)?);
    }
    let q: Heads<D> = q.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
    let k: Heads<D> = k.try_permute::<_, Axes4<0, 2, 3, 1>>()?;
    let v: Heads<D> = v.try_permute::<_, Axes4<0, 2, 1, 3>>()?;

    let mut scores = q.try_matmul(k)?.try_mul(1.0 / (d_head as f32).sqrt())?;
    if let Some(bias) = options.rel_bias {
        let bias = by_distance(bias, n_heads, position)?;
        scores =
            scores.try_add(bias.try_broadcast_like::<_, Axis<0>>(&(batch, n_heads, position, position))?)?;
    }
    let mask = scores
        .device()
        .try_upper_tri_like(&(position, position), -1e10f32, 1)?
        .try_broadcast_like::<_, Axes2<0, 1>>(&(batch, n_heads, position, position))?;
    let pattern = scores.try_add(mask)?.try_softmax::<Axis<3>>()?;
    let kept = options.keep_pattern.then(|| pattern.retaped::<NoneTape>());
    let z = pattern
        .try_matmul(v)?
        .try_permute::<(usize, usize, usize, usize), Axes4<0, 2, 1, 3>>()?
        .try_reshape_like(&shape)?;
    Ok((z, kept))
}

/// `z = pattern v` by head: pattern `[batch, head, query, key]`, v and z `[batch, position, n_heads * d_head]`.
pub fn composed_mix<D: Backend>(pattern: &Pattern<D>, v: &Values<D>) -> Result<Values<D>, D> {
    let shape @ (batch, position, width) = *v.shape();
    let n_heads = pattern.shape().1;
    let v = v.clone().try_reshape_like(&(batch, position, n_heads, width / n_heads))?;
    let v: Pattern<D> = v.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
    let z = pattern.clone().try_matmul(v)?;
    z.try_permute::<(usize, usize, usize, usize), Axes4<0, 2, 1, 3>>()?.try_reshape_like(&shape)
}

/// Keys `[batch, position, n_heads * d_head]` mixed with their predecessors; a `[n_heads]`.
fn smear<D: Backend>(k: Stream<D>, a: &Flat<D>, n_heads: usize) -> Result<Stream<D>, D> {
    let shape @ (batch, position, width) = *k.shape();
    let heads = (batch, position, n_heads, width / n_heads);
    let previous = (0..batch).flat_map(|_| (0..position).map(|t| t.saturating_sub(1)));
    let index = k.device().try_tensor_from_vec(previous.collect(), (batch, position))?;
    let previous: Stream<D> = k.with_empty_tape().try_gather(index)?;
    let difference = k.try_sub(previous.with_empty_tape())?;
    let share =
        a.retaped::<OwnedTape<f32, D>>().try_sigmoid()?.try_broadcast_like::<_, Axes3<0, 1, 3>>(&heads)?;
    let moved = difference.try_reshape_like(&heads)?.try_mul(share)?;
    previous.try_add(moved.try_reshape_like(&shape)?)
}

/// `x cos + (x R) sin`, where R takes `(first, second)` halves to `(-second, first)`;
/// x `[batch, position, n_heads, d_head]`.
fn rotate<D: Backend>(x: Heads<D>) -> Result<Heads<D>, D> {
    let shape @ (batch, position, n_heads, d_head) = *x.shape();
    let half = d_head / 2;
    let (cos, sin) = rotary_tables(position, d_head);
    let twice = |halves: Vec<f32>| halves.chunks(half.max(1)).flat_map(|h| [h, h].concat()).collect();
    let mut turn = vec![0.0; d_head * d_head];
    for e in 0..half {
        turn[(e + half) * d_head + e] = -1.0;
        turn[e * d_head + e + half] = 1.0;
    }
    let device = x.device().clone();
    let table = |values| -> Result<Pattern<D>, D> {
        device.try_tensor_from_vec(values, (position, d_head))?.try_broadcast_like::<_, Axes2<0, 2>>(&shape)
    };
    let turned = x
        .with_empty_tape()
        .try_reshape_like(&(batch * position * n_heads, d_head))?
        .try_matmul(device.try_tensor_from_vec(turn, (d_head, d_head))?)?
        .try_reshape_like(&shape)?;
    x.try_mul(table(twice(cos))?)?.try_add(turned.try_mul(table(twice(sin))?)?)
}

/// The bias `[n_heads, n_ctx]` laid out as `[n_heads, query, key]`; what the mask hides is arbitrary.
fn by_distance<D: Backend>(
    bias: &Flat<D>,
    n_heads: usize,
    position: usize,
) -> Result<Taped<(usize, usize, usize), D>, D> {
    let n_ctx = bias.shape().0 / n_heads;
    debug_assert!(position <= n_ctx);
    let distances = (0..position).flat_map(|i| (0..position).map(move |j| i.saturating_sub(j)));
    let distances: Vec<usize> = distances.collect();
    let index =
        bias.device().try_tensor_from_vec(distances.repeat(n_heads), (n_heads, position * position))?;
    let bias: Taped<(usize, usize), D> =
        bias.retaped::<OwnedTape<f32, D>>().try_reshape_like(&(n_heads, n_ctx))?.try_gather(index)?;
    bias.try_reshape_like(&(n_heads, position, position))
}
