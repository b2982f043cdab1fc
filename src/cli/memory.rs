//! Whether a device has what a run needs, before it begins.

use super::{Failure, Outcome, device};
use crate::error::Result;
use crate::model::cost::{countable, sequences_at_once, training_bytes};
use crate::ops::Precision;
use crate::ops::card::COUNTED;
use crate::plan::Plan;

/// Refuses a plan that needs more memory than there is, as far as both are known, or products that the device has not.
/// `beside` it, as many runs are on the device at a time.
///
/// # Errors
/// What it needs, what there is, and what to change.
pub fn check(plan: &Plan, beside: usize) -> Outcome {
    let name = plan.training.device.as_str();
    let precision = Precision::named(&plan.training.precision).unwrap_or_default();
    if let Some(why) = (device::of(plan).lacks)(precision) {
        let why = format!("error: {why}\nhelp: use `training.precision` = \"f32\"");
        return Err(Failure::Usage(why));
    }
    let Some(memory) = device::memory(plan) else { return Ok(()) };
    let free = memory.free / beside.max(1) as u64;
    let at_once = sequences_at_once(plan, name, Some(free))?;
    let needed = training_bytes(plan, name, at_once)?;
    let split = match at_once {
        1 => String::new(),
        _ => format!("set `training.micro_batch_size` to less than {at_once}, or "),
    };
    let what = match () {
        _ if !countable(plan, name, at_once)? => format!(
            "`{}` has {COUNTED} numbers or more in one place on a card, and its kernels do not count so far",
            plan.name
        ),
        _ if needed > free => {
            let there = match (name, beside) {
                (_, 2..) => format!("{beside} runs at a time leave it {}", gib(free)),
                ("cpu", _) => format!("this machine has {}", gib(free)),
                _ => format!("the card has {} free", gib(free)),
            };
            format!("`{}` needs about {} of memory, and {there}", plan.name, gib(needed))
        }
        _ => return Ok(()),
    };
    Err(Failure::Usage(format!(
        "error: {what}\n\
         help: {split}lower `training.batch_size` ({}), `architecture.n_ctx` ({}), `architecture.d_model` ({}) or \
         `tokenizer.d_vocab` ({})",
        plan.training.batch_size,
        plan.architecture.n_ctx,
        plan.architecture.d_model,
        plan.d_vocab(),
    )))
}

/// Says in a plan how many sequences are taken at a time, where it leaves that to the device: what a run did before, or
/// what fits now.
///
/// # Errors
/// If the plan names a block that this version has not.
pub fn settle(plan: &mut Plan, before: Option<toml::Value>) -> Result<()> {
    if plan.training.micro_batch_size.as_str() != Some("auto") {
        return Ok(());
    }
    let free = device::memory(plan).map(|memory| memory.free);
    plan.training.micro_batch_size = match before {
        Some(before) => before,
        None => match sequences_at_once(plan, &plan.training.device, free)? {
            all if all == plan.training.batch_size => "all".into(),
            some => (some as i64).into(),
        },
    };
    Ok(())
}

/// Bytes, in words.
fn gib(bytes: u64) -> String {
    let gib = bytes as f64 / f64::from(1 << 30);
    if gib < 1.0 { format!("{:.0} MiB", 1024.0 * gib) } else { format!("{gib:.1} GiB") }
}
