#!/bin/bash
# The emulator's own tests: builds it if need be, and runs selftest.cpp on it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/cuda-emulator.sh
. scripts/cuda-emulator.sh
program=$CUDA_PATH/selftest
lib=$CUDA_PATH/lib
c++ -std=c++17 -O1 -Wall -o "$program" tests/emulator/selftest.cpp "$lib/libcuda.so.1" "$lib/libcublas.so.12" "$lib/libnvrtc.so.12"
"$program"
