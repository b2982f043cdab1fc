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

mod backward;
mod composed;
mod forward;
mod fused;
mod heads;

use super::{Backend, Flat};
use dfdx::prelude::Tensor;

pub use composed::{composed, composed_mix};
pub use fused::fused;

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

/// The cosines and sines of the rotary angles, each `[position, d_head / 2]`.
pub(super) fn rotary_tables(position: usize, d_head: usize) -> (Vec<f32>, Vec<f32>) {
    let frequency = |e| ROTARY_BASE.powf(-2.0 * e as f64 / d_head as f64);
    let frequencies: Vec<f64> = (0..d_head / 2).map(frequency).collect();
    let angles = (0..position).flat_map(|t| frequencies.iter().map(move |f| t as f64 * f));
    angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip()
}

#[cfg(test)]
mod tests {
    use super::super::{Result, Stream, testing::*};
    use super::*;
    use dfdx::prelude::{Cpu, WithEmptyTape};

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

    type Form = fn(
        Stream<Cpu>,
        Stream<Cpu>,
        Stream<Cpu>,
        &Attention<Cpu>,
    ) -> Result<(Stream<Cpu>, Option<Pattern<Cpu>>), Cpu>;

    #[test]
    fn fused_is_composed() {
        for (batch, position, n_heads, d_head) in
            [(2, 1, 2, 8), (2, 7, 3, 16), (2, 128, 2, 8), (1, 130, 1, 64), (1, 513, 2, 8)]
        {
            let shape @ (_, _, width) = (batch, position, n_heads * d_head);
            let n = batch * position * width;
            let sizes = [n, n, n, n_heads * (position + 3), n_heads];
            let inputs: Vec<_> = sizes.iter().zip(1..).map(|(&n, seed)| random(n, seed)).collect();
            for (bias, smear, rotary) in
                [(false, false, false), (true, false, false), (true, true, true), (false, false, true)]
            {
                let attend = |form: Form, i: &[Flat<Cpu>], keep_pattern| {
                    let options = Attention {
                        n_heads,
                        rel_bias: bias.then_some(&i[3]),
                        smear: smear.then_some(&i[4]),
                        rotary,
                        keep_pattern,
                    };
                    form(stream(&i[0], shape), stream(&i[1], shape), stream(&i[2], shape), &options)
                };
                let what = format!("{batch} {position} {n_heads} {d_head} {bias} {smear} {rotary}");
                assert_same(
                    &inputs,
                    &|i| Ok(attend(fused, i, false)?.0),
                    &|i| Ok(attend(composed, i, false)?.0),
                    2e-5,
                    &what,
                );
                let [(z, pattern), (z2, pattern2)] =
                    [fused as Form, composed].map(|form| attend(form, &inputs, true).unwrap());
                assert_close(&z.as_vec(), &z2.as_vec(), 2e-5, &what);
                assert_close(&pattern.unwrap().as_vec(), &pattern2.unwrap().as_vec(), 1e-5, &what);
            }
        }
    }

    #[test]
    fn one_tensor_may_be_all_three() {
        let options =
            Attention { n_heads: 2, rel_bias: None, smear: None, rotary: false, keep_pattern: false };
        let x = random(80, 1);
        let one = outcome(std::slice::from_ref(&x), &|i| {
            let x = stream(&i[0], SHAPE);
            Ok(fused(x.with_empty_tape(), x.with_empty_tape(), x, &options)?.0)
        });
        let three = [&x, &(x.clone() * 1.0), &(x.clone() * 1.0)].map(|x| x.clone());
        let three = outcome(&three, &|i| {
            let [q, k, v] = [0, 1, 2].map(|n| stream(&i[n], SHAPE));
            Ok(composed(q, k, v, &options)?.0)
        });
        let [q, k, v] = [0, 1, 2].map(|n| three.gradients[n].iter());
        let sum: Vec<f32> = q.zip(k).zip(v).map(|((q, k), v)| q + k + v).collect();
        assert_close(&one.values, &three.values, 1e-5, "values");
        assert_close(&one.gradients[0], &sum, 1e-5, "gradient");
    }
}
