//! The card: its kernels, its matrix products, and how precise they are.

use super::kernels;
use super::memory::{Address, Pool};
use crate::ops::Precision;
use cudarc::cublas::CudaBlas;
use cudarc::driver::{CudaDevice, DriverError, result, sys};
use dfdx::prelude::CudaError;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::sync::{Arc, OnceLock};

thread_local! {
    static PRECISION: Cell<Precision> = const { Cell::new(Precision::F32) };
}

/// How products are made on this thread now.
pub fn precision() -> Precision {
    PRECISION.get()
}

/// Does something with products of this precision.
pub fn with_precision<T>(precision: Precision, work: impl FnOnce() -> T) -> T {
    struct Restore(Precision);
    impl Drop for Restore {
        fn drop(&mut self) {
            PRECISION.set(self.0);
        }
    }
    let _restore = Restore(PRECISION.replace(precision));
    work()
}

/// What the operations share of a card.
pub struct Engine {
    /// The stream of dfdx's device, too: what is asked for is done in that order.
    pub device: Arc<CudaDevice>,
    pub blas: CudaBlas,
    pub pool: Pool,
    functions: [Functions; 2],
}

type Functions = BTreeMap<&'static str, sys::CUfunction>;

// SAFETY: a function's handle may be used from any thread; it stands as long as its module, which is never unloaded.
unsafe impl Send for Engine {}
unsafe impl Sync for Engine {}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Opens the card's engine, once.
///
/// # Errors
/// In words, if the card refuses, or kernels cannot be made for it.
pub fn open() -> Result<&'static Engine, String> {
    match ENGINE.get() {
        Some(engine) => {
            engine.device.bind_to_thread().map_err(|error| format!("{error:?}"))?;
            Ok(engine)
        }
        None => {
            let engine = Engine::new()?;
            Ok(ENGINE.get_or_init(|| engine))
        }
    }
}

/// The engine of the card that was opened.
///
/// # Errors
/// If none was.
pub fn engine() -> Result<&'static Engine, CudaError> {
    ENGINE.get().ok_or(CudaError::Driver(DriverError(sys::CUresult::CUDA_ERROR_NOT_INITIALIZED)))
}

impl Engine {
    fn new() -> Result<Engine, String> {
        let device = CudaDevice::new(0).map_err(|error| format!("{error:?}"))?;
        let blas = CudaBlas::new(device.clone()).map_err(|error| format!("{error:?}"))?;
        let functions = [load(&device, Precision::F32)?, load(&device, Precision::Bf16)?];
        Ok(Engine { pool: Pool::new(device.clone()), device, blas, functions })
    }

    /// Runs a kernel.
    ///
    /// # Errors
    /// If there is no such kernel, or the card refuses.
    pub fn launch(&self, name: &str, grid: Grid, args: &[Arg]) -> Result<(), CudaError> {
        if grid.blocks.contains(&0) {
            return Ok(());
        }
        let functions = &self.functions[usize::from(precision() == Precision::Bf16)];
        let missing = || CudaError::Driver(DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND));
        let function = functions.get(name).copied().ok_or_else(missing)?;
        let mut args: Vec<*mut c_void> =
            args.iter().map(|arg| (&raw const arg.0).cast_mut().cast()).collect();
        let [x, y, z] = grid.blocks;
        // SAFETY: the callers, all in this folder, give a kernel the parameters it declares, and memory that stands
        // until what was asked for before has been done.
        unsafe {
            let stream = *self.device.cu_stream();
            result::launch_kernel(function, (x, y, z), (grid.threads, 1, 1), 0, stream, &mut args)?;
        }
        Ok(())
    }
}

fn load(device: &CudaDevice, precision: Precision) -> Result<Functions, String> {
    let image = kernels::compiled(device, precision)?;
    let failed = |error: DriverError| format!("its kernels cannot be loaded: {error:?}");
    // SAFETY: the image ends with a zero, as the driver wants it, and the module is never unloaded.
    let module = unsafe { result::module::load_data(image.as_ptr().cast()) }.map_err(failed)?;
    let function = |name: &'static str| {
        let word = CString::new(name).map_err(|error| error.to_string())?;
        // SAFETY: as above.
        let function = unsafe { result::module::get_function(module, word) }.map_err(failed)?;
        Ok((name, function))
    };
    kernels::names().map(function).collect()
}

/// How many blocks of how many threads.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub blocks: [u32; 3],
    pub threads: u32,
}

impl Grid {
    /// Threads that `n` numbers are dealt to.
    pub fn each(n: usize) -> Grid {
        Grid { blocks: [n.div_ceil(256).min(4096) as u32, 1, 1], threads: 256 }
    }

    /// A block for each of `rows` of so many numbers.
    pub fn rows(rows: usize, width: usize) -> Grid {
        let threads = width.div_ceil(4).next_multiple_of(32).clamp(32, 1024);
        Grid { blocks: [rows as u32, 1, 1], threads: threads as u32 }
    }

    /// A thread for every column, and blocks for two more indices.
    pub fn columns(columns: usize, second: usize, third: usize) -> Grid {
        Grid { blocks: [columns.div_ceil(128) as u32, second as u32, third as u32], threads: 128 }
    }
}

/// A kernel's parameter, in its first bytes.
#[derive(Clone, Copy, Debug)]
#[repr(align(8))]
pub struct Arg([u32; 10]);

impl Arg {
    fn of<const N: usize>(words: [u32; N]) -> Arg {
        let mut all = [0; 10];
        all[..N].copy_from_slice(&words);
        Arg(all)
    }
}

impl From<Address> for Arg {
    fn from(address: Address) -> Arg {
        Arg::of([address.0 as u32, (address.0 >> 32) as u32])
    }
}

/// A null pointer for none.
impl From<Option<Address>> for Arg {
    fn from(address: Option<Address>) -> Arg {
        address.unwrap_or(Address(0)).into()
    }
}

/// A count of numbers in a buffer, which has less than 2³¹.
impl From<usize> for Arg {
    fn from(count: usize) -> Arg {
        Arg::of([count as u32])
    }
}

impl From<f32> for Arg {
    fn from(number: f32) -> Arg {
        Arg::of([number.to_bits()])
    }
}

impl From<[usize; 3]> for Arg {
    fn from(counts: [usize; 3]) -> Arg {
        Arg::of(counts.map(|count| count as u32))
    }
}

impl From<[f32; 9]> for Arg {
    fn from(numbers: [f32; 9]) -> Arg {
        Arg::of(numbers.map(f32::to_bits))
    }
}
