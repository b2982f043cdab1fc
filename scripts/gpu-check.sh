#!/usr/bin/env bash
# All that can only be known of a GPU, in one command, on a machine that has one, with a CUDA toolkit or without:
#
#     scripts/gpu-check.sh [PAIRS]
#
# builds the program, runs the tests of tests/cuda, which must not be skipped, and times the sizes of the papers beside
# PyTorch with torch.compile, in bf16 and TF32. Prints one table, for docs/gpu.md. Needs Rust, and python3 with pip.
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=${1:-3}

capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1)
command -v nvcc >/dev/null || . scripts/cuda-toolkit.sh 12 "$capability"
cargo build --locked --release --features cuda

[ -x target/peers/bin/python ] || python3 -m venv target/peers
target/peers/bin/pip install --quiet torch numpy
# Where the system has no cuBLAS, PyTorch's will do: it brings CUDA's libraries with it.
here=$({ ldconfig -p 2>/dev/null; ls /usr/local/cuda/lib64 /opt/cuda/lib64 2>/dev/null; } | grep -c 'libcublas\.so\.1[23]' || true)
if [ "$here" = 0 ]; then
    for folder in target/peers/lib/python*/site-packages/nvidia/*/lib; do
        export LD_LIBRARY_PATH="$PWD/$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    done
fi

echo "== tests on $card"
log=$(mktemp)
cargo test --locked --release --features cuda --test cuda | tee "$log"
if grep -q '^skipped' "$log"; then exit 1; fi

{
    echo "$card, $(date -u +%Y-%m-%d), PyTorch $(target/peers/bin/python -c 'import torch; print(torch.__version__)') compiled"
    for precision in bf16 tf32; do
        echo
        echo "$precision, 32 sequences of 512"
        target/peers/bin/python benches/peers/compare.py --device cuda --precision "$precision" --batch 32 --compile \
            --pairs "$pairs" specs/bench/paper_*.toml
    done
    echo
    for model in conv_attn attn_attn; do
        # The original experiment's shape: positions are a bias in its attention.
        target/release/indhead bench "specs/bench/paper_$model.toml" --device cuda --json \
            --set training.precision=bf16 --set training.batch_size=32 --set architecture.positions=relative_bias |
            python3 -c 'import json, sys
rate = json.load(sys.stdin)["tokens_per_second"]
print(f"{sys.argv[1]}: {rate:.0f} tokens/s, {9e9 / rate / 3600:.2f} hours for nine billion, without probes")' "$model"
    done
} | tee target/gpu-check.txt
