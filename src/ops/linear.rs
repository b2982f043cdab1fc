//! Linear maps of the stream: `y = x W + b`.
//!
//! With `dy` the gradient of the output: `dx = dy Wᵀ`, `dW = xᵀ dy`, `db = Σ dy` over all tokens.
//!
//! [`composed_heads`] takes TransformerLens's `W_Q`, `W_K`, `W_V` as they are, `[n_heads, d_model, d_head]`, and
//! computes all heads as one matrix product: `y[.., h * d_head + e] = Σ_d x[.., d] W[h, d, e]`. `W_O`
//! `[n_heads, d_head, d_model]` is already the matrix `[n_heads * d_head, d_model]` that [`composed`] wants.

use super::cpu::{
    Matrix, add_column_sums, add_inner_product, copy, output, read, rows_product, rows_product_new,
    take_gradient, transpose,
};
use super::{Backend, Flat, Result, Stream};
use dfdx::prelude::*;

/// `y = x W + b`: x `[batch, position, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[batch, position, d_out]`.
pub fn composed<D: Backend>(
    x: Stream<D>,
    w: &Flat<D>,
    b: Option<&Flat<D>>,
    d_out: usize,
) -> Result<Stream<D>, D> {
    let (batch, position, d_in) = *x.shape();
    let w = w.clone().try_reshape_like(&(d_in, d_out))?;
    let y = x.try_reshape_like(&(batch * position, d_in))?.try_matmul(w)?;
    let y = match b {
        None => y,
        Some(b) => {
            let b = b.clone().try_broadcast_like::<_, Axis<0>>(&(batch * position, d_out))?;
            y.try_add(b)?
        }
    };
    y.try_reshape_like(&(batch, position, d_out))
}

/// x `[batch, position, d_model]`, W `[n_heads, d_model, d_head]`, y `[batch, position, n_heads * d_head]`.
pub fn composed_heads<D: Backend>(x: Stream<D>, w: &Flat<D>, n_heads: usize) -> Result<Stream<D>, D> {
    let (batch, position, d_model) = *x.shape();
    let d_head = w.shape().0 / (n_heads * d_model);
    let w = w
        .retaped::<OwnedTape<f32, D>>()
        .try_reshape_like(&(n_heads, d_model, d_head))?
        .try_permute::<(usize, usize, usize), Axes3<1, 0, 2>>()?
        .try_reshape_like(&(d_model, n_heads * d_head))?;
    x.try_reshape_like(&(batch * position, d_model))?.try_matmul(w)?.try_reshape_like(&(
        batch,
        position,
        n_heads * d_head,
    ))
}

/// [`composed`] with the products of `gemm`.
pub fn fused(x: Stream<Cpu>, w: &Flat<Cpu>, b: Option<&Flat<Cpu>>, d_out: usize) -> Result<Stream<Cpu>, Cpu> {
    map(x, w, copy(w), b, d_out, |d_w, w| {
        w.iter_mut().zip(d_w).for_each(|(w, d)| *w += d);
    })
}

/// [`composed_heads`] as one product with a repacked W.
pub fn fused_heads(x: Stream<Cpu>, w: &Flat<Cpu>, n_heads: usize) -> Result<Stream<Cpu>, Cpu> {
    let d_model = x.shape().2;
    let d_head = w.shape().0 / (n_heads * d_model);
    let mut side_by_side = vec![0.0; n_heads * d_model * d_head];
    for (i, from) in copy(w).chunks_exact(d_head).enumerate() {
        let (head, row) = (i / d_model, i % d_model);
        side_by_side[(row * n_heads + head) * d_head..][..d_head].copy_from_slice(from);
    }
    map(x, w, side_by_side, None, n_heads * d_head, move |d_w, w| {
        for (i, to) in w.chunks_exact_mut(d_head).enumerate() {
            let (head, row) = (i / d_model, i % d_model);
            let from = &d_w[(row * n_heads + head) * d_head..][..d_head];
            to.iter_mut().zip(from).for_each(|(w, d)| *w += d);
        }
    })
}

/// The map by `matrix` `[d_in, d_out]`, made of the parameter `w`, whose gradient `add_gradient(d_matrix, d_w)` adds.
fn map(
    x: Stream<Cpu>,
    w: &Flat<Cpu>,
    matrix: Vec<f32>,
    b: Option<&Flat<Cpu>>,
    d_out: usize,
    add_gradient: impl Fn(&[f32], &mut [f32]) + 'static,
) -> Result<Stream<Cpu>, Cpu> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let (batch, position, d_in) = *x.shape();
    let x_values = read(&x);

    let (w, b) = (w.clone(), b.cloned());
    let b_values = b.as_ref().map(copy);
    let columns = Matrix::rows(&matrix, d_out);
    let y = rows_product_new(b_values.as_deref(), &x_values, columns, (d_in, d_out));
    let (y, y_values) = output(x.device(), y, (batch, position, d_out))?;

    let out = y.clone();
    tape.add_backward_op(move |grads| {
        drop(y_values);
        let d_y = take_gradient(grads, &out)?;
        if let Some(b) = &b {
            add_column_sums(grads.get_or_alloc_mut(b)?, &d_y);
        }
        let mut d_w = vec![0.0; d_in * d_out];
        add_inner_product(&mut d_w, &x_values, &d_y, (d_in, d_out));
        add_gradient(&d_w, grads.get_or_alloc_mut(&w)?);
        let matrix = transpose(&matrix, (d_in, d_out));
        let rows = Matrix::rows(&matrix, d_in);
        rows_product(grads.get_or_alloc_mut(&x)?, true, &d_y, rows, (d_out, d_in));
        Ok(())
    });
    Ok(y.put_tape(tape))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn heads_are_side_by_side() {
        let (x, w) = (random(2 * 3 * 4, 1), random(2 * 4 * 5, 2)); // 2 heads of 5
        let y = composed_heads(stream(&x, (2, 3, 4)), &w, 2).unwrap().as_vec();
        let (x, w) = (x.as_vec(), w.as_vec());
        for token in 0..6 {
            for h in 0..2 {
                for e in 0..5 {
                    let expected: f32 = (0..4).map(|d| x[token * 4 + d] * w[(h * 4 + d) * 5 + e]).sum();
                    assert!((y[token * 10 + h * 5 + e] - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn gradients_are_differences() {
        let (x, w, b) = (random(2 * 3 * 4, 1), random(4 * 10, 2), random(10, 3));
        assert_gradients(&[x.clone(), w.clone(), b], &|i| {
            composed(stream(&i[0], (2, 3, 4)), &i[1], Some(&i[2]), 10)
        });
        assert_gradients(&[x, w], &|i| composed_heads(stream(&i[0], (2, 3, 4)), &i[1], 2));
    }

    #[test]
    fn fused_is_composed() {
        for (batch, position, d_in, n_heads, d_head) in
            [(1, 1, 8, 1, 8), (2, 7, 13, 3, 16), (3, 513, 24, 2, 64)]
        {
            let d_out = n_heads * d_head;
            let shape = (batch, position, d_in);
            let inputs = [random(batch * position * d_in, 1), random(d_in * d_out, 2), random(d_out, 3)];
            assert_same(
                &inputs,
                &|i| fused(stream(&i[0], shape), &i[1], Some(&i[2]), d_out),
                &|i| composed(stream(&i[0], shape), &i[1], Some(&i[2]), d_out),
                1e-5,
                "linear",
            );
            assert_same(
                &inputs[..2],
                &|i| fused(stream(&i[0], shape), &i[1], None, d_out),
                &|i| composed(stream(&i[0], shape), &i[1], None, d_out),
                1e-5,
                "linear without bias",
            );
            assert_same(
                &inputs[..2],
                &|i| fused_heads(stream(&i[0], shape), &i[1], n_heads),
                &|i| composed_heads(stream(&i[0], shape), &i[1], n_heads),
                1e-5,
                "heads",
            );
        }
    }
}
