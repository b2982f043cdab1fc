# The quick experiment: a report in reports/quick/report.md
run:
    cargo run --release -- run

# Every test
test:
    cargo test --release

# Everything that has to hold before a change lands
ci:
    .ci/run

# The four experiments on real source code
real:
    cargo run --release -- run specs/conv_attn.toml
    cargo run --release -- run specs/attn_attn.toml
    cargo run --release -- run specs/smeared.toml
    cargo run --release -- run specs/attn.toml

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
