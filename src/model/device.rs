//! The devices a model can run on.

use super::blocks::{BlockKind, Build};
#[cfg(feature = "cuda")]
use crate::error::Error;
use crate::error::Result;
use crate::ops;
use dfdx::prelude::*;

/// A device that operations run on and that blocks can be made on.
pub trait Backend: ops::Backend {
    /// Opens it.
    ///
    /// # Errors
    /// If it is not there, or has no memory left.
    fn open() -> Result<Self>;

    /// How a kind of block is made on it.
    fn build(kind: &BlockKind) -> Build<Self>;
}

impl Backend for Cpu {
    fn open() -> Result<Self> {
        // Without dfdx's allocation cache: the fused operations bring their own memory, which the
        // cache would collect at every step and never give out again.
        Ok(Cpu::seed_from_u64(0))
    }

    fn build(kind: &BlockKind) -> Build<Self> {
        kind.cpu
    }
}

#[cfg(feature = "cuda")]
impl Backend for Cuda {
    fn open() -> Result<Self> {
        let device = Cuda::try_build(0, 0).map_err(Error::device)?;
        device.try_enable_cache().map_err(Error::device)?;
        Ok(device)
    }

    fn build(kind: &BlockKind) -> Build<Self> {
        kind.cuda
    }
}

/// The devices of this machine, from the slowest to the fastest.
pub fn available() -> Vec<&'static str> {
    let mut devices = vec!["cpu"];
    #[cfg(feature = "cuda")]
    if <Cuda as Backend>::open().is_ok() {
        devices.push("cuda");
    }
    devices.dedup();
    devices
}
