# What `cargo build --features cuda` needs of CUDA, put together from packages of PyPI: no driver, no card, no
# installation. To be sourced, since it exports where it is:
#
#     . scripts/cuda-toolkit.sh [12|13] [COMPUTE_CAPABILITY]
#     cargo build --release --features cuda
#
# By default 13, and 80 (A100); a later card runs kernels that were compiled for an earlier one. Needs python3 with
# pip, and a C compiler for the linker's sake. PyPI has no compiler driver of CUDA 12: NVRTC of 12 compiles instead, by
# a stand-in that is called nvcc. What is linked is empty: `indhead` loads the libraries when it is asked for a GPU.

indhead_cuda_toolkit() {
    local major=${1:-13} capability=${2:-80} here root wheels
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || return
    root=$here/target/cuda-toolkit/$major
    case $major in
    13) wheels="nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96
                nvidia-cuda-cccl==13.0.85" ;;
    12) wheels="nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-runtime-cu12==12.9.79 nvidia-cuda-nvcc-cu12==12.9.86" ;;
    *) echo "CUDA $major: 12 and 13 are known" >&2; return 1 ;;
    esac

    if [ ! -e "$root/whole" ]; then
        rm -rf "$root" && mkdir -p "$root/wheels" "$root/bin" "$root/include" "$root/lib" || return
        # shellcheck disable=SC2086 # they are words
        python3 -m pip download --quiet --no-deps --dest "$root/wheels" $wheels || return
        local wheel folder library
        for wheel in "$root"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$root/packages" || return; done
        rm -r "$root/wheels"
        if [ "$major" = 13 ]; then
            cp -rs "$root/packages/nvidia/cu13/." "$root/" || return
            chmod +x "$root"/packages/nvidia/cu13/bin/* "$root"/packages/nvidia/cu13/nvvm/bin/* || return
        else
            for folder in "$root"/packages/nvidia/*/include; do cp -rs "$folder/." "$root/include/" || return; done
        fi
        # Libraries with nothing in them: the linker asks for their names, and takes nothing from them.
        for library in cuda nvrtc cublas cublasLt; do
            "${CC:-cc}" -shared -o "$root/lib/lib$library.so" -x c /dev/null || return
        done
        # dfdx's build script asks it which card there is.
        printf '#!/bin/sh\necho compute_cap\necho "${INDHEAD_COMPUTE_CAP:-8.0}"\n' >"$root/bin/nvidia-smi"
        chmod +x "$root/bin/nvidia-smi"
        touch "$root/whole"
    fi
    if [ "$major" = 12 ]; then
        cp "$here/scripts/nvcc-by-nvrtc.py" "$root/bin/nvcc" && chmod +x "$root/bin/nvcc" || return
    fi
    export CUDA_PATH=$root CUDA_ROOT=$root CUDA_TOOLKIT_ROOT_DIR=$root CUDA_COMPUTE_CAP=$capability
    export INDHEAD_COMPUTE_CAP="${capability%?}.${capability: -1}"
    case :$PATH: in *:"$root/bin":*) ;; *) export PATH="$root/bin:$PATH" ;; esac
}

indhead_cuda_toolkit "$@"
