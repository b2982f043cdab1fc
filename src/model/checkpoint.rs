//! Parameters to and from safetensors, with the names and shapes of TransformerLens.

use super::Model;
use super::device::Backend;
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// A tensor on the host: name, shape, values row-major.
pub type HostTensor = (String, Vec<usize>, Vec<f32>);

/// Tensors as a safetensors file: the same tensors give the same bytes.
///
/// # Errors
/// If a shape does not fit its values.
pub fn to_bytes(tensors: &[HostTensor]) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, shape, _), data) in tensors.iter().zip(&bytes) {
        views.push((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).map_err(broken)?));
    }
    safetensors::serialize(views, None).map_err(broken)
}

/// Every tensor of a safetensors file; all must be float32.
///
/// # Errors
/// If the bytes are not a safetensors file, or hold another type.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<HostTensor>> {
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let tensor = |(name, view): (String, TensorView<'_>)| {
        if view.dtype() != Dtype::F32 {
            return Err(Error::message(format!("tensor `{name}` is {:?}, not float32", view.dtype())));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok((name, view.shape().to_vec(), values.collect()))
    };
    file.tensors().into_iter().map(tensor).collect()
}

fn broken(error: safetensors::SafeTensorError) -> Error {
    Error::message(format!("not a whole safetensors file: {error}"))
}

impl<D: Backend> Model<D> {
    /// All parameters on the host; with tied embeddings W_U too, as TransformerLens wants it.
    pub fn to_host(&self) -> Vec<HostTensor> {
        let host = |p: &super::Param<D>| (p.name.clone(), p.shape.clone(), p.value.as_vec());
        let mut tensors: Vec<HostTensor> = self.params.iter().map(host).collect();
        if self.unembedding.0 == self.w_e {
            let w_e = self.params.get(self.w_e).as_vec();
            let (rows, columns) = (self.d_vocab, self.d_model);
            let transposed = (0..columns).flat_map(|j| (0..rows).map(move |i| (i, j)));
            let w_u = transposed.map(|(i, j)| w_e[i * columns + j]).collect();
            tensors.push(("unembed.W_U".into(), vec![columns, rows], w_u));
        }
        tensors
    }

    /// Replaces every parameter by the tensor of its name.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape; nothing is changed then.
    pub fn set(&mut self, tensors: &[HostTensor]) -> Result<()> {
        let mut values = Vec::new();
        for param in self.params.iter() {
            let found = tensors.iter().find(|(name, ..)| *name == param.name);
            let Some((name, shape, data)) = found else {
                return Err(Error::message(format!("the checkpoint has no tensor `{}`", param.name)));
            };
            if *shape != param.shape {
                let message =
                    format!("`{name}` is {shape:?} in the checkpoint and {:?} in the plan", param.shape);
                return Err(Error::message(message));
            }
            values.push(data);
        }
        for (param, data) in self.params.iter_mut().zip(values) {
            param.value.copy_from(data);
        }
        Ok(())
    }
}
