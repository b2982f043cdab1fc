//! Whether a device has what a run needs, before it begins.

use super::{Failure, Outcome, device};
use crate::model::cost::{sequences_at_once, training_bytes};
use crate::ops::Precision;
use crate::plan::Plan;

/// Refuses a plan that needs more memory than there is, as far as both are known, or products that the device has not.
///
/// # Errors
/// What it needs, what there is, and what to change.
pub fn check(plan: &Plan) -> Outcome {
    let precision = Precision::named(&plan.training.precision).unwrap_or_default();
    if let Some(why) = (device::of(plan).lacks)(precision) {
        let why = format!("error: {why}\nhelp: use `training.precision` = \"f32\"");
        return Err(Failure::Usage(why));
    }
    let Some(memory) = device::memory(plan) else { return Ok(()) };
    let name = plan.training.device.as_str();
    let at_once = sequences_at_once(plan, name, Some(memory.total))?;
    let needed = training_bytes(plan, name, at_once)?;
    if needed <= memory.free {
        return Ok(());
    }
    let whose = if name == "cpu" { "this machine" } else { "the card" };
    let split = match at_once {
        1 => String::new(),
        _ => format!("set `training.micro_batch_size` to less than {at_once}, or "),
    };
    Err(Failure::Usage(format!(
        "error: `{}` needs about {} of memory, and {whose} has {}\n\
         help: {split}lower `training.batch_size` ({}), `architecture.n_ctx` ({}), `architecture.d_model` ({}) or \
         `tokenizer.d_vocab` ({})",
        plan.name,
        gib(needed),
        gib(memory.free),
        plan.training.batch_size,
        plan.architecture.n_ctx,
        plan.architecture.d_model,
        plan.d_vocab(),
    )))
}

/// Bytes, in words.
pub fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}
