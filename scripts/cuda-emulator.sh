# A CUDA without a GPU: its driver, cuBLAS and NVRTC on the processor (tests/emulator), for testing what is built for a
# GPU. To be sourced, since it exports where it is:
#
#     . scripts/cuda-emulator.sh
#     cargo build --release --features cuda
#
# Needs a C++ compiler, which compiles the kernels as well: the first run of a program takes a while, and later ones
# find them in a cache. `tests/emulator/cuda.cpp` says what can be set.

# Builds it in the folder $2, from the repository at $1.
indhead_cuda_emulator_build() {
    local from=$1/tests/emulator root=$2 library
    local flags=(-std=c++17 -O3 -fPIC -shared -Wall -Wno-unused-function -fvisibility=hidden -ffp-contract=off -pthread)
    mkdir -p "$root/bin" "$root/include" "$root/headers" "$root/lib" && cp "$from"/*.h "$root/" || return
    # Headers of CUDA's: lines that say which of the emulator's comes in.
    printf '#pragma once\n#pragma emulated half.h\n' >"$root/include/cuda_fp16.h"
    printf '#pragma once\n#pragma emulated bfloat16.h\n' >"$root/include/cuda_bf16.h"
    for library in cuda.h cuda_runtime.h vector_types.h; do printf '#pragma once\n' >"$root/include/$library"; done
    # Those of C++ that nvcc finds: device.h has all of them.
    for library in math.h stdint.h stdio.h assert.h float.h limits.h cmath cstdint cstdio cfloat climits type_traits; do
        : >"$root/headers/$library"
    done
    # A program that runs keeps the library that it has: the new one has another name until it is whole.
    for library in cuda:1 cublas:12 nvrtc:12; do
        c++ "${flags[@]}" -o "$root/lib/new" "$from/${library%:*}.cpp" -ldl &&
            mv "$root/lib/new" "$root/lib/lib${library%:*}.so.${library#*:}" || return
    done
    # Libraries with nothing in them: the linker asks for their names, and takes nothing from them.
    for library in cuda nvrtc cublas cublasLt; do
        "${CC:-cc}" -shared -o "$root/lib/lib$library.so" -x c /dev/null || return
    done
    # dfdx's build script asks it which card there is.
    printf '#!/bin/sh\necho compute_cap\necho 8.0\n' >"$root/bin/nvidia-smi"
    cp "$from/nvcc" "$root/bin/nvcc" && chmod +x "$root/bin/nvcc" "$root/bin/nvidia-smi"
}

indhead_cuda_emulator() {
    local here root
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || return
    root=${CARGO_TARGET_DIR:-$here/target}/cuda-emulator
    mkdir -p "$root" && root=$(cd "$root" && pwd) || return
    # One at a time: the next finds it built.
    (
        flock 9
        if [ ! -e "$root/whole" ] || [ -n "$(find "$here/tests/emulator" "$here/scripts/cuda-emulator.sh" -newer "$root/whole")" ]; then
            rm -f "$root/whole"
            indhead_cuda_emulator_build "$here" "$root" && touch "$root/whole"
        fi
    ) 9>"$root/lock" || return
    # With a zero more than scripts/cuda-toolkit.sh has: dfdx's build script begins anew where this is another word.
    export CUDA_PATH=$root CUDA_ROOT=$root CUDA_TOOLKIT_ROOT_DIR=$root CUDA_COMPUTE_CAP=080
    case :$PATH: in *:"$root/bin":*) ;; *) export PATH="$root/bin:$PATH" ;; esac
    case :${LD_LIBRARY_PATH-}: in
    *:"$root/lib":*) ;;
    *) export LD_LIBRARY_PATH="$root/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
    esac
}

indhead_cuda_emulator
