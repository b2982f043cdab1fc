//! The residual connection: `y = a + b`.

use super::{Backend, Result, Stream};
use dfdx::prelude::*;

/// a, b and the sum `[batch, position, feature]`.
pub fn composed<D: Backend>(a: Stream<D>, b: Stream<D>) -> Result<Stream<D>, D> {
    a.try_add(b)
}
