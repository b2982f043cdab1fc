//! CUDA's libraries, loaded when a GPU is asked for.
//!
//! A program that is linked to them does not start where they are not, and the driver's is nowhere but beside a
//! driver. So the functions that dfdx calls are defined here: each jumps to where the library has it, which is filled
//! in once the library is loaded. One program then runs on every machine, and the linker, which finds every name
//! here, takes nothing from the libraries and leaves them out.

use libloading::Library;
use std::arch::naked_asm;
use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A library, by the names that its versions have, and where its functions go.
struct Loaded {
    /// What brings it.
    of: &'static str,
    names: &'static [&'static str],
    functions: &'static [(&'static str, &'static AtomicPtr<c_void>)],
}

macro_rules! functions {
    ($library:ident: $absent:literal; $($name:ident)*) => {
        #[allow(non_snake_case, non_upper_case_globals)]
        mod $library {
            use super::*;

            /// What a function says that is not loaded: a code that its library has for failure.
            extern "C" fn absent() -> u32 {
                $absent
            }

            mod places {
                use super::*;
                $(pub static $name: AtomicPtr<c_void> = AtomicPtr::new(absent as *mut c_void);)*
            }

            $(
                /// Goes on in the library; arguments and result are where they were.
                #[unsafe(no_mangle)]
                #[unsafe(naked)]
                unsafe extern "C" fn $name() {
                    #[cfg(target_arch = "x86_64")]
                    naked_asm!("jmp qword ptr [rip + {place}]", place = sym places::$name);
                    #[cfg(target_arch = "aarch64")]
                    naked_asm!(
                        "adrp x16, {place}",
                        "ldr x16, [x16, :lo12:{place}]",
                        "br x16",
                        place = sym places::$name
                    );
                }
            )*

            pub static FUNCTIONS: &[(&str, &AtomicPtr<c_void>)] = &[$((stringify!($name), &places::$name)),*];
        }
    };
}

// CUDA_ERROR_NOT_FOUND.
functions! { driver: 500;
    cuCtxGetCurrent cuCtxSetCurrent cuDestroyExternalMemory cuDeviceGet cuDeviceGetAttribute cuDeviceGetCount
    cuDeviceGetName cuDevicePrimaryCtxRelease_v2 cuDevicePrimaryCtxRetain cuDeviceTotalMem_v2 cuDriverGetVersion
    cuEventCreate cuEventDestroy_v2 cuEventElapsedTime cuEventRecord cuExternalMemoryGetMappedBuffer cuGetErrorName
    cuGetErrorString cuImportExternalMemory cuInit cuLaunchKernel cuMemAllocAsync cuMemAlloc_v2 cuMemFreeAsync
    cuMemFree_v2 cuMemGetInfo_v2 cuMemcpyDtoDAsync_v2 cuMemcpyDtoD_v2 cuMemcpyDtoHAsync_v2 cuMemcpyDtoH_v2
    cuMemcpyHtoDAsync_v2 cuMemcpyHtoD_v2 cuMemsetD8Async cuMemsetD8_v2 cuModuleGetFunction cuModuleLoad
    cuModuleLoadData cuModuleUnload cuOccupancyAvailableDynamicSMemPerBlock
    cuOccupancyMaxActiveBlocksPerMultiprocessor cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags
    cuOccupancyMaxActiveClusters cuOccupancyMaxPotentialBlockSize cuOccupancyMaxPotentialBlockSizeWithFlags
    cuOccupancyMaxPotentialClusterSize cuProfilerStart cuProfilerStop cuStreamCreate cuStreamDestroy_v2
    cuStreamSynchronize cuStreamWaitEvent
}
// CUBLAS_STATUS_NOT_INITIALIZED.
functions! { cublas: 1;
    cublasCreate_v2 cublasDestroy_v2 cublasGetVersion_v2 cublasDgemmStridedBatched cublasDgemm_v2 cublasDgemv_v2 cublasGemmEx
    cublasGemmStridedBatchedEx cublasSetStream_v2 cublasSgemmStridedBatched cublasSgemm_v2 cublasSgemv_v2
}
// NVRTC_ERROR_INTERNAL_ERROR.
functions! { nvrtc: 11;
    nvrtcCompileProgram nvrtcCreateProgram nvrtcDestroyProgram nvrtcGetPTX nvrtcGetPTXSize nvrtcGetProgramLog
    nvrtcGetProgramLogSize nvrtcVersion
}

const LIBRARIES: [Loaded; 3] = [
    Loaded { of: "NVIDIA's driver", names: &["libcuda.so.1"], functions: driver::FUNCTIONS },
    Loaded {
        of: "CUDA 12 or 13",
        names: &["libcublas.so.13", "libcublas.so.12"],
        functions: cublas::FUNCTIONS,
    },
    Loaded { of: "CUDA 12 or 13", names: &["libnvrtc.so.13", "libnvrtc.so.12"], functions: nvrtc::FUNCTIONS },
];

/// Where a library may be that the system does not know of: beside a toolkit.
const FOLDERS: [&str; 3] = ["", "/usr/local/cuda/lib64/", "/opt/cuda/lib64/"];

/// Loads them all, once.
///
/// # Errors
/// In words: which is not there, and what has it.
pub fn load() -> Result<(), String> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let all = || {
        let [driver, others @ ..] = &LIBRARIES;
        open(driver, driver.names.to_vec())?;
        let mut version = 0;
        // SAFETY: as the driver declares it; the number is this function's own.
        unsafe { super::cuDriverGetVersion(&mut version) };
        others.iter().try_for_each(|library| open(library, fitting(library.names, version)))
    };
    DONE.get_or_init(all).clone()
}

/// A library's versions, of which the newest stands first, in the order in which they fit a driver: what CUDA 13
/// compiles, one that knows 12 alone refuses.
fn fitting(names: &[&'static str], driver: i32) -> Vec<&'static str> {
    let names = names.iter().copied();
    if driver < 13_000 { names.rev().collect() } else { names.collect() }
}

fn open(loaded: &Loaded, names: Vec<&str>) -> Result<(), String> {
    let Loaded { of, functions, .. } = loaded;
    let paths = names.iter().flat_map(|name| FOLDERS.map(|folder| format!("{folder}{name}")));
    // SAFETY: what NVIDIA's libraries do when they are loaded is theirs.
    let library = paths.into_iter().find_map(|path| unsafe { Library::new(path) }.ok());
    let library = library.ok_or_else(|| format!("{} of {of} is not to be found", names.join(" or ")))?;
    for (name, place) in *functions {
        // SAFETY: it is only kept here; whoever calls it declares it as the library has it.
        let function = unsafe { library.get::<*mut c_void>(name.as_bytes()) };
        let function = function.map_err(|_| format!("{} of {of} has no {name}: it is too old", names[0]))?;
        // SAFETY: the address itself, which stands as long as the library, which is never closed.
        let address = unsafe { function.into_raw() }.as_raw_ptr();
        place.store(address, Ordering::Release);
    }
    std::mem::forget(library);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named() {
        let nothing = Loaded { of: "nobody", names: &["libnothing-at-all.so.7"], functions: &[] };
        assert_eq!(
            open(&nothing, nothing.names.to_vec()).unwrap_err(),
            "libnothing-at-all.so.7 of nobody is not to be found"
        );
        static PLACE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
        static FUNCTIONS: [(&str, &AtomicPtr<c_void>); 2] = [("strlen", &PLACE), ("cuNothing", &PLACE)];
        let old = Loaded { of: "the system", names: &["libc.so.6"], functions: &FUNCTIONS };
        assert!(open(&old, old.names.to_vec()).unwrap_err().contains("has no cuNothing: it is too old"));
        assert!(!PLACE.load(Ordering::Acquire).is_null());
    }

    #[test]
    fn a_driver_gets_what_fits_it() {
        assert_eq!(fitting(&["13", "12"], 12_040), ["12", "13"]);
        assert_eq!(fitting(&["13", "12"], 13_000), ["13", "12"]);
    }

    #[test]
    fn a_function_goes_where_its_library_has_it() {
        unsafe extern "C" {
            fn cuDriverGetVersion(version: *mut i32) -> u32;
        }
        extern "C" fn seven(version: *mut i32) -> u32 {
            // SAFETY: the call below gives it a number of its own.
            unsafe { *version = 7 };
            3
        }
        let place = driver::FUNCTIONS.iter().find(|(name, _)| *name == "cuDriverGetVersion").unwrap().1;
        let before = place.swap(seven as *mut c_void, Ordering::AcqRel);
        let mut version = 0;
        // SAFETY: it goes to the function above.
        let said = unsafe { cuDriverGetVersion(&mut version) };
        place.store(before, Ordering::Release);
        assert_eq!((said, version), (3, 7));
    }
}
