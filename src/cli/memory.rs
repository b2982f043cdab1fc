//! Whether a run fits the memory of its device, before it begins.

use super::{Failure, Outcome, device};
use crate::model::cost::{sequences_at_once, training_bytes};
use crate::plan::Plan;

/// Refuses a plan that needs more than there is, as far as both are known.
///
/// # Errors
/// How much it needs, how much there is, and what to lower.
pub fn check(plan: &Plan) -> Outcome {
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
