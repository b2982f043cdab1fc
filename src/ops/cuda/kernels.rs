//! Our kernels, from their source to what the card runs: compiled by NVRTC at first use, and kept.

use crate::files;
use crate::ops::Precision;
use cudarc::driver::CudaDevice;
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use std::path::PathBuf;

/// Every file, after what they share.
const SOURCES: &[&str] = &[
    include_str!("kernels/common.cu"),
    include_str!("kernels/adamw.cu"),
    include_str!("kernels/attention.cu"),
    include_str!("kernels/columns.cu"),
    include_str!("kernels/convolution.cu"),
    include_str!("kernels/cross_entropy.cu"),
    include_str!("kernels/elementwise.cu"),
    include_str!("kernels/embedding.cu"),
    include_str!("kernels/linear.cu"),
    include_str!("kernels/normalize.cu"),
];

/// The kernels in them.
pub fn names() -> impl Iterator<Item = &'static str> {
    const BEFORE: &str = "extern \"C\" __global__ void ";
    let in_file = |source: &'static str| source.split(BEFORE).skip(1);
    SOURCES.iter().copied().flat_map(in_file).filter_map(|rest| rest.split('(').next())
}

/// A card's compute capability, before and after the point.
///
/// # Errors
/// If the card does not tell.
pub fn capability(device: &CudaDevice) -> Result<(i32, i32), String> {
    let attribute = |which| device.attribute(which).map_err(|error| format!("{error:?}"));
    Ok((
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    ))
}

/// PTX for a card, ending with a zero.
///
/// # Errors
/// In the compiler's words.
pub fn compiled(device: &CudaDevice, precision: Precision) -> Result<Vec<u8>, String> {
    let (major, minor) = capability(device)?;
    let capability = 10 * major + minor;
    let define = if precision == Precision::Bf16 { "#define REAL_BF16\n" } else { "" };
    let source = format!("{define}{}", SOURCES.concat());
    let kept = kept(&source, capability);
    let mut image = match std::fs::read_to_string(&kept) {
        Ok(known) if sealed(&known) => known,
        _ => {
            let made = compile(&source, capability)?;
            let made = format!("{made}\n{SEAL}{}\n", blake3::hash(made.as_bytes()).to_hex());
            // A cache that cannot be written to costs a few seconds at the next start.
            let folder = kept.parent().map(std::fs::create_dir_all);
            if let Some(Ok(())) = folder {
                let _ = files::write(&kept, made.as_bytes());
            }
            made
        }
    };
    image.push('\0');
    Ok(image.into_bytes())
}

/// The last line of what is kept: a comment with the digest of what stands before it.
const SEAL: &str = "// blake3 ";

fn sealed(text: &str) -> bool {
    let parts = text.trim_end().rsplit_once(&format!("\n{SEAL}"));
    parts.is_some_and(|(before, digest)| blake3::hash(before.as_bytes()).to_hex().as_str() == digest)
}

/// Where PTX is kept: by what it was made from.
fn kept(source: &str, capability: i32) -> PathBuf {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: as the library declares it; the numbers are this function's own.
    unsafe { nvrtcVersion(&mut major, &mut minor) };
    let made_from = format!("{source}\n{capability} {major}.{minor}");
    let name = format!("{}.ptx", &blake3::hash(made_from.as_bytes()).to_hex()[..32]);
    files::cache_folder().join("kernels").join(name)
}

unsafe extern "C" {
    fn nvrtcVersion(major: *mut i32, minor: *mut i32) -> u32;
}

/// For the card's own architecture, or where the compiler does not know it yet, for an older one, whose PTX it runs.
fn compile(source: &str, capability: i32) -> Result<String, String> {
    let known = [("compute_90", 90), ("compute_80", 80), ("compute_75", 75)];
    let fitting = known.into_iter().filter(|(_, least)| capability >= *least);
    let (major, minor) = (capability / 10, capability % 10);
    let mut why =
        format!("a card of compute capability 7.5 or later is needed, and this one has {major}.{minor}");
    for (arch, _) in fitting {
        let options = CompileOptions { arch: Some(arch), ..CompileOptions::default() };
        match compile_ptx_with_opts(source, options) {
            Ok(ptx) => return Ok(ptx.to_src().trim_end().to_string()),
            Err(CompileError::CompileError { log, .. }) => why = log.to_string_lossy().into_owned(),
            Err(error) => why = error.to_string(),
        }
    }
    Err(format!("its kernels cannot be compiled: {}", crate::error::printable(why.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_has_a_name_of_its_own() {
        let mut all: Vec<&str> = names().collect();
        let count = all.len();
        assert!(count > 30 && all.contains(&"cross_entropy") && all.contains(&"adamw"), "{all:?}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
    }

    #[test]
    fn no_kernel_adds_by_atomics() {
        assert!(!SOURCES.concat().contains("atomicAdd"));
    }

    #[test]
    fn what_was_kept_is_whole() {
        let text = format!("a\nb\n{SEAL}{}\n", blake3::hash(b"a\nb").to_hex());
        assert!(sealed(&text));
        assert!(!sealed(&text.replace('b', "c")) && !sealed("a\nb") && !sealed(""));
    }
}
