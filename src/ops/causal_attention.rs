//! Causal multi-head attention (Vaswani et al. 2017), without its input and output maps.
//!
//! Per head: `scores[i, j] = q_i · k_j / √d_head + bias[i - j]` for `j <= i`, `pattern = softmax_j(scores)`,
//! `z_i = Σ_j pattern[i, j] v_j`.
//!
//! - Relative bias: a learned number per head and distance `i - j`, added to the scores (Raffel et al. 2020,
//!   without buckets).
//! - Smeared keys (Olsson et al. 2022): `k_t <- σ(a) k_t + (1 - σ(a)) k_{t-1}` with a learned `a` per head;
//!   position 0 is unchanged; before the rotation.
//! - Rotary positions (Su et al. 2021), in GPT-NeoX's half-split form over the whole head: the pair
//!   `(x[e], x[e + d_head / 2])` of queries and keys at position `t` turns by `t * 10000^(-2e / d_head)`.

use super::{Backend, Flat, Result, Stream, Taped};
use dfdx::prelude::*;

/// Attention patterns, `[batch, head, query, key]`.
pub type Pattern<D> = Tensor<(usize, usize, usize, usize), f32, D>;

/// How a block attends.
#[derive(Clone, Debug)]
pub struct Attention<'a, D: Backend> {
    /// Heads; the width of q, k and v is `n_heads * d_head`.
    pub n_heads: usize,
    /// `[n_heads, n_ctx]`, by distance; the sequence may be shorter than `n_ctx`.
    pub rel_bias: Option<&'a Flat<D>>,
    /// `[n_heads]`, before the sigmoid.
    pub smear: Option<&'a Flat<D>>,
    /// Rotate queries and keys.
    pub rotary: bool,
    /// Return the pattern.
    pub keep_pattern: bool,
}

/// The base of the rotary frequencies.
pub const ROTARY_BASE: f64 = 10000.0;

/// The cosines and sines of the rotary angles, each `[position, d_head]`: the second half repeats the first.
pub(crate) fn rotary_tables(position: usize, d_head: usize) -> (Vec<f32>, Vec<f32>) {
    let half = d_head / 2;
    let angle = |t: usize, e: usize| t as f64 * ROTARY_BASE.powf(-2.0 * (e % half) as f64 / d_head as f64);
    let angles = (0..position).flat_map(|t| (0..d_head).map(move |e| angle(t, e)));
    angles.map(|a| (a.cos() as f32, a.sin() as f32)).unzip()
}

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
    x.try_mul(table(cos)?)?.try_add(turned.try_mul(table(sin)?)?)
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

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    const SHAPE: (usize, usize, usize) = (2, 5, 8);

    fn inputs() -> Vec<Flat<Cpu>> {
        let sizes = [80, 80, 80, 2 * 7, 2];
        sizes.iter().zip(1..).map(|(&n, seed)| random(n, seed)).collect()
    }

    fn attend(i: &[Flat<Cpu>], bias: bool, smear: bool, rotary: bool) -> (Stream<Cpu>, Pattern<Cpu>) {
        let options = Attention {
            n_heads: 2,
            rel_bias: bias.then_some(&i[3]),
            smear: smear.then_some(&i[4]),
            rotary,
            keep_pattern: true,
        };
        let [q, k, v] = [&i[0], &i[1], &i[2]].map(|x| stream(x, SHAPE));
        let (z, pattern) = composed(q, k, v, &options).unwrap();
        (z, pattern.unwrap())
    }

    #[test]
    fn is_the_definition() {
        let inputs = inputs();
        let [q, k, v, bias, a] = [0, 1, 2, 3, 4].map(|i| inputs[i].as_vec());
        let (z, pattern) = attend(&inputs, true, true, true);
        let (z, pattern) = (z.as_vec(), pattern.as_vec());
        let at = |x: &[f32], s: usize, t: usize, h: usize| x[(s * 5 + t) * 8 + h * 4..][..4].to_vec();
        let turn = |x: Vec<f32>, t: usize| -> Vec<f32> {
            let (a0, a1) = (t as f32, t as f32 * 0.01);
            vec![
                x[0] * a0.cos() - x[2] * a0.sin(),
                x[1] * a1.cos() - x[3] * a1.sin(),
                x[2] * a0.cos() + x[0] * a0.sin(),
                x[3] * a1.cos() + x[1] * a1.sin(),
            ]
        };
        for (s, h, i) in (0..20).map(|n| (n / 10, n / 5 % 2, n % 5)) {
            let share = 1.0 / (1.0 + (-a[h]).exp());
            let key = |t: usize| -> Vec<f32> {
                let (now, before) = (at(&k, s, t, h), at(&k, s, t.saturating_sub(1), h));
                let mixed = now.iter().zip(&before).map(|(n, b)| share * n + (1.0 - share) * b);
                turn(mixed.collect(), t)
            };
            let query = turn(at(&q, s, i, h), i);
            let score = |j: usize| {
                let dot: f32 = query.iter().zip(key(j)).map(|(q, k)| q * k).sum();
                (dot / 2.0 + bias[h * 7 + i - j]).exp()
            };
            let sum: f32 = (0..=i).map(score).sum();
            let expected: Vec<f32> = (0..5).map(|j| if j <= i { score(j) / sum } else { 0.0 }).collect();
            let row = &pattern[((s * 2 + h) * 5 + i) * 5..][..5];
            assert_close(row, &expected, 1e-5, "pattern");
            for e in 0..4 {
                let expected: f32 = (0..=i).map(|j| row[j] * at(&v, s, j, h)[e]).sum();
                assert!((z[(s * 5 + i) * 8 + h * 4 + e] - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn gradients_are_differences() {
        for n in 0..8 {
            assert_gradients(&inputs(), &|i| Ok(attend(i, n & 1 > 0, n & 2 > 0, n & 4 > 0).0));
        }
    }
}
