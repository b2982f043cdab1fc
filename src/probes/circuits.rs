//! The matrices of a model's circuits (Elhage et al. 2021), row vectors from the left: a token is a
//! row of W_E, and `x W` is what a map makes of it.
//!
//! The norm before a map is folded into it: its gain, and of layer norm the centring, which is
//! linear too. Its scale, a positive number at every position, and the biases are left out.
//! `HookedTransformer.process_weights_(fold_ln=True)` does the same.

use crate::model::{Parameter, Subject};
use nalgebra::{DMatrix, DVector, RealField, Schur};

/// A head's maps, the norm before its layer folded into the first three.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its layer.
    pub layer: usize,
    /// Its number in the layer.
    pub head: usize,
    /// `[d_model, d_head]`
    pub w_q: DMatrix<f64>,
    /// `[d_model, d_head]`
    pub w_k: DMatrix<f64>,
    /// `[d_model, d_head]`
    pub w_v: DMatrix<f64>,
    /// `[d_head, d_model]`
    pub w_o: DMatrix<f64>,
}

/// Every head whose maps the subject has, in order.
pub fn heads(subject: &dyn Subject) -> Vec<Head> {
    let all = subject.heads().iter();
    all.flat_map(|&(layer, n_heads)| of_layer(subject, layer, n_heads).unwrap_or_default()).collect()
}

fn of_layer(subject: &dyn Subject, layer: usize, n_heads: usize) -> Option<Vec<Head>> {
    let part = |name: &str| subject.parameter(&format!("blocks.{layer}.{name}"));
    let [w_q, w_k, w_v, w_o] = ["attn.W_Q", "attn.W_K", "attn.W_V", "attn.W_O"].map(part);
    let (w_q, w_k, w_v, w_o) = (w_q?, w_k?, w_v?, w_o?);
    let norm = Norm::of(subject, &format!("blocks.{layer}.ln1"));
    let of_head = |head| {
        let map = |stacked: &Parameter| slice(stacked, head);
        let inward = |stacked: &Parameter| Some(norm.fold(map(stacked)?));
        let (w_q, w_k, w_v) = (inward(&w_q)?, inward(&w_k)?, inward(&w_v)?);
        Some(Head { layer, head, w_q, w_k, w_v, w_o: map(&w_o)? })
    };
    (0..n_heads).map(of_head).collect()
}

/// One of the matrices stacked in a parameter `[n_heads, rows, columns]`.
fn slice(stacked: &Parameter, head: usize) -> Option<DMatrix<f64>> {
    let &[_, rows, columns] = stacked.shape.as_slice() else { return None };
    let size = rows * columns;
    let values = stacked.values.get(head * size..(head + 1) * size)?;
    Some(DMatrix::from_row_iterator(rows, columns, values.iter().map(|&x| f64::from(x))))
}

/// W_U `[d_model, d_vocab]`, or the transpose of W_E where they are tied, the final norm folded in.
pub fn unembedding(subject: &dyn Subject) -> Option<DMatrix<f32>> {
    let w_u = match subject.parameter("unembed.W_U") {
        Some(w_u) => matrix(&w_u)?,
        None => matrix(&subject.parameter("embed.W_E")?)?.transpose(),
    };
    Some(Norm::of(subject, "ln_final").fold(w_u))
}

/// For every layer with heads, `W_U E` `[d_model, d_model]`: what reads the stream after the last
/// layer, times the tokens as they come into this one. These are the rows of W_E and, for each
/// convolution below, what its tap of the current token adds to them; heads and MLPs below add
/// nothing here.
pub fn read_and_written(subject: &dyn Subject) -> Option<Vec<(usize, DMatrix<f64>)>> {
    let w_u = unembedding(subject)?;
    // [d_vocab, d_model]
    let mut tokens = matrix(&subject.parameter("embed.W_E")?)?;
    let mut product = None;
    let mut layers = Vec::new();
    for layer in 0..subject.n_layers() {
        if let Some(kernel) = subject.parameter(&format!("blocks.{layer}.conv.W")) {
            // The scale matters here: it weighs what the kernel makes against the token itself.
            let normed = Norm::of(subject, &format!("blocks.{layer}.ln1")).apply(&tokens);
            tokens += normed * current_token(&kernel)?;
            product = None;
        }
        if subject.heads().iter().any(|(l, _)| *l == layer) {
            let product = product.get_or_insert_with(|| (&w_u * &tokens).cast::<f64>());
            layers.push((layer, product.clone()));
        }
    }
    Some(layers)
}

/// The last tap of a kernel `[d_model, d_model or 1, kernel_size]` as a map `[d_model, d_model]`.
fn current_token(kernel: &Parameter) -> Option<DMatrix<f32>> {
    let &[outputs, inputs, taps] = kernel.shape.as_slice() else { return None };
    let last = |output: usize, input: usize| kernel.values[(output * inputs + input + 1) * taps - 1];
    Some(match inputs {
        1 => DMatrix::from_diagonal(&DVector::from_fn(outputs, |output, _| last(output, 0))),
        _ => DMatrix::from_fn(inputs, outputs, |input, output| last(output, input)),
    })
}

fn matrix(parameter: &Parameter) -> Option<DMatrix<f32>> {
    let &[rows, columns] = parameter.shape.as_slice() else { return None };
    Some(DMatrix::from_row_slice(rows, columns, &parameter.values))
}

/// A norm's gain `[d_model]`, and whether it centres.
enum Norm {
    Layer(Vec<f32>),
    Rms(Vec<f32>),
    None,
}

impl Norm {
    fn of(subject: &dyn Subject, name: &str) -> Self {
        let part = |part: &str| subject.parameter(&format!("{name}.{part}"));
        match (part("w"), part("b")) {
            (Some(gain), Some(_)) => Norm::Layer(gain.values),
            (Some(gain), None) => Norm::Rms(gain.values),
            (None, _) => Norm::None,
        }
    }

    /// The norm's linear part, then the map `[d_model, …]`, as one map.
    fn fold<T: RealField + Copy + From<f32>>(&self, mut map: DMatrix<T>) -> DMatrix<T> {
        let (Norm::Layer(gain) | Norm::Rms(gain)) = self else { return map };
        for mut column in map.column_iter_mut() {
            column.iter_mut().zip(gain).for_each(|(x, &gain)| *x *= T::from(gain));
            if let Norm::Layer(_) = self {
                let mean = column.mean();
                column.add_scalar_mut(-mean);
            }
        }
        map
    }

    /// The rows of x `[…, d_model]` as the model normalises them, without the bias.
    fn apply(&self, x: &DMatrix<f32>) -> DMatrix<f32> {
        let (Norm::Layer(gain) | Norm::Rms(gain)) = self else { return x.clone() };
        let mut normed = x.clone();
        for mut row in normed.row_iter_mut() {
            if let Norm::Layer(_) = self {
                let mean = row.mean();
                row.add_scalar_mut(-mean);
            }
            let scale = (row.norm_squared() / row.len() as f32 + 1e-5).sqrt().recip();
            row.iter_mut().zip(gain).for_each(|(x, gain)| *x *= gain * scale);
        }
        normed
    }
}

/// The eigenvalues `(re, im)` of a square matrix, the largest first; none where it holds what is no
/// finite number, or where the iteration does not end.
pub fn eigenvalues(matrix: DMatrix<f64>) -> Option<Vec<(f64, f64)>> {
    let n = matrix.nrows();
    if n == 0 || n != matrix.ncols() || !matrix.iter().all(|x| x.is_finite()) {
        return None;
    }
    let schur = |matrix| Schur::try_new(matrix, f64::EPSILON, 40 * n);
    let form = schur(matrix.clone()).or_else(|| {
        // A matrix that turns in a circle, such as a cyclic permutation, can keep the shifted QR
        // iteration going round: seen in other coordinates, mirrored along u, it does not.
        let u = DVector::from_fn(n, |i, _| 1.0 + (i as f64).sin()).normalize();
        let mirror = DMatrix::identity(n, n) - &u * u.transpose() * 2.0;
        schur(&mirror * matrix * &mirror)
    })?;
    let mut values: Vec<_> = form.complex_eigenvalues().iter().map(|z| (z.re, z.im)).collect();
    let size = |(re, im): &(f64, f64)| re.hypot(*im);
    values.sort_by(|a, b| size(b).total_cmp(&size(a)).then(b.0.total_cmp(&a.0)).then(b.1.total_cmp(&a.1)));
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<Vec<(f64, f64)>>, known: &[(f64, f64)]) {
        let found = found.unwrap();
        assert_eq!(found.len(), known.len());
        for (a, b) in found.iter().zip(known) {
            assert!((a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9, "{found:?} {known:?}");
        }
    }

    #[test]
    fn eigenvalues_of_known_matrices() {
        let (cos, sin) = (0.6, 0.8);
        let turn = DMatrix::from_row_slice(2, 2, &[cos, -sin, sin, cos]);
        close(eigenvalues(turn), &[(cos, sin), (cos, -sin)]);
        close(eigenvalues(DMatrix::from_row_slice(2, 2, &[2.0, 1.0, 0.0, -3.0])), &[(-3.0, 0.0), (2.0, 0.0)]);
        close(eigenvalues(DMatrix::zeros(3, 3)), &[(0.0, 0.0); 3]);
    }

    #[test]
    fn a_cycle_has_the_roots_of_unity() {
        let n = 8;
        let cycle = DMatrix::from_fn(n, n, |i, j| if (i + 1) % n == j { 1.0 } else { 0.0 });
        let mut angles: Vec<f64> = eigenvalues(cycle).unwrap().iter().map(|z| z.1.atan2(z.0)).collect();
        angles.sort_by(f64::total_cmp);
        let step = std::f64::consts::TAU / n as f64;
        assert!(angles.windows(2).all(|w| (w[1] - w[0] - step).abs() < 1e-9), "{angles:?}");
    }

    #[test]
    fn what_is_not_finite_has_none() {
        for strange in [f64::NAN, f64::INFINITY] {
            let mut matrix = DMatrix::identity(4, 4);
            matrix[(1, 2)] = strange;
            assert_eq!(eigenvalues(matrix), None);
        }
    }

    #[test]
    fn a_norm_is_folded_as_it_is_applied() {
        let x = DMatrix::from_row_slice(1, 4, &[1.0f32, 2.0, -1.0, 4.0]);
        let map = DMatrix::from_fn(4, 3, |i, j| (i * 3 + j) as f32 - 4.0);
        for norm in [Norm::Layer(vec![1.0, -2.0, 0.5, 3.0]), Norm::Rms(vec![1.0, -2.0, 0.5, 3.0]), Norm::None]
        {
            let (applied, folded) = (norm.apply(&x) * &map, &x * norm.fold(map.clone()));
            let scale = applied[0] / folded[0];
            assert!(scale > 0.0 && (applied - folded * scale).norm() < 1e-4);
        }
    }
}
