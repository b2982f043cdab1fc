//! Matrix products by cuBLAS, of numbers as the precision in force wants them, summed in f32.
//!
//! cuBLAS gives the same bits whenever it is asked the same of the same card, as long as one stream uses its handle and
//! its atomics are off, which they are unless asked for.

use super::engine::{Grid, engine, precision};
use super::memory::{Address, Scratch, upload};
use crate::ops::Precision;
use cudarc::cublas::{result, sys};
use dfdx::prelude::CudaError;
use std::ffi::c_void;

type Result<T> = std::result::Result<T, CudaError>;

/// Bytes of a number that products take.
pub fn real_bytes() -> usize {
    if precision() == Precision::Bf16 { 2 } else { 4 }
}

/// Columns at which rows of a matrix begin, so that tensor cores take them: a multiple of 16 bytes in any precision.
pub fn stride(columns: usize) -> usize {
    columns.next_multiple_of(8)
}

/// A matrix that products take, row-major.
pub struct Matrix {
    /// Its own memory, where it is not read from where it was.
    _own: Option<Scratch>,
    address: Address,
    stride: usize,
}

impl Matrix {
    /// Of f32 `[rows, columns]`, which must stand for as long as this, unchanged.
    ///
    /// # Errors
    /// If the card has no memory left.
    pub fn of(from: Address, rows: usize, columns: usize) -> Result<Matrix> {
        let stride = stride(columns);
        if precision() != Precision::Bf16 && stride == columns {
            return Matrix::packed(from, rows, columns);
        }
        Matrix::made(rows * stride, stride, |to| {
            let args = [from.into(), to.into(), rows.into(), columns.into(), stride.into()];
            engine()?.launch("to_matrix", Grid::each(rows * stride), &args)
        })
    }

    /// Of f32 rows that follow each other without a gap, which must stand for as long as this.
    ///
    /// # Errors
    /// If the card has no memory left.
    pub fn packed(from: Address, rows: usize, columns: usize) -> Result<Matrix> {
        if precision() != Precision::Bf16 {
            return Ok(Matrix { _own: None, address: from, stride: columns });
        }
        Matrix::made(rows * columns, columns, |to| {
            let args = [from.into(), to.into(), rows.into(), columns.into(), columns.into()];
            engine()?.launch("to_matrix", Grid::each(rows * columns), &args)
        })
    }

    /// Room for what is made of f32 rows: in their place, where products take f32.
    ///
    /// # Errors
    /// If the card has no memory left.
    pub fn in_place_of(from: &Scratch, rows: usize, columns: usize) -> Result<Matrix> {
        match precision() {
            Precision::Bf16 => Matrix::made(rows * columns, columns, |_| Ok(())),
            _ => Matrix::packed(from.address(), rows, columns),
        }
    }

    /// Of so many numbers, written by `make` to its address.
    ///
    /// # Errors
    /// If the card has no memory left.
    pub fn made(numbers: usize, stride: usize, make: impl FnOnce(Address) -> Result<()>) -> Result<Matrix> {
        let own = Scratch::new(numbers, real_bytes())?;
        let address = own.address();
        make(address)?;
        Ok(Matrix { _own: Some(own), address, stride })
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// As it is, for a product.
    pub fn side(&self) -> Side {
        Side { at: self.address, stride: self.stride, transposed: false, apart: 0 }
    }
}

/// What a product takes on one side.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    at: Address,
    stride: usize,
    transposed: bool,
    apart: usize,
}

impl Side {
    /// Its rows are columns.
    pub fn transposed(self) -> Side {
        Side { transposed: true, ..self }
    }

    /// Its rows begin so many numbers from each other.
    pub fn strided(self, stride: usize) -> Side {
        Side { stride, ..self }
    }

    /// So many numbers further.
    pub fn from(self, numbers: usize) -> Side {
        Side { at: self.at.plus(numbers, real_bytes()), ..self }
    }

    /// One of several that begin so many numbers from each other.
    pub fn apart(self, numbers: usize) -> Side {
        Side { apart: numbers, ..self }
    }
}

/// Where a product in f32 goes: rows of `stride` numbers; written, or added to what is there.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub at: Address,
    pub stride: usize,
    pub add: bool,
    /// From one of several to the next.
    pub apart: usize,
}

impl Target {
    /// Written over, one matrix.
    pub fn write(at: Address, stride: usize) -> Target {
        Target { at, stride, add: false, apart: 0 }
    }

    /// Added to, one matrix.
    pub fn add(at: Address, stride: usize) -> Target {
        Target { at, stride, add: true, apart: 0 }
    }
}

/// A product of two matrices `[size, size]` in the precision in force, made and awaited by each call.
///
/// # Errors
/// If the card has no memory left.
pub fn square(size: usize) -> Result<Box<dyn FnMut() -> Result<()>>> {
    let zeros = vec![0.0; size * size];
    let ((a, a_at), (b, b_at)) = (upload(zeros.clone())?, upload(zeros)?);
    let result = Scratch::new(size * size, 4)?;
    let [left, right] = [Matrix::of(a_at, size, size)?, Matrix::of(b_at, size, size)?];
    Ok(Box::new(move || {
        let _held = (&a, &b);
        let to = Target::write(result.address(), size);
        product(to, 1.0, left.side(), right.side(), (size, size, size))?;
        Ok(engine()?.device.synchronize()?)
    }))
}

/// `to = scale * a b`, or `+=`: a `[m, k]`, b `[k, n]`.
///
/// # Errors
/// If cuBLAS refuses.
pub fn product(to: Target, scale: f32, a: Side, b: Side, shape: (usize, usize, usize)) -> Result<()> {
    products(to, scale, a, b, shape, 1)
}

/// Several of them.
///
/// # Errors
/// If cuBLAS refuses.
pub fn products(
    to: Target,
    scale: f32,
    a: Side,
    b: Side,
    (m, k, n): (usize, usize, usize),
    times: usize,
) -> Result<()> {
    if m == 0 || n == 0 || k == 0 || times == 0 {
        return Ok(());
    }
    let (kind, compute) = match precision() {
        Precision::F32 => (sys::cudaDataType::CUDA_R_32F, sys::cublasComputeType_t::CUBLAS_COMPUTE_32F),
        Precision::Tf32 => {
            (sys::cudaDataType::CUDA_R_32F, sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32)
        }
        Precision::Bf16 => (sys::cudaDataType::CUDA_R_16BF, sys::cublasComputeType_t::CUBLAS_COMPUTE_32F),
    };
    let operation = |side: Side| match side.transposed {
        true => sys::cublasOperation_t::CUBLAS_OP_T,
        false => sys::cublasOperation_t::CUBLAS_OP_N,
    };
    let pointer = |address: Address| address.0 as *const c_void;
    let beta = if to.add { 1f32 } else { 0f32 };
    // cuBLAS has columns one after another: what it sees is every matrix transposed, and (a b)ᵀ = bᵀ aᵀ.
    // SAFETY: the callers, all in this folder, give matrices of this shape.
    unsafe {
        result::gemm_strided_batched_ex(
            *engine()?.blas.handle(),
            operation(b),
            operation(a),
            n as i32,
            m as i32,
            k as i32,
            (&raw const scale).cast(),
            pointer(b.at),
            kind,
            b.stride as i32,
            b.apart as i64,
            pointer(a.at),
            kind,
            a.stride as i32,
            a.apart as i64,
            (&raw const beta).cast(),
            pointer(to.at).cast_mut(),
            sys::cudaDataType::CUDA_R_32F,
            to.stride as i32,
            to.apart as i64,
            times as i32,
            compute,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DFALT,
        )?;
    }
    Ok(())
}
