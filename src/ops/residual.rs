//! The residual connection: `y = a + b`, and both get the gradient of the sum.

use super::cpu::{for_chunks, new_chunks, output, read, take_gradient};
use super::{Backend, Result, Stream};
use dfdx::prelude::*;

/// a, b and the sum `[batch, position, feature]`.
pub fn composed<D: Backend>(a: Stream<D>, b: Stream<D>) -> Result<Stream<D>, D> {
    a.try_add(b)
}

/// Numbers in a piece of work.
const PIECE: usize = 1 << 15;

/// [`composed`], on all threads.
pub fn fused(a: Stream<Cpu>, b: Stream<Cpu>) -> Result<Stream<Cpu>, Cpu> {
    let (a, a_tape) = a.try_contiguous()?.split_tape();
    let (b, b_tape) = b.try_contiguous()?.split_tape();
    let mut tape = a_tape.merge(b_tape);
    let (a_values, b_values) = (read(&a), read(&b));
    let y = new_chunks(a_values.len(), PIECE, |i, y| {
        let terms = a_values[i * PIECE..].iter().zip(&b_values[i * PIECE..]);
        y.iter_mut().zip(terms).for_each(|(y, (a, b))| *y = a + b);
    });
    let (y, y_values) = output(a.device(), y, *a.shape())?;

    let (out, a, b) = (y.clone(), a.ghost(), b.ghost());
    tape.add_backward_op(move |grads| {
        drop(y_values);
        let d_y = take_gradient(grads, &out)?;
        for term in [a, b] {
            for_chunks(grads.get_or_alloc_mut(&term)?, PIECE, |i, d| {
                let d_y = &d_y[i * PIECE..];
                d.iter_mut().zip(d_y).for_each(|(sum, d)| *sum += d);
            });
        }
        Ok(())
    });
    Ok(y.put_tape(tape))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn fused_is_composed() {
        for shape @ (batch, position, d) in [(1, 1, 8), (3, 513, 24)] {
            let inputs = [1, 2].map(|seed| random(batch * position * d, seed));
            let [fused, composed]: [Operation; 2] =
                [&|i| fused(stream(&i[0], shape), stream(&i[1], shape)), &|i| {
                    composed(stream(&i[0], shape), stream(&i[1], shape))
                }];
            assert_same(&inputs, fused, composed, 1e-6, "sum");
        }
    }
}
