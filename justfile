# The quick experiment: a report in reports/quick/report.md
run:
    cargo run --release -- run

# Every test
test:
    cargo test --release

# Everything that has to hold before a change lands
ci:
    .ci/run

# The kept reports, and what of their runs is kept with them (hours)
reports:
    cargo build --release
    for spec in conv_attn attn_attn smeared attn; do target/release/indhead run specs/$spec.toml --overwrite; done
    for spec in specs/seeds/*.toml specs/why/learned*.toml specs/why/relative_bias*.toml specs/why/longer.toml; do target/release/indhead run $spec --jobs 2 --resume; done
    python3 scripts/prose-corpus.py ~/prose
    for spec in specs/prose/*.toml; do target/release/indhead run $spec --overwrite; done
    just stored

# The reports of what lies in runs/, and what is kept of it
stored:
    rm -rf target/stored && mkdir -p target/stored/four
    for run in conv_attn attn_attn smeared attn; do cp -r runs/$run target/stored/four/; done
    for set in seeds why why_repeats why_longer prose; do python3 scripts/thin-runs.py runs/$set target/stored/$set; done
    tar --sort=name --owner=0 --group=0 --numeric-owner --exclude=checkpoints -czf assets/runs.tar.gz -C target/stored four seeds why why_repeats why_longer prose
    target/release/indhead report target/stored/four/*
    for set in four seeds why why_repeats why_longer prose; do target/release/indhead compare target/stored/$set --out reports/$set; done

# Accept changed snapshots after looking at them
review:
    INSTA_UPDATE=always cargo test --release

# Type-check the CUDA side without a toolkit
cuda-check:
    cargo check --features cuda,dfdx/ci-check

# The tests of a card, on one that is emulated
cuda-emulated:
    bash -c '. scripts/cuda-emulator.sh && cargo test --release --features cuda --test cuda'

# The tests of a card, and its speed beside PyTorch's, where there is one
cuda-card:
    scripts/gpu-check.sh

# The CUDA side, with a toolkit from packages
cuda-build:
    bash -c '. scripts/cuda-toolkit.sh && cargo build --release --features cuda'

# The gallery of figures and probes, out of the registries
gallery:
    cargo test --release --test gallery -- --ignored

# Strange bytes at every door, five minutes each
fuzz:
    nice scripts/fuzz.sh 300

# Every operation, fused against composed
bench:
    cargo bench

# Training speed beside PyTorch's (needs `pip install torch numpy`)
peers:
    cargo build --release
    python3 benches/peers/compare.py
