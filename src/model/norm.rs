//! The normalisation before every block and before the unembedding.

use super::params::{Maker, ParamId, Params, Start};
use crate::error::Result;
use crate::ops::{self, Backend, Stream};

/// Layer norm, root-mean-square norm, or none.
#[derive(Debug, Clone, Copy)]
pub enum Norm {
    /// Gain and bias `[d_model]`.
    Layer(ParamId, ParamId),
    /// Gain `[d_model]`.
    Rms(ParamId),
    /// The stream as it is.
    None,
}

impl Norm {
    /// A norm whose parameters are called `<name>.w` and `<name>.b`.
    pub fn make<D: Backend>(maker: &mut Maker<D>, kind: &str, name: &str, d_model: usize) -> Result<Norm> {
        let mut gain = || maker.make(format!("{name}.w"), &[d_model], Start::Constant(1.0));
        Ok(match kind {
            "layer" => {
                let gain = gain()?;
                Norm::Layer(gain, maker.make(format!("{name}.b"), &[d_model], Start::Constant(0.0))?)
            }
            "rms" => Norm::Rms(gain()?),
            _ => Norm::None,
        })
    }

    /// x `[batch, position, d_model]`, normalised over its features.
    pub fn apply<D: Backend>(&self, x: Stream<D>, params: &Params<D>) -> ops::Result<Stream<D>, D> {
        match *self {
            Norm::Layer(gain, bias) => D::layer_norm(x, params.get(gain), params.get(bias)),
            Norm::Rms(gain) => D::rms_norm(x, params.get(gain)),
            Norm::None => Ok(x),
        }
    }
}
