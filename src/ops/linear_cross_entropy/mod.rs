//! The unembedding and the mean next-token loss, together.
//!
//! `logits = x W_U`, `loss[t] = logsumexp(logits[t]) - logits[t, target[t]]`, and the mean over all tokens. With
//! `g = (softmax(logits) - onehot(target)) / tokens`: `dx = g W_Uᵀ`, `dW_U = xᵀ g`.

mod fused;

use super::{Backend, Flat, Result, Stream, Taped, Values};
use dfdx::prelude::*;

pub use fused::{chunk, chunk_matrices, fused, fused_logits, fused_token_losses};

/// How the unembedding is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unembedding {
    /// `W_U [d_model, d_vocab]`.
    Untied,
    /// The token embedding itself, `W_E [d_vocab, d_model]`.
    Tied,
}

/// x `[tokens, d_model]` to logits `[tokens, d_vocab]`.
fn unembed<D: Backend, T: Tape<f32, D> + Merge<NoneTape>>(
    x: Tensor<(usize, usize), f32, D, T>,
    w_u: &Flat<D>,
    layout: Unembedding,
    d_vocab: usize,
) -> Result<Tensor<(usize, usize), f32, D, T>, D> {
    let d_model = x.shape().1;
    let w: Tensor<(usize, usize), f32, D> = match layout {
        Unembedding::Untied => w_u.clone().try_reshape_like(&(d_model, d_vocab))?,
        Unembedding::Tied => {
            w_u.clone().try_reshape_like(&(d_vocab, d_model))?.try_permute::<_, Axes2<1, 0>>()?
        }
    };
    x.try_matmul(w)
}

/// `-log p(target)` of every token; x `[tokens, d_model]`, result `[tokens]`.
fn losses<D: Backend, T: Tape<f32, D> + Merge<NoneTape>>(
    x: Tensor<(usize, usize), f32, D, T>,
    w_u: &Flat<D>,
    layout: Unembedding,
    d_vocab: usize,
    targets: &[usize],
) -> Result<Tensor<(usize,), f32, D, T>, D> {
    debug_assert!(targets.iter().all(|&target| target < d_vocab));
    let targets = x.device().try_tensor_from_vec(targets.to_vec(), (x.shape().0,))?;
    unembed(x, w_u, layout, d_vocab)?.try_log_softmax::<Axis<1>>()?.try_select(targets)?.try_negate()
}

/// x `[batch, position, d_model]`, targets `batch * position`; the mean loss.
pub fn composed<D: Backend>(
    x: Stream<D>,
    w_u: &Flat<D>,
    layout: Unembedding,
    d_vocab: usize,
    targets: &[usize],
) -> Result<Taped<(), D>, D> {
    let (batch, position, d_model) = *x.shape();
    let x = x.try_reshape_like(&(batch * position, d_model))?;
    losses(x, w_u, layout, d_vocab, targets)?.try_mean::<(), Axis<0>>()
}

/// x `[batch, position, d_model]`, targets and result `batch * position`.
pub fn composed_token_losses<D: Backend>(
    x: &Values<D>,
    w_u: &Flat<D>,
    layout: Unembedding,
    d_vocab: usize,
    targets: &[usize],
) -> Result<Vec<f32>, D> {
    let (batch, position, d_model) = *x.shape();
    let x = x.clone().try_reshape_like(&(batch * position, d_model))?;
    Ok(losses(x, w_u, layout, d_vocab, targets)?.as_vec())
}

/// x `[batch, position, d_model]`, result `[batch, position, d_vocab]`.
pub fn composed_logits<D: Backend>(
    x: &Values<D>,
    w_u: &Flat<D>,
    layout: Unembedding,
    d_vocab: usize,
) -> Result<Values<D>, D> {
    let (batch, position, d_model) = *x.shape();
    let x = x.clone().try_reshape_like(&(batch * position, d_model))?;
    unembed(x, w_u, layout, d_vocab)?.try_reshape_like(&(batch, position, d_vocab))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn layouts_agree_and_the_loss_is_the_mean() {
        let (x, w) = (random(2 * 3 * 4, 1), random(4 * 5, 2));
        let tied =
            w.clone().reshape_like(&(4, 5)).permute::<(usize, usize), _>().contiguous().reshape_like(&(20,));
        let targets = [0, 4, 2, 2, 1, 3];
        let values = stream(&x, (2, 3, 4)).split_tape().0;
        for (w, layout) in [(&w, Unembedding::Untied), (&tied, Unembedding::Tied)] {
            let logits = composed_logits(&values, w, layout, 5).unwrap().as_vec();
            let losses = composed_token_losses(&values, w, layout, 5, &targets).unwrap();
            for ((logits, target), loss) in logits.chunks(5).zip(targets).zip(&losses) {
                let sum: f32 = logits.iter().map(|l| l.exp()).sum();
                assert!((sum.ln() - logits[target] - loss).abs() < 1e-5);
            }
            let loss = composed(stream(&x, (2, 3, 4)), w, layout, 5, &targets).unwrap();
            assert!((loss.as_vec()[0] - losses.iter().sum::<f32>() / 6.0).abs() < 1e-5);
        }
    }

    #[test]
    fn gradients_are_differences() {
        for layout in [Unembedding::Untied, Unembedding::Tied] {
            assert_gradients(&[random(2 * 3 * 4, 1), random(4 * 5, 2)], &|i| {
                composed(stream(&i[0], (2, 3, 4)), &i[1], layout, 5, &[0, 4, 2, 2, 1, 3])?
                    .try_reshape_like(&(1, 1, 1))
            });
        }
    }

    #[test]
    fn fused_is_composed() {
        for (batch, position, d_model, d_vocab) in
            [(1, 1, 8, 13), (2, 7, 16, 13), (3, 128, 24, 1001), (3, 513, 8, 300)]
        {
            let shape = (batch, position, d_model);
            let inputs = [random(batch * position * d_model, 1), random(d_model * d_vocab, 2)];
            let targets: Vec<usize> = (0..batch * position).map(|i| i * i % d_vocab).collect();
            for layout in [Unembedding::Untied, Unembedding::Tied] {
                let scalar = |loss: Taped<(), Cpu>| (loss * 3.0).try_reshape_like(&(1, 1, 1));
                assert_same(
                    &inputs,
                    &|i| scalar(fused(stream(&i[0], shape), &i[1], layout, d_vocab, &targets)?),
                    &|i| scalar(composed(stream(&i[0], shape), &i[1], layout, d_vocab, &targets)?),
                    2e-5,
                    "loss",
                );
                let x = stream(&inputs[0], shape).split_tape().0;
                let losses = fused_token_losses(&x, &inputs[1], layout, d_vocab, &targets).unwrap();
                let expected = composed_token_losses(&x, &inputs[1], layout, d_vocab, &targets).unwrap();
                assert_close(&losses, &expected, 1e-5, "token losses");
                let logits = fused_logits(&x, &inputs[1], layout, d_vocab).unwrap().as_vec();
                let expected = composed_logits(&x, &inputs[1], layout, d_vocab).unwrap().as_vec();
                assert_close(&logits, &expected, 1e-5, "logits");
            }
        }
    }

    #[test]
    fn great_logits_stay_finite() {
        let (x, w) = (random(8, 1) * 1e4, random(4 * 5, 2) * 1e3);
        let loss = fused(stream(&x, (1, 2, 4)), &w, Unembedding::Untied, 5, &[1, 2]).unwrap();
        assert!(loss.as_vec()[0].is_finite());
        assert!(loss.backward().get(&x).as_vec().iter().all(|d| d.is_finite()));
    }
}
