//! What the fused forms on the processor are made of.
//!
//! Laws of the fused forms: work is cut into pieces by shape alone, never by the number of threads; a sum over
//! pieces is taken in the order of the pieces; so the same inputs give the same bits on any number of threads.
//! Vector instructions are chosen at run time.

mod buffer;
mod parallel;
mod product;
mod simd;

pub(super) use buffer::{copy, output, put_gradient, read, take_gradient};
pub(super) use parallel::{add_in_order, even_piece, for_chunks, map_chunks, map_tasks, new_chunks, zeros};
pub(super) use product::{
    Matrix, add_column_sums, add_transposed, multiply, products_backward, rows_product, rows_products,
    square_product, transpose, wide_products,
};
pub(super) use simd::{LANES, Level, dot, exp, fma, greatest, level, sum_lanes, vectorized};
