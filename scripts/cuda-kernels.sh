#!/usr/bin/env bash
# Compiles our kernels without a card, by CUDA 12 from packages, and assembles them for the cards that papers train on:
# A100 (sm_80) and H100 (sm_90), as products take f32 and as they take bf16. Says how many registers the hungriest takes.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/cuda-toolkit.sh 12
ptxas=$(find -L target/cuda-toolkit/12/packages -name ptxas -type f | head -n 1)
chmod +x "$ptxas"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

kernels=src/ops/cuda/kernels
wanted=$(cat $kernels/*.cu | grep -c '^extern "C" __global__')
for real in f32 bf16; do
    {
        [ $real = f32 ] || echo '#define REAL_BF16'
        cat $kernels/common.cu
        find $kernels -name '*.cu' ! -name common.cu | sort | xargs cat
    } >"$out/$real.cu"
    for card in sm_80 sm_90; do
        nvcc --gpu-architecture=$card --ptx --output-directory "$out" "$out/$real.cu"
        "$ptxas" --gpu-name=$card --verbose --output-file "$out/$real.cubin" "$out/$real.ptx" 2>"$out/said"
        made=$(grep -c '^\.visible \.entry' "$out/$real.ptx")
        test "$made" -eq "$wanted" || { echo "$made of $wanted kernels for $card in $real"; exit 1; }
        ! grep 'spill stores' "$out/said" | grep -v ' 0 bytes spill stores' || { echo "registers spill"; exit 1; }
        most=$(sed -n 's/.*Used \([0-9]*\) registers.*/\1/p' "$out/said" | sort -n | tail -n 1)
        # Blocks have up to 1024 threads, and a card 65536 registers for them.
        test "$most" -le 64 || { echo "a kernel takes $most registers: no block of 1024 threads fits"; exit 1; }
        echo "$card, $real: $made kernels, at most $most registers"
    done
done
