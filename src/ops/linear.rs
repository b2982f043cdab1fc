//! Linear maps of the stream: `y = x W + b`.
//!
//! With `dy` the gradient of the output: `dx = dy Wᵀ`, `dW = xᵀ dy`, `db = Σ dy` over all tokens.
//!
//! [`composed_heads`] takes TransformerLens's `W_Q`, `W_K`, `W_V` as they are, `[n_heads, d_model, d_head]`, and
//! computes all heads as one matrix product: `y[.., h * d_head + e] = Σ_d x[.., d] W[h, d, e]`; several such maps of
//! the same x go over it together, there and back. `W_O` `[n_heads, d_head, d_model]` is already the matrix
//! `[n_heads * d_head, d_model]` that [`composed`] wants.

use super::cpu::{
    Matrix, add_column_sums, copy, output, products_backward, read, rows_products, take_gradient, transpose,
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

/// x `[batch, position, d_model]`, each W `[n_heads, d_model, d_head]`, each y `[batch, position, n_heads * d_head]`.
/// The record of x goes on with the first y, which must be used.
pub fn composed_heads<D: Backend, const N: usize>(
    x: Stream<D>,
    ws: [&Flat<D>; N],
    n_heads: usize,
) -> Result<[Stream<D>; N], D> {
    let (x, tape) = x.split_tape();
    let shape @ (_, _, d_model) = *x.shape();
    let mut tape = Some(tape);
    let of = |w: &Flat<D>| {
        let x = x.clone().put_tape(tape.take().unwrap_or_default());
        let d_head = w.shape().0 / (n_heads * d_model);
        composed_head_map(x, w, shape, (n_heads, d_head))
    };
    let ys: Vec<Stream<D>> = ws.into_iter().map(of).collect::<Result<_, D>>()?;
    let ys: std::result::Result<[_; N], _> = ys.try_into();
    Ok(ys.unwrap_or_else(|_| unreachable!("one y for every W")))
}

fn composed_head_map<D: Backend>(
    x: Stream<D>,
    w: &Flat<D>,
    (batch, position, d_model): (usize, usize, usize),
    (n_heads, d_head): (usize, usize),
) -> Result<Stream<D>, D> {
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
    let [y] = maps(x, [w], [copy(w)], b, d_out, |d_w, w| {
        w.iter_mut().zip(d_w).for_each(|(w, d)| *w += d);
    })?;
    Ok(y)
}

/// [`composed_heads`], each as one product with a repacked W.
pub fn fused_heads<const N: usize>(
    x: Stream<Cpu>,
    ws: [&Flat<Cpu>; N],
    n_heads: usize,
) -> Result<[Stream<Cpu>; N], Cpu> {
    let d_model = x.shape().2;
    let d_head = ws.first().map_or(0, |w| w.shape().0 / (n_heads * d_model));
    let matrices = ws.map(|w| {
        let mut side_by_side = vec![0.0; n_heads * d_model * d_head];
        for (i, from) in copy(w).chunks_exact(d_head).enumerate() {
            let (head, row) = (i / d_model, i % d_model);
            side_by_side[(row * n_heads + head) * d_head..][..d_head].copy_from_slice(from);
        }
        side_by_side
    });
    maps(x, ws, matrices, None, n_heads * d_head, move |d_w, w| {
        for (i, to) in w.chunks_exact_mut(d_head).enumerate() {
            let (head, row) = (i / d_model, i % d_model);
            let from = &d_w[(row * n_heads + head) * d_head..][..d_head];
            to.iter_mut().zip(from).for_each(|(w, d)| *w += d);
        }
    })
}

/// The maps of one x by `matrices` `[d_in, d_out]`, made of the parameters `ws`, whose gradients
/// `add_gradient(d_matrix, d_w)` adds. A bias is added to all.
fn maps<const N: usize>(
    x: Stream<Cpu>,
    ws: [&Flat<Cpu>; N],
    matrices: [Vec<f32>; N],
    b: Option<&Flat<Cpu>>,
    d_out: usize,
    add_gradient: impl Fn(&[f32], &mut [f32]) + 'static,
) -> Result<[Stream<Cpu>; N], Cpu> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let (batch, position, d_in) = *x.shape();
    let x_values = read(&x);

    let (ws, b) = (ws.map(Flat::clone), b.cloned());
    let b_values = b.as_ref().map(copy);
    let columns = matrices.each_ref().map(|matrix| Matrix::rows(matrix, d_out));
    let mut outputs = Vec::with_capacity(N);
    for y in rows_products(b_values.as_deref(), &x_values, columns, (d_in, d_out)) {
        outputs.push(output(x.device(), y, (batch, position, d_out))?);
    }

    let outs: Vec<_> = outputs.iter().map(|(y, _)| y.clone()).collect();
    let (ys, y_values): (Vec<_>, Vec<_>) = outputs.into_iter().unzip();
    tape.add_backward_op(move |grads| {
        drop(y_values);
        let d_ys: Vec<Vec<f32>> =
            outs.iter().map(|out| take_gradient(grads, out)).collect::<Result<_, Cpu>>()?;
        if let Some(b) = &b {
            for d_y in &d_ys {
                add_column_sums(grads.get_or_alloc_mut(b)?, d_y);
            }
        }
        let transposed: Vec<Vec<f32>> = matrices.iter().map(|m| transpose(m, (d_in, d_out))).collect();
        let maps: Vec<_> =
            d_ys.iter().zip(&transposed).map(|(d_y, t)| (&d_y[..], Matrix::rows(t, d_in))).collect();
        let d_x = grads.get_or_alloc_mut(&x)?;
        let d_ws = products_backward(d_x, &x_values, &maps, (d_in, d_out));
        for (d_w, w) in d_ws.chunks(d_in * d_out).zip(&ws) {
            add_gradient(d_w, grads.get_or_alloc_mut(w)?);
        }
        Ok(())
    });
    let mut tape = Some(tape);
    let mut ys = ys.into_iter();
    Ok(std::array::from_fn(|_| match ys.next() {
        Some(y) => y.put_tape(tape.take().unwrap_or_default()),
        None => unreachable!("one y for every W"),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn heads_are_side_by_side() {
        let (x, w) = (random(2 * 3 * 4, 1), random(2 * 4 * 5, 2)); // 2 heads of 5
        let [y] = composed_heads(stream(&x, (2, 3, 4)), [&w], 2).unwrap();
        let y = y.as_vec();
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
        assert_gradients(&[x.clone(), w], &|i| {
            let [y] = composed_heads(stream(&i[0], (2, 3, 4)), [&i[1]], 2)?;
            Ok(y)
        });
        let ws = [4, 5, 6].map(|seed| random(4 * 10, seed));
        assert_gradients(&[&[x], &ws[..]].concat(), &|i| {
            let [a, b, c] = composed_heads(stream(&i[0], (2, 3, 4)), [&i[1], &i[2], &i[3]], 2)?;
            a.try_add(b)?.try_mul(c)
        });
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
                &|i| fused_heads(stream(&i[0], shape), [&i[1]], n_heads).map(|[y]| y),
                &|i| composed_heads(stream(&i[0], shape), [&i[1]], n_heads).map(|[y]| y),
                1e-5,
                "heads",
            );
            let [x, w, _] = inputs;
            let inputs = [x, w, random(d_in * d_out, 4), random(d_in * d_out, 5)];
            let ws = |i: &[Flat<Cpu>]| [1, 2, 3].map(|n| i[n].clone());
            let joined = |[a, b, c]: [Stream<Cpu>; 3]| a.try_add(b)?.try_mul(c);
            assert_same(
                &inputs,
                &|i| joined(fused_heads(stream(&i[0], shape), ws(i).each_ref(), n_heads)?),
                &|i| joined(composed_heads(stream(&i[0], shape), ws(i).each_ref(), n_heads)?),
                1e-5,
                "three at once",
            );
        }
    }
}
