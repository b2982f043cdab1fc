//! Sums over rows, in two steps whose order is always the same.

use super::engine::{Grid, engine};
use super::memory::{Address, Scratch};
use dfdx::prelude::CudaError;

/// Rows summed together, of so many: at most as many parts as a grid has.
pub fn together(rows: usize) -> usize {
    rows.div_ceil(1 << 15).max(128)
}

/// Adds the columns of parts that `make(parts, n_parts)` writes, `[n_parts, columns]`, to a sum `[columns]`.
///
/// # Errors
/// If the card fails.
pub fn add_parts(
    sum: Address,
    rows: usize,
    columns: usize,
    make: impl FnOnce(Address, usize) -> Result<(), CudaError>,
) -> Result<(), CudaError> {
    let n_parts = rows.div_ceil(together(rows));
    let parts = Scratch::new(n_parts * columns, 4)?;
    make(parts.address(), n_parts)?;
    let args = [sum.into(), parts.address().into(), n_parts.into(), columns.into()];
    engine()?.launch("add_parts", Grid::each(columns), &args)
}

/// `sum [columns] += Σ x [rows, columns]`
///
/// # Errors
/// If the card fails.
pub fn add_column_sums(sum: Address, x: Address, rows: usize, columns: usize) -> Result<(), CudaError> {
    add_parts(sum, rows, columns, |parts, n_parts| {
        let args = [x.into(), parts.into(), rows.into(), columns.into(), together(rows).into()];
        engine()?.launch("column_parts", Grid::columns(columns, n_parts, 1), &args)
    })
}
