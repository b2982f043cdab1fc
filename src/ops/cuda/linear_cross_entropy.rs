//! [`linear_cross_entropy`](mod@crate::ops::linear_cross_entropy) on the card: loss and both gradients in one pass over
//! chunks of tokens, so that the logits never exist whole.

use super::engine::{Grid, engine};
use super::memory::{Address, Scratch, Uploaded, address, download, gradient, output};
use super::product::{Matrix, Target, product, stride};
use crate::ops::card::chunk;
use crate::ops::{Flat, Result, Stream, Taped, Unembedding, Values};
use dfdx::prelude::*;

/// The unembedding as products take it.
struct Matrices {
    layout: Unembedding,
    matrix: Matrix,
    d_model: usize,
    d_vocab: usize,
}

impl Matrices {
    fn new(w_u: &Flat<Cuda>, layout: Unembedding, d_vocab: usize) -> Result<Matrices, Cuda> {
        let d_model = w_u.shape().0 / d_vocab;
        let w = address(w_u)?;
        let matrix = match layout {
            Unembedding::Untied => Matrix::of(w, d_model, d_vocab)?,
            Unembedding::Tied => Matrix::of(w, d_vocab, d_model)?,
        };
        Ok(Matrices { layout, matrix, d_model, d_vocab })
    }

    /// Columns that logits have in products: `W_U` has zeros beyond d_vocab, `W_E` has no rows there.
    fn width(&self) -> usize {
        match self.layout {
            Unembedding::Untied => stride(self.d_vocab),
            Unembedding::Tied => self.d_vocab,
        }
    }

    /// x `[rows, d_model]` from a row on, to logits.
    fn logits(&self, to: Address, x: &Matrix, from: usize, rows: usize) -> Result<(), Cuda> {
        let w = match self.layout {
            Unembedding::Untied => self.matrix.side(),
            Unembedding::Tied => self.matrix.side().transposed(),
        };
        let x = x.side().from(from * stride(self.d_model));
        product(Target::write(to, stride(self.d_vocab)), 1.0, x, w, (rows, self.d_model, self.width()))
    }

    /// Rows and columns of the gradient of the unembedding.
    fn d_w_shape(&self) -> (usize, usize) {
        match self.layout {
            Unembedding::Untied => (self.d_model, stride(self.d_vocab)),
            Unembedding::Tied => (self.d_vocab, self.d_model),
        }
    }

    /// `dx = g W_Uᵀ`, written; `dW += xᵀ g`, added unless it is the first.
    fn backward(
        &self,
        [d_x, d_w]: [Address; 2],
        g: &Matrix,
        (x, from): (&Matrix, usize),
        rows: usize,
    ) -> Result<(), Cuda> {
        let (d_model, width) = (self.d_model, self.width());
        let d_w = Target { add: from > 0, ..Target::write(d_w, self.d_w_shape().1) };
        let d_x = Target::write(d_x.plus(from * d_model, 4), d_model);
        let x = x.side().from(from * stride(d_model));
        match self.layout {
            Unembedding::Untied => {
                product(d_x, 1.0, g.side(), self.matrix.side().transposed(), (rows, width, d_model))?;
                product(d_w, 1.0, x.transposed(), g.side(), (d_model, rows, width))
            }
            Unembedding::Tied => {
                product(d_x, 1.0, g.side(), self.matrix.side(), (rows, width, d_model))?;
                product(d_w, 1.0, g.side().transposed(), x, (width, rows, d_model))
            }
        }
    }
}

/// What comes out of the pass over the chunks.
struct Outcome {
    losses: Scratch,
    /// `[tokens, d_model]`
    d_x: Scratch,
    /// As [`Matrices::d_w_shape`].
    d_w: Scratch,
}

/// The pass, with the gradients of `Σ loss * weight`.
fn pass(x: Address, w: &Matrices, targets: &[usize], weight: f32) -> Result<Outcome, Cuda> {
    let tokens = targets.len();
    let stride = stride(w.d_vocab);
    let chunk = chunk(stride, tokens);
    let x = Matrix::of(x, tokens, w.d_model)?;
    let logits = Scratch::new(chunk * stride, 4)?;
    // In f32, g takes the place of the logits.
    let g = Matrix::in_place_of(&logits, chunk, stride)?;
    let (rows, columns) = w.d_w_shape();
    let outcome = Outcome {
        losses: Scratch::new(tokens, 4)?,
        d_x: Scratch::new(tokens * w.d_model, 4)?,
        d_w: Scratch::new(rows * columns, 4)?,
    };
    let targets = Uploaded::new(targets.iter().copied())?;
    for from in (0..tokens).step_by(chunk) {
        let rows = chunk.min(tokens - from);
        w.logits(logits.address(), &x, from, rows)?;
        let places = [logits.address().into(), g.address().into()];
        let of_tokens = [outcome.losses.address(), targets.address()].map(|at| at.plus(from, 4).into());
        let numbers = [weight.into(), w.d_vocab.into(), stride.into()];
        let args = [&places[..], &of_tokens, &numbers].concat();
        engine()?.launch("cross_entropy", Grid::rows(rows, w.d_vocab), &args)?;
        w.backward([outcome.d_x.address(), outcome.d_w.address()], &g, (&x, from), rows)?;
    }
    Ok(outcome)
}

/// x `[batch, position, d_model]`, targets `batch * position`; the mean loss.
pub fn fused(
    x: Stream<Cuda>,
    w_u: &Flat<Cuda>,
    layout: Unembedding,
    d_vocab: usize,
    targets: &[usize],
) -> Result<Taped<(), Cuda>, Cuda> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let w = Matrices::new(w_u, layout, d_vocab)?;
    let tokens = targets.len();
    let Outcome { losses, d_x, d_w } = pass(address(&x)?, &w, targets, 1.0 / tokens as f32)?;
    let (loss, to) = output(x.device(), ())?;
    let one = Grid { blocks: [1; 3], threads: 256 };
    engine()?.launch("mean", one, &[to.into(), losses.address().into(), tokens.into()])?;

    let (out, w_u, d_model, columns) = (loss.clone(), w_u.clone(), w.d_model, w.d_w_shape().1);
    drop(w);
    tape.add_backward_op(move |grads| {
        let scale = gradient(grads, &out)?;
        let add = |sum: Address, part: &Scratch, [rows, columns, stride]: [usize; 3]| {
            let counts = [rows.into(), columns.into(), stride.into()];
            let args = [&[sum.into(), part.address().into(), scale.into()], &counts[..]].concat();
            engine()?.launch("add_matrix", Grid::each(rows * columns), &args)
        };
        add(gradient(grads, &x)?, &d_x, [tokens, d_model, d_model])?;
        let shape = match layout {
            Unembedding::Untied => [d_model, d_vocab, columns],
            Unembedding::Tied => [d_vocab, d_model, columns],
        };
        add(gradient(grads, &w_u)?, &d_w, shape)
    });
    Ok(loss.put_tape(tape))
}

/// x `[batch, position, d_model]`, targets and result `batch * position`.
pub fn fused_token_losses(
    x: &Values<Cuda>,
    w_u: &Flat<Cuda>,
    layout: Unembedding,
    d_vocab: usize,
    targets: &[usize],
) -> Result<Vec<f32>, Cuda> {
    let x = x.clone().try_contiguous()?;
    let w = Matrices::new(w_u, layout, d_vocab)?;
    let tokens = targets.len();
    let stride = stride(d_vocab);
    let chunk = chunk(stride, tokens);
    let matrix = Matrix::of(address(&x)?, tokens, w.d_model)?;
    let (logits, losses) = (Scratch::new(chunk * stride, 4)?, Scratch::new(tokens, 4)?);
    let targets = Uploaded::new(targets.iter().copied())?;
    for from in (0..tokens).step_by(chunk) {
        let rows = chunk.min(tokens - from);
        w.logits(logits.address(), &matrix, from, rows)?;
        let of_tokens = [losses.address(), targets.address()].map(|at| at.plus(from, 4).into());
        let places = [logits.address().into(), None.into()];
        let args = [&places[..], &of_tokens, &[1f32.into(), d_vocab.into(), stride.into()]].concat();
        engine()?.launch("cross_entropy", Grid::rows(rows, d_vocab), &args)?;
    }
    download(&losses, tokens)
}
