//! What can only be known of a card: every operation beside its composed form on the processor, a training beside the
//! processor's, and that the same is done twice.
//!
//! Where there is none, every test is reported as ignored, with the reason: nothing is green that did not run. The same
//! tests run on a card that is emulated (scripts/cuda-emulator.sh).

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "cuda")]
mod ops;
#[cfg(feature = "cuda")]
mod runs;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A card is one for all.
    arguments.test_threads = Some(1);
    let (devices, why) = indhead::model::device::available();
    let skipped = !devices.contains(&"cuda");
    if skipped {
        let why = why.unwrap_or_else(|| "this is a build without `--features cuda`".into());
        println!("skipped, no card: {why}");
    }
    let all = trials().into_iter().map(|trial| trial.with_ignored_flag(skipped)).collect();
    libtest_mimic::run(&arguments, all).exit_code()
}

#[cfg(feature = "cuda")]
fn trials() -> Vec<Trial> {
    ops::trials().into_iter().chain(runs::trials()).collect()
}

/// What is not tested in this build.
#[cfg(not(feature = "cuda"))]
fn trials() -> Vec<Trial> {
    vec![Trial::test("every_operation_and_a_training_on_a_card", || Err("there is no card".into()))]
}
