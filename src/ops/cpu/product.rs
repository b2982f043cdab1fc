//! Matrix products.

use super::parallel::{add_in_order, even_piece, for_chunks, map_chunks, new_chunks};
use super::simd::{Level, add_rows, level};

/// A matrix in memory: an entry `(row, column)` is at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows `stride` apart.
    pub fn rows(values: &'a [f32], stride: usize) -> Self {
        let (row_stride, column_stride) = (stride, 1);
        Self { values, row_stride, column_stride }
    }

    /// Rows and columns exchanged.
    pub fn transposed(self) -> Self {
        let (row_stride, column_stride) = (self.column_stride, self.row_stride);
        Self { row_stride, column_stride, ..self }
    }

    fn fits(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.values.len()
    }
}

/// `c = keep c + scale a b`, on this thread: a `[m, k]`, b `[k, n]`, c `[m, n]` with rows `stride` apart;
/// `keep` is 1 or 0.
pub fn multiply(
    (c, stride): (&mut [f32], usize),
    keep: bool,
    scale: f32,
    (a, b): (Matrix, Matrix),
    (m, k, n): (usize, usize, usize),
) {
    assert!(a.fits(m, k) && b.fits(k, n) && Matrix::rows(c, stride).fits(m, n) && n <= stride);
    // SAFETY: the three matrices lie in their slices, and the rows of c do not overlap.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            stride as isize,
            keep,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Whether products are made in 512-bit vectors, by kernels that take more rows at a time.
pub fn wide_products() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        level() == Level::Avx512
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Rows of one matrix product that make a piece: a multiple of the 6 that the kernels take at a time.
fn rows_of_piece(rows: usize) -> usize {
    even_piece(rows, 384, 6)
}

/// `c = keep c + a b`: a `[rows, k]` and c `[rows, n]` row-major, b `[k, n]`.
pub fn rows_product(c: &mut [f32], keep: bool, a: &[f32], b: Matrix, (k, n): (usize, usize)) {
    let piece = rows_of_piece(c.len() / n.max(1));
    for_chunks(c, piece * n, |i, c| {
        let rows = c.len() / n;
        let a = &a[i * piece * k..][..rows * k];
        multiply((c, n), keep, 1.0, (Matrix::rows(a, k), b), (rows, k, n));
    });
}

/// `a b`, or where there is a `row` to add to every row, `a b + row`; as [`rows_product`].
pub fn rows_product_new(row: Option<&[f32]>, a: &[f32], b: Matrix, (k, n): (usize, usize)) -> Vec<f32> {
    let rows = a.len() / k;
    let piece = rows_of_piece(rows);
    new_chunks(rows * n, piece * n, |i, c| {
        if let Some(row) = row {
            c.chunks_exact_mut(n).for_each(|c| c.copy_from_slice(row));
        }
        let rows = c.len() / n;
        let a = &a[i * piece * k..][..rows * k];
        multiply((c, n), row.is_some(), 1.0, (Matrix::rows(a, k), b), (rows, k, n));
    })
}

/// `c += aᵀ b`: a `[rows, m]`, b `[rows, n]`, c `[m, n]`, all row-major.
pub fn add_inner_product(c: &mut [f32], a: &[f32], b: &[f32], (m, n): (usize, usize)) {
    let piece = rows_of_piece(a.len() / m.max(1));
    let pieces = a.chunks((piece * m).max(1)).zip(b.chunks((piece * n).max(1)));
    let parts = map_chunks(pieces, |(a, b)| {
        let rows = a.len() / m;
        let (a, b) = (Matrix::rows(a, m).transposed(), Matrix::rows(b, n));
        let mut part = vec![0.0; m * n];
        multiply((&mut part, n), false, 1.0, (a, b), (m, rows, n));
        part
    });
    add_in_order(c, &parts);
}

/// `sum += Σ_rows a`: a `[rows, n]`, sum `[n]`.
pub fn add_column_sums(sum: &mut [f32], a: &[f32]) {
    let n = sum.len().max(1);
    let parts = map_chunks(a.chunks(rows_of_piece(a.len() / n) * n), |a| {
        let mut part = vec![0.0; n];
        add_rows(&mut part, a);
        part
    });
    add_in_order(sum, &parts);
}

/// `aᵀ`, row-major: a `[rows, columns]`.
pub fn transpose(a: &[f32], (rows, columns): (usize, usize)) -> Vec<f32> {
    new_chunks(a.len(), TILE * rows, |i, t| transpose_piece(a, (rows, columns), i, t, |t, a| *t = a))
}

/// `sum += scale aᵀ`: a `[rows, columns]`.
pub fn add_transposed(sum: &mut [f32], scale: f32, a: &[f32], (rows, columns): (usize, usize)) {
    for_chunks(sum, TILE * rows, |i, t| transpose_piece(a, (rows, columns), i, t, |t, a| *t += scale * a));
}

/// Columns of a matrix that are transposed together.
const TILE: usize = 16;

/// Puts the `i`-th `TILE` columns of `a` into the rows `t`.
fn transpose_piece(
    a: &[f32],
    (rows, columns): (usize, usize),
    i: usize,
    t: &mut [f32],
    put: impl Fn(&mut f32, f32),
) {
    for first in (0..rows).step_by(TILE) {
        for (column, t) in t.chunks_mut(rows).enumerate() {
            let tile = &mut t[first..rows.min(first + TILE)];
            for (row, t) in tile.iter_mut().enumerate() {
                put(t, a[(first + row) * columns + i * TILE + column]);
            }
        }
    }
}

/// `c = a b` on all threads, all three `[size, size]`: what the library does by itself.
pub fn square_product(c: &mut [f32], a: &[f32], b: &[f32], size: usize) {
    assert!([c.len(), a.len(), b.len()] == [size * size; 3]);
    let stride = size as isize;
    // SAFETY: all three matrices are whole.
    unsafe {
        gemm::gemm(
            size,
            size,
            size,
            c.as_mut_ptr(),
            1,
            stride,
            false,
            a.as_ptr(),
            1,
            stride,
            b.as_ptr(),
            1,
            stride,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{assert_close, random};
    use super::*;

    #[test]
    fn products_are_sums_of_products_at_any_number_of_threads() {
        for (rows, k, n) in [(1, 1, 1), (7, 5, 3), (513, 13, 17), (1100, 64, 33)] {
            let (a, b, d) =
                (random(rows * k, 1).as_vec(), random(k * n, 2).as_vec(), random(rows * n, 3).as_vec());
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let (mut y, mut w, mut s) = (vec![1.0; rows * n], vec![1.0; k * n], vec![1.0; n]);
                    rows_product(&mut y, true, &a, Matrix::rows(&b, n), (k, n));
                    add_inner_product(&mut w, &a, &d, (k, n));
                    add_column_sums(&mut s, &d);
                    (y, w, s)
                })
            };
            let t = transpose(&a, (rows, k));
            assert!((0..rows * k).all(|i| t[i % k * rows + i / k] == a[i]));
            let (y, w, s) = run(1);
            assert!(run(2) == run(1) && run(3) == run(1));
            let sum = |count: usize, f: &dyn Fn(usize) -> f32| {
                1.0 + (0..count).map(|i| f(i) as f64).sum::<f64>() as f32
            };
            let y2: Vec<f32> =
                (0..rows * n).map(|i| sum(k, &|e| a[i / n * k + e] * b[e * n + i % n])).collect();
            let w2: Vec<f32> =
                (0..k * n).map(|i| sum(rows, &|t| a[t * k + i / n] * d[t * n + i % n])).collect();
            let s2: Vec<f32> = (0..n).map(|j| sum(rows, &|t| d[t * n + j])).collect();
            assert_close(&y, &y2, 1e-5, "rows_product");
            assert_close(&w, &w2, 1e-5, "add_inner_product");
            assert_close(&s, &s2, 1e-5, "add_column_sums");
        }
    }
}
