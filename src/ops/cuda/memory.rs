//! Where numbers are on the card.
//!
//! In dfdx 0.13 a tensor's buffer is private; its address stands in its debug form. Kernels read tensors there, and
//! write those that were just made and have no other holder. Gradients are handed out as they are.

use super::engine::engine;
use crate::ops::card::COUNTED;
use cudarc::driver::{CudaDevice, CudaSlice, DeviceRepr, DeviceSlice, DriverError, sys};
use dfdx::prelude::*;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Write};
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};

type Result<T> = std::result::Result<T, CudaError>;

/// An address on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub u64);

impl Address {
    /// So many numbers of `bytes` further.
    pub fn plus(self, numbers: usize, bytes: usize) -> Address {
        Address(self.0 + (numbers * bytes) as u64)
    }
}

fn countable(numbers: usize) -> Result<()> {
    if numbers < COUNTED { Ok(()) } else { Err(refused(sys::CUresult::CUDA_ERROR_INVALID_VALUE)) }
}

fn refused(code: sys::CUresult) -> CudaError {
    CudaError::Driver(DriverError(code))
}

/// Where a contiguous tensor's numbers are.
///
/// # Errors
/// If it has 2³¹ numbers or more.
pub fn address<S: Shape, T: Debug>(tensor: &Tensor<S, f32, Cuda, T>) -> Result<Address> {
    countable(tensor.shape().num_elements())?;
    address_of(tensor).ok_or_else(|| refused(sys::CUresult::CUDA_ERROR_INVALID_HANDLE))
}

/// Where the gradient of a tensor is; zeros if none has come.
///
/// # Errors
/// If the card has no memory left.
pub fn gradient<S: Shape>(
    grads: &mut Gradients<f32, Cuda>,
    tensor: &Tensor<S, f32, Cuda>,
) -> Result<Address> {
    countable(tensor.shape().num_elements())?;
    Ok(buffer_address(grads.get_or_alloc_mut(tensor)?))
}

/// Where a buffer of dfdx's is.
pub fn buffer_address(buffer: &mut <Cuda as Storage<f32>>::Vec) -> Address {
    // SAFETY: a buffer as a kernel's parameter is a pointer to its address.
    Address(unsafe { *buffer.as_kernel_param().cast::<u64>() })
}

/// A new tensor, of zeros, and where they are to be written over.
///
/// # Errors
/// If the card has no memory left.
pub fn output<S: Shape>(device: &Cuda, shape: S) -> Result<(Tensor<S, f32, Cuda>, Address)> {
    let tensor = device.try_zeros_like(&shape)?;
    let address = address(&tensor)?;
    Ok((tensor, address))
}

/// The address in a tensor's debug form; writing stops there.
fn address_of(tensor: &impl Debug) -> Option<Address> {
    struct Start(String);
    impl Write for Start {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            self.0.push_str(piece);
            let whole = self.0.split_once(NAME).is_some_and(|(_, rest)| rest.contains(','));
            if whole { Err(fmt::Error) } else { Ok(()) }
        }
    }
    const NAME: &str = "cu_device_ptr: ";
    let mut start = Start(String::with_capacity(128));
    let _ = write!(start, "{tensor:?}");
    let digits = start.0.split_once(NAME)?.1.split(',').next()?;
    digits.parse().ok().map(Address)
}

/// Memory that operations have worked in and will again: a step takes what the one before gave back.
pub struct Pool {
    device: Arc<CudaDevice>,
    /// By their bytes.
    free: Mutex<BTreeMap<usize, Vec<CudaSlice<u8>>>>,
}

impl Pool {
    pub fn new(device: Arc<CudaDevice>) -> Pool {
        Pool { device, free: Mutex::default() }
    }

    fn take(&self, bytes: usize) -> Result<CudaSlice<u8>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slice) = free.get_mut(&bytes).and_then(Vec::pop) {
            return Ok(slice);
        }
        // SAFETY: any bits are numbers, and whoever takes it writes before reading.
        let made = unsafe { self.device.alloc(bytes) };
        match made {
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                // Of other sizes, from before.
                free.clear();
                // SAFETY: as above.
                Ok(unsafe { self.device.alloc(bytes) }?)
            }
            made => Ok(made?),
        }
    }

    /// Gives all of it back to the card.
    pub fn clear(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn give(&self, slice: CudaSlice<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.entry(slice.len()).or_default().push(slice);
    }
}

/// Memory to work in, given back when it is dropped: what is asked of the card afterwards is done afterwards.
pub struct Scratch(ManuallyDrop<CudaSlice<u8>>);

impl Scratch {
    /// Room for numbers of so many bytes each.
    ///
    /// # Errors
    /// If they are 2³¹ or more, or the card has no memory left.
    pub fn new(numbers: usize, bytes: usize) -> Result<Scratch> {
        countable(numbers)?;
        Ok(Scratch(ManuallyDrop::new(engine()?.pool.take((numbers * bytes).max(1))?)))
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        let slice: &CudaSlice<u8> = &self.0;
        // SAFETY: as a kernel's parameter it is a pointer to its address.
        Address(unsafe { *(&slice).as_kernel_param().cast::<u64>() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: it is taken once, here.
        let slice = unsafe { ManuallyDrop::take(&mut self.0) };
        if let Ok(engine) = engine() {
            engine.pool.give(slice);
        }
    }
}

/// Whole numbers from the host.
pub struct Uploaded(CudaSlice<u32>);

impl Uploaded {
    /// # Errors
    /// If the card has no memory left.
    pub fn new(numbers: impl IntoIterator<Item = usize>) -> Result<Uploaded> {
        let mut numbers: Vec<u32> = numbers.into_iter().map(|number| number as u32).collect();
        if numbers.is_empty() {
            numbers.push(0); // a buffer has an address
        }
        Ok(Uploaded(engine()?.device.htod_copy(numbers)?))
    }

    /// Where they are.
    pub fn address(&self) -> Address {
        let slice = &self.0;
        // SAFETY: as a kernel's parameter it is a pointer to its address.
        Address(unsafe { *slice.as_kernel_param().cast::<u64>() })
    }
}

/// Numbers from the host.
///
/// # Errors
/// If the card has no memory left.
pub fn upload(numbers: Vec<f32>) -> Result<(CudaSlice<f32>, Address)> {
    let slice = engine()?.device.htod_copy(numbers)?;
    // SAFETY: as a kernel's parameter it is a pointer to its address.
    let address = Address(unsafe { *(&slice).as_kernel_param().cast::<u64>() });
    Ok((slice, address))
}

/// What stands in memory, on the host: waits for all that was asked for.
///
/// # Errors
/// If the card fails.
pub fn download<T: DeviceRepr + Copy + Default>(from: &Scratch, numbers: usize) -> Result<Vec<T>> {
    let bytes = engine()?.device.dtoh_sync_copy(&*from.0)?;
    let size = size_of::<T>();
    let mut to = vec![T::default(); numbers];
    assert!(numbers * size <= bytes.len());
    // SAFETY: both are as long as that, and any bits are a number.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_mut_ptr().cast(), numbers * size) };
    Ok(to)
}
