//! The operations on an NVIDIA card: a form of each, of kernels of our own and products by cuBLAS.

mod adamw;
mod backend;
mod causal_attention;
mod causal_conv1d;
mod columns;
mod elementwise;
mod embedding;
mod engine;
mod kernels;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod libraries;
mod linear;
mod linear_cross_entropy;
mod memory;
mod normalize;
mod product;

use cudarc::driver::result;
use std::ffi::{CStr, c_char, c_void};

/// The oldest CUDA that a driver has to know, as the driver counts: 1000 for a version, 10 for what is after the point.
const OLDEST: i32 = 12_000;

unsafe extern "C" {
    fn cuInit(flags: u32) -> u32;
    fn cuDriverGetVersion(version: *mut i32) -> u32;
    fn cuDeviceGetCount(count: *mut i32) -> u32;
    fn cuDeviceGetName(name: *mut c_char, length: i32, device: i32) -> u32;
    fn cublasGetVersion_v2(handle: *mut c_void, version: *mut i32) -> u32;
}

/// Makes CUDA's libraries ready to be called, and a card.
///
/// # Errors
/// In words, if a library is not there or too old, or there is no card.
pub fn ready() -> Result<(), String> {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    libraries::load()?;
    let (mut version, mut count) = (0, 0);
    // SAFETY: as the driver declares them; the numbers are this function's own.
    let codes = unsafe { [cuDriverGetVersion(&mut version), cuInit(0), cuDeviceGetCount(&mut count)] };
    let old = |version: i32| format!("{}.{}", version / 1000, version % 1000 / 10);
    match codes {
        [0, ..] if version < OLDEST => {
            Err(format!("NVIDIA's driver knows CUDA {}, and {} is needed", old(version), old(OLDEST)))
        }
        [_, 0, 0] if count > 0 => Ok(()),
        [_, 0, 0] => Err("there is no NVIDIA card that the driver can use".into()),
        [_, code, other] => Err(told(if code == 0 { other } else { code })),
    }
}

/// Opens the card for the operations: makes its kernels ready.
///
/// # Errors
/// In words, if the card refuses.
pub fn open() -> Result<(), String> {
    engine::open().map(|_| ())
}

/// The card's compute capability, once it is open.
pub fn capability() -> Option<(i32, i32)> {
    kernels::capability(&engine::engine().ok()?.device).ok()
}

/// What the same bits depend on, once the card is open: its name, its compute capability, and the versions of its driver
/// (the newest CUDA it knows) and of cuBLAS.
pub fn description() -> Option<[String; 4]> {
    let engine = engine::engine().ok()?;
    let mut name = [0u8; 256];
    let (major, minor) = kernels::capability(&engine.device).ok()?;
    let (mut driver, mut cublas) = (0, 0);
    // SAFETY: as the libraries declare them; the numbers are this function's own.
    unsafe {
        cuDeviceGetName(name.as_mut_ptr().cast(), 255, 0);
        cuDriverGetVersion(&mut driver);
        cublasGetVersion_v2(engine.blas.handle().cast(), &mut cublas);
    }
    let name = CStr::from_bytes_until_nul(&name).ok()?.to_string_lossy().into_owned();
    Some([
        name,
        format!("{major}.{minor}"),
        format!("{}.{}", driver / 1000, driver % 1000 / 10),
        cublas.to_string(),
    ])
}

/// Gives back the memory that operations have worked in.
pub fn release() {
    if let Ok(engine) = engine::engine() {
        engine.pool.clear();
    }
}

/// The card's memory, once it is open: what is free, and all, in bytes.
pub fn memory() -> Option<(u64, u64)> {
    engine::engine().ok()?;
    let (free, total) = result::mem_get_info().ok()?;
    Some((free as u64, total as u64))
}

/// A code of the driver's (`CUresult`), in words.
fn told(code: u32) -> String {
    let words = match code {
        100 => "there is no NVIDIA card that the driver can use",
        35 => "NVIDIA's driver is too old",
        46 => "the card is used by another process alone",
        101 => "there is no such NVIDIA card",
        803 => "NVIDIA's driver and its library are of two versions",
        804 => "NVIDIA's driver is too old, and the card takes no other",
        _ => "NVIDIA's driver does not begin",
    };
    format!("{words} (code {code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_card_is_told_so_and_panics_never() {
        // Where there is one, it is ready.
        if let Err(why) = ready() {
            assert!(why.contains("NVIDIA") || why.contains("CUDA"), "{why}");
        }
        assert!(told(100).contains("no NVIDIA card") && told(999).contains("999"));
    }
}
