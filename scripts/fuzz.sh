#!/usr/bin/env bash
# Gives every fuzz target so many seconds, from its seeds and what earlier runs have found (fuzz/corpus):
#
#     scripts/fuzz.sh SECONDS [TARGET…]
#
# Stable Rust and a C++ compiler are all it needs. A panic, an overflow, an input that takes more than ten seconds or
# two gigabytes: it fails, and says which bytes did it (they lie in fuzz/artifacts).
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?how many seconds for each target}
shift
targets=("${@:-}")
[ -n "${targets[0]}" ] || targets=(spec documents token_store checkpoint template)

if ! command -v c++ >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends g++; } >/dev/null 2>&1 ||
        { echo "install a C++ compiler first: libFuzzer is written in it"; exit 1; }
fi
RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/rustc" cargo build --locked --release --package indhead-fuzz --bins

# What targets write is small, and need not reach a disk.
TMPDIR=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

failed=0
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    log="$TMPDIR/$target.log"
    status=0
    "target/release/$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -seed=1 -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
        >"$log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\) ft: \([0-9]*\).*/\1 edges, \2 features/p' "$log" | tail -n 1)
    printf '%-12s %9s executions, %s\n' "$target" "${runs:-?}" "${covered:-nothing covered}"
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log"
        failed=1
    fi
done
exit "$failed"
