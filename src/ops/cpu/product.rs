//! Matrix products.

use super::parallel::{add_in_order, even_piece, for_chunks, map_chunks, new_chunks};
use super::simd::{Level, add_rows, level};
use std::mem::MaybeUninit;

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
    operands: (Matrix, Matrix),
    shape: (usize, usize, usize),
) {
    // SAFETY: c is as long as the slice, and initialized.
    unsafe { multiply_at((c.as_mut_ptr(), c.len(), stride), keep, scale, operands, shape) }
}

/// `c = a b` where c is yet to be written, `[m, n]` without gaps; otherwise as [`multiply`].
fn multiply_new(c: &mut [MaybeUninit<f32>], operands: (Matrix, Matrix), shape: (usize, usize, usize)) {
    assert_eq!(c.len(), shape.0 * shape.2);
    // SAFETY: c is as long as the slice, and is not read.
    unsafe { multiply_at((c.as_mut_ptr().cast(), c.len(), shape.2), false, 1.0, operands, shape) }
}

/// # Safety
///
/// `c` must be `len` numbers that may be written to and, if they are kept, are initialized.
unsafe fn multiply_at(
    (c, len, stride): (*mut f32, usize, usize),
    keep: bool,
    scale: f32,
    (a, b): (Matrix, Matrix),
    (m, k, n): (usize, usize, usize),
) {
    let fits = m == 0 || n == 0 || (m - 1) * stride + n <= len;
    assert!(a.fits(m, k) && b.fits(k, n) && fits && n <= stride);
    // SAFETY: the three matrices lie in their slices, and the rows of c do not overlap.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
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

/// `a b` for each b: a `[rows, k]`, b `[k, n]`.
pub fn rows_products<const N: usize>(
    row: Option<&[f32]>,
    a: &[f32],
    bs: [Matrix; N],
    (k, n): (usize, usize),
) -> [Vec<f32>; N] {
    let rows = a.len() / k.max(1);
    let piece = rows_of_piece(rows);
    let mut cs: [Vec<f32>; N] = std::array::from_fn(|_| Vec::with_capacity(rows * n));
    let mut outs = cs.each_mut().map(|c| c.spare_capacity_mut()[..rows * n].chunks_mut((piece * n).max(1)));
    let pieces = a
        .chunks((piece * k).max(1))
        .map(|a| (a, outs.each_mut().map(|outs| outs.next().unwrap_or_default())));
    map_chunks(pieces, |(a, cs)| {
        let rows = a.len() / k;
        for (c, b) in cs.into_iter().zip(bs) {
            let operands = (Matrix::rows(a, k), b);
            match row {
                None => multiply_new(c, operands, (rows, k, n)),
                Some(row) => {
                    c.chunks_exact_mut(n).flat_map(|c| c.iter_mut().zip(row)).for_each(|(c, row)| {
                        c.write(*row);
                    });
                    // SAFETY: all of it has just been written.
                    let c = unsafe { &mut *(c as *mut [MaybeUninit<f32>] as *mut [f32]) };
                    multiply((c, n), true, 1.0, operands, (rows, k, n));
                }
            }
        }
    });
    for c in &mut cs {
        // SAFETY: the products have written all of it.
        unsafe { c.set_len(rows * n) };
    }
    cs
}

/// `a b`; as [`rows_products`].
pub fn rows_product(a: &[f32], b: Matrix, shape: (usize, usize)) -> Vec<f32> {
    let [c] = rows_products(None, a, [b], shape);
    c
}

/// The way back of maps of one x: `dx += Σ dy wᵀ`, and `xᵀ dy` of each, one after the other. x and dx `[rows, m]`,
/// every dy `[rows, n]`, every wᵀ `[n, m]`, every `xᵀ dy` `[m, n]`.
pub fn products_backward(
    d_x: &mut [f32],
    x: &[f32],
    maps: &[(&[f32], Matrix)],
    (m, n): (usize, usize),
) -> Vec<f32> {
    let piece = rows_of_piece(x.len() / m.max(1));
    let pieces = d_x.chunks_mut((piece * m).max(1)).zip(x.chunks((piece * m).max(1))).enumerate();
    let parts = map_chunks(pieces, |(i, (d_x, x))| {
        let rows = x.len() / m;
        let mut part = Vec::with_capacity(maps.len() * m * n);
        let unwritten = part.spare_capacity_mut()[..maps.len() * m * n].chunks_mut(m * n);
        for ((d_y, w_transposed), part) in maps.iter().zip(unwritten) {
            let d_y = Matrix::rows(&d_y[i * piece * n..], n);
            multiply((d_x, m), true, 1.0, (d_y, *w_transposed), (rows, n, m));
            multiply_new(part, (Matrix::rows(x, m).transposed(), d_y), (m, rows, n));
        }
        // SAFETY: the products have written all of it.
        unsafe { part.set_len(maps.len() * m * n) };
        part
    });
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_else(|| vec![0.0; maps.len() * m * n]);
    parts.for_each(|part| sum.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part));
    sum
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
                    let b_matrix = Matrix::rows(&b, n);
                    let [y] = rows_products(Some(&vec![1.0; n]), &a, [b_matrix], (k, n));
                    assert_eq!(
                        rows_products(None, &a, [b_matrix; 2], (k, n)),
                        [(); 2].map(|()| rows_product(&a, b_matrix, (k, n)))
                    );
                    let (mut x, mut s) = (vec![1.0; rows * k], vec![1.0; n]);
                    let maps = [(&d[..], b_matrix.transposed()); 2];
                    let w = products_backward(&mut x, &a, &maps, (k, n));
                    add_column_sums(&mut s, &d);
                    (y, w, s, x)
                })
            };
            let t = transpose(&a, (rows, k));
            assert!((0..rows * k).all(|i| t[i % k * rows + i / k] == a[i]));
            let (y, w, s, x) = run(1);
            assert!(run(2) == run(1) && run(3) == run(1));
            let sum = |count: usize, f: &dyn Fn(usize) -> f32| {
                1.0 + (0..count).map(|i| f(i) as f64).sum::<f64>() as f32
            };
            let y2: Vec<f32> =
                (0..rows * n).map(|i| sum(k, &|e| a[i / n * k + e] * b[e * n + i % n])).collect();
            let w2: Vec<f32> = (0..2 * k * n)
                .map(|i| sum(rows, &|t| a[t * k + i % (k * n) / n] * d[t * n + i % n]) - 1.0)
                .collect();
            let x2: Vec<f32> =
                (0..rows * k).map(|i| sum(n, &|j| 2.0 * d[i / k * n + j] * b[i % k * n + j])).collect();
            let s2: Vec<f32> = (0..n).map(|j| sum(rows, &|t| d[t * n + j])).collect();
            assert_close(&y, &y2, 1e-5, "rows_products");
            assert_close(&w, &w2, 1e-5, "xᵀ dy");
            assert_close(&x, &x2, 1e-5, "dx");
            assert_close(&s, &s2, 1e-5, "add_column_sums");
        }
    }
}
