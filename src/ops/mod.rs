//! The operations of a language model, one file each.
//!
//! Every operation has a `composed` form in plain dfdx operations, which runs on any device and is the oracle,
//! and may have a `fused` form per device with a backward pass of its own. [`Backend`] names them all: its
//! default bodies are the composed forms, and a device overrides what it has a fused form for.
//!
//! On the processor, leave dfdx's allocation cache off: the fused forms allocate for themselves and never take from
//! it what their tensors give to it. Freed memory is kept for the next step all the same. A training that needs
//! buffers of more than 64 MiB is fastest on the main thread, whose memory alone is kept at that size.
//!
//! Shapes are agreed between the caller and the operation and not checked here beyond `debug_assert`: a plan
//! checks sizes before a tensor exists.

pub mod activation;
pub mod adamw;
mod backend;
pub mod card;
pub mod causal_attention;
pub mod causal_conv1d;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod embedding;
pub mod linear;
pub mod linear_cross_entropy;
pub mod meter;
pub mod normalize;
mod precision;
pub mod residual;
#[cfg(test)]
mod testing;

pub use adamw::{AdamW, Moments};
pub use backend::Backend;
pub use causal_attention::{Attention, Pattern};
pub use linear_cross_entropy::Unembedding;
pub use precision::Precision;

use dfdx::prelude::{HasErr, OwnedTape, Tensor};

/// A tensor that records what is done to it.
pub type Taped<S, D> = Tensor<S, f32, D, OwnedTape<f32, D>>;

/// The residual stream and everything of its shape, `[batch, position, feature]`.
pub type Stream<D> = Taped<(usize, usize, usize), D>;

/// The values of a [`Stream`] without a record, `[batch, position, feature]`.
pub type Values<D> = Tensor<(usize, usize, usize), f32, D>;

/// A parameter: stored flat, row-major (its logical shape is in the comment at each use).
pub type Flat<D> = Tensor<(usize,), f32, D>;

/// What a device may answer with.
pub type Result<T, D> = std::result::Result<T, <D as HasErr>::Err>;
