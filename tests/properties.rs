//! What holds of everything, on inputs drawn at random, always the same ones: plans are what their text says, runs end
//! as they would have wherever they were interrupted, and no bytes are too strange to be answered.

mod common;
#[cfg(feature = "parquet")]
#[path = "formats/columns.rs"]
#[allow(dead_code, reason = "its forms are asked for by name elsewhere")]
mod columns;
#[path = "formats/forms.rs"]
#[allow(dead_code, reason = "tests/formats.rs uses all of it")]
mod forms;
#[path = "properties/bytes.rs"]
mod bytes;
#[path = "properties/plans.rs"]
mod plans;
#[path = "properties/runs.rs"]
mod runs;
#[path = "properties/specs.rs"]
mod specs;

use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Draws so many cases, the same every time; what fails is made smaller before it is told.
fn drawing(cases: u32) -> TestRunner {
    let failure_persistence = None;
    let rng_seed = RngSeed::Fixed(20_220_920);
    TestRunner::new(Config {
        cases,
        rng_seed,
        failure_persistence,
        max_shrink_iters: 500,
        ..Config::default()
    })
}
