//! What operations need of CUDA.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod libraries;

/// Makes CUDA's libraries ready to be called.
///
/// # Errors
/// In words, if one is not there, or is too old to have what is called.
pub fn load() -> Result<(), String> {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    libraries::load()?;
    Ok(())
}
