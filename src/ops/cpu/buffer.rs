//! A tensor's values as a slice.
//!
//! In dfdx 0.13 a tensor's own buffer is private and reading it means copying it. The fused forms make their
//! outputs from a `Vec` whose address they know, and remember it under the tensor's id, so that the next
//! operation reads the same memory. A tensor from elsewhere is copied, once for all its readers.

use super::parallel::zeros;
use dfdx::prelude::{Cpu, CpuError, Gradients, HasShape, ReshapeTo, Shape, Tensor, TensorFromVec};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Debug, Write};
use std::ops::Deref;
use std::sync::{Arc, Weak};

/// The values of a tensor, contiguous and unchanging for as long as this lives.
#[derive(Debug)]
pub struct Buffer {
    values: *const f32,
    len: usize,
    id: Option<usize>,
    /// What owns the memory.
    _owner: Owner,
}

#[derive(Debug)]
enum Owner {
    /// A second holder of a tensor's memory: dfdx copies shared memory before it writes, so this stays as it is.
    Tensor {
        _shared: Tensor<(usize,), f32, Cpu>,
    },
    Copy {
        _values: Vec<f32>,
    },
}

// SAFETY: the memory is owned, outlives the pointer and is only read.
unsafe impl Send for Buffer {}
unsafe impl Sync for Buffer {}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `values` and `len` are those of a `Vec` that `_owner` keeps alive and nobody writes to.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // After the thread's end, or on another thread, there is nothing to forget.
            let _ = KNOWN.try_with(|known| known.borrow_mut().remove(&id));
        }
    }
}

thread_local! {
    /// By tensor id. Held weakly: the tape holds what backward passes need.
    static KNOWN: RefCell<HashMap<usize, Weak<Buffer>>> = RefCell::default();
}

/// The values of an activation. The tensor must be contiguous, and must not be written to under the same id.
pub fn read<S: Shape, T: Debug>(tensor: &Tensor<S, f32, Cpu, T>) -> Arc<Buffer> {
    let id = id_of(tensor);
    let known = id.and_then(|id| KNOWN.with_borrow(|known| known.get(&id)?.upgrade()));
    known.unwrap_or_else(|| {
        let values = copy(tensor);
        remember(Buffer {
            values: values.as_ptr(),
            len: values.len(),
            id,
            _owner: Owner::Copy { _values: values },
        })
    })
}

/// The values of a parameter, which may change under the same id. The tensor must be contiguous.
pub fn copy<S: Shape, T>(tensor: &Tensor<S, f32, Cpu, T>) -> Vec<f32> {
    let mut values = zeros(tensor.shape().num_elements());
    tensor.copy_into(&mut values);
    values
}

/// A tensor, and its values for later.
type Output<S> = (Tensor<S, f32, Cpu>, Arc<Buffer>);

/// A tensor from its values, and its values for later.
pub fn output<S: Shape>(device: &Cpu, values: Vec<f32>, shape: S) -> Result<Output<S>, CpuError> {
    keep_freed_memory();
    let (start, len) = (values.as_ptr(), values.len());
    let tensor = device.try_tensor_from_vec(values, shape)?;
    let buffer = remember(Buffer {
        values: start,
        len,
        id: id_of(&tensor),
        _owner: Owner::Tensor { _shared: tensor.clone().try_reshape_like(&(len,))? },
    });
    Ok((tensor, buffer))
}

/// A tensor's gradient, which nothing needs afterwards: zeros if none has come.
pub fn take_gradient<S: Shape>(
    grads: &mut Gradients<f32, Cpu>,
    tensor: &Tensor<S, f32, Cpu>,
) -> Result<Vec<f32>, CpuError> {
    Ok(std::mem::take(&mut **grads.get_or_alloc_mut(tensor)?))
}

/// Puts back what [`take_gradient`] took.
pub fn put_gradient<S: Shape>(
    grads: &mut Gradients<f32, Cpu>,
    tensor: &Tensor<S, f32, Cpu>,
    gradient: Vec<f32>,
) -> Result<(), CpuError> {
    let entry = grads.get_or_alloc_mut(tensor)?;
    if entry.is_empty() {
        **entry = gradient;
    } else {
        entry.iter_mut().zip(&gradient).for_each(|(sum, part)| *sum += part);
    }
    Ok(())
}

/// Asks the C library's allocator, once, to keep what is freed: a step frees what the next one allocates again,
/// and giving it back to the system in between costs a quarter of a step and more. (Threads other than the main
/// one still give back what is larger than 64 MiB.)
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::ffi::c_int;
        use std::sync::Once;

        unsafe extern "C" {
            fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        const M_TRIM_THRESHOLD: c_int = -1;
        const M_MMAP_MAX: c_int = -4;

        static ONCE: Once = Once::new();
        // SAFETY: the allocator allows this at any time; where a value is refused, nothing changes.
        ONCE.call_once(|| unsafe {
            mallopt(M_TRIM_THRESHOLD, -1); // never
            mallopt(M_MMAP_MAX, 0); // nothing that would be unmapped when freed
        });
    }
}

fn remember(buffer: Buffer) -> Arc<Buffer> {
    let id = buffer.id;
    let buffer = Arc::new(buffer);
    if let Some(id) = id {
        KNOWN.with_borrow_mut(|known| known.insert(id, Arc::downgrade(&buffer)));
    }
    buffer
}

/// A tensor's id, which is private too but comes first in its debug form; writing stops there.
fn id_of(tensor: &impl Debug) -> Option<usize> {
    struct Start(String);
    impl Write for Start {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            self.0.push_str(piece);
            if self.0.contains(')') { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut start = Start(String::with_capacity(64));
    let _ = write!(start, "{tensor:?}");
    let id = start.0.split_once("id: UniqueId(")?.1;
    id.split_once(')')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfdx::prelude::*;

    #[test]
    fn outputs_are_read_where_they_are() {
        let device = Cpu::default();
        let (tensor, buffer) = output(&device, vec![1.0, 2.0, 3.0, 4.0], (2, 2)).unwrap();
        let reshaped = tensor.clone().reshape_like(&(4,));
        assert_eq!(read(&reshaped).as_ptr(), buffer.as_ptr());
        assert_eq!(read(&reshaped).to_vec(), tensor.as_vec());
        drop(buffer);
        assert_eq!(read(&tensor).to_vec(), [1.0, 2.0, 3.0, 4.0]);
        assert!(KNOWN.with_borrow(|known| known.is_empty()));
    }

    #[test]
    fn a_buffer_stays_when_its_tensor_is_written_to() {
        let (mut tensor, buffer) = output(&Cpu::default(), vec![1.0, 2.0], (2,)).unwrap();
        tensor.copy_from(&[5.0, 6.0]);
        assert_eq!((buffer.to_vec(), tensor.as_vec()), (vec![1.0, 2.0], vec![5.0, 6.0]));
    }

    #[test]
    fn other_tensors_are_copied_once() {
        let tensor: Tensor<Rank2<2, 2>, f32, Cpu> = Cpu::default().ones();
        let (a, b) = (read(&tensor), read(&tensor.retaped::<OwnedTape<f32, Cpu>>()));
        assert_eq!((a.as_ptr(), a.to_vec()), (b.as_ptr(), vec![1.0; 4]));
    }
}
