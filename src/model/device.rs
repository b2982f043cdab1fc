//! The devices a model can run on.

use super::blocks::{BlockKind, Build};
#[cfg(feature = "cuda")]
use crate::error::Error;
use crate::error::Result;
use crate::ops::{self, Precision};
use dfdx::prelude::*;

/// A device's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What nobody has taken yet, as far as it is told.
    pub free: u64,
}

/// A device that operations run on and that blocks can be made on.
pub trait Backend: ops::Backend {
    /// Opens it.
    ///
    /// # Errors
    /// If it is not there, or has no memory left.
    fn open() -> Result<Self>;

    /// Why it has no products of this precision, if it has none.
    fn lacks(precision: Precision) -> Option<String>;

    /// What it is, where the same bits depend on it: names of properties, and what they are.
    fn description() -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Gives back the memory that it keeps for what comes next: something else comes.
    fn release(&self) {}

    /// Its memory, where that is known.
    fn memory() -> Option<Memory>;

    /// How a kind of block is made on it.
    fn build(kind: &BlockKind) -> Build<Self>;
}

impl Backend for Cpu {
    fn open() -> Result<Self> {
        // Without dfdx's allocation cache: the fused operations bring their own memory, which the
        // cache would collect at every step and never give out again.
        Ok(Cpu::seed_from_u64(0))
    }

    /// A plan has no other precision for it.
    fn lacks(_: Precision) -> Option<String> {
        None
    }

    /// The machine's, where Linux tells it; what others have is theirs only for now.
    fn memory() -> Option<Memory> {
        let known = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = known.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let total = line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024;
        Some(Memory { total, free: total })
    }

    fn build(kind: &BlockKind) -> Build<Self> {
        kind.cpu
    }
}

#[cfg(feature = "cuda")]
impl Backend for Cuda {
    fn open() -> Result<Self> {
        ops::cuda::ready().map_err(Error::message)?;
        let device = Cuda::try_build(0, 0).map_err(|error| refused(format!("{error:?}")))?;
        ops::cuda::open().map_err(refused)?;
        device.try_enable_cache().map_err(Error::device)?;
        // A driver that is older than the kernels says so at the first of them.
        let one: Tensor<Rank1<1>, f32, _> =
            device.try_ones().map_err(|error| refused(format!("{error:?}")))?;
        one.try_square().map_err(|error| refused(format!("{error:?}")))?;
        Ok(device)
    }

    fn lacks(precision: Precision) -> Option<String> {
        let (major, minor) = ops::cuda::capability()?;
        let old = major < 8 && precision != Precision::F32;
        old.then(|| format!("the card's compute capability is {major}.{minor}, and tf32 and bf16 need 8.0"))
    }

    fn description() -> Vec<(&'static str, String)> {
        let names = ["name", "compute_capability", "driver_cuda", "cublas"];
        ops::cuda::description().map_or(vec![], |values| names.into_iter().zip(values).collect())
    }

    fn release(&self) {
        // What cannot be given back is used again.
        let _ = self.try_empty_cache();
        ops::cuda::release();
    }

    fn memory() -> Option<Memory> {
        let (free, total) = ops::cuda::memory()?;
        Some(Memory { total, free })
    }

    fn build(kind: &BlockKind) -> Build<Self> {
        kind.cuda
    }
}

/// Why a card cannot be used, as far as the driver's word for it is known.
#[cfg(feature = "cuda")]
fn refused(said: String) -> Error {
    let known = [
        ("UNSUPPORTED_PTX_VERSION", "the driver is older than the CUDA that its kernels were compiled by"),
        ("DEVICE_UNAVAILABLE", "the card is used by another process alone"),
        ("NO_BINARY_FOR_GPU", "the card is older than the one that this program was built for"),
        ("OUT_OF_MEMORY", "the card has no memory left"),
    ];
    let words =
        known.iter().find(|(code, _)| said.contains(code)).map_or("the card cannot be used", |(_, w)| w);
    Error::message(format!("{words} ({said})"))
}

/// The devices of this machine, from the slowest to the fastest; and why there is no GPU among them, if this program
/// was built for one.
pub fn available() -> (Vec<&'static str>, Option<String>) {
    #[cfg(feature = "cuda")]
    return match <Cuda as Backend>::open() {
        Ok(_) => (vec!["cpu", "cuda"], None),
        Err(error) => (vec!["cpu"], Some(error.to_string())),
    };
    #[cfg(not(feature = "cuda"))]
    (vec!["cpu"], None)
}
