# The quick experiment: a report in reports/quick/report.md
run:
    cargo run --release -- run

# Every test
test:
    cargo test --release

# Everything that has to hold before a change lands
ci:
    .ci/run

# The kept reports, and the run directories they come from, without checkpoints (ten minutes)
reports:
    cargo build --release
    for spec in conv_attn attn_attn smeared attn; do target/release/indhead run specs/$spec.toml --overwrite; done
    mkdir -p target/stored/four
    for run in conv_attn attn_attn smeared attn; do cp -r runs/$run target/stored/four/; done
    target/release/indhead compare target/stored/four --out reports/four
    tar --sort=name --owner=0 --group=0 --numeric-owner --exclude=checkpoints -czf assets/runs.tar.gz -C target/stored four

# Accept changed snapshots after looking at them
review:
    INSTA_UPDATE=always cargo test --release

# Type-check the CUDA side without a toolkit
cuda-check:
    cargo check --features cuda,dfdx/ci-check

# The gallery of figures and probes, out of the registries
gallery:
    cargo test --release --test gallery -- --ignored

# Every operation, fused against composed
bench:
    cargo bench

# Training speed beside PyTorch's (needs `pip install torch numpy`)
peers:
    cargo build --release
    python3 benches/peers/compare.py
