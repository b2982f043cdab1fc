//! Whether a run fits this machine's memory, before it begins.

use super::{Failure, Outcome};
use crate::model::cost::training_bytes;
use crate::plan::Plan;

/// Refuses a plan that needs more than there is, as far as both are known.
///
/// # Errors
/// How much it needs, how much there is, and what to lower.
pub fn check(plan: &Plan) -> Outcome {
    let needed = training_bytes(plan)?;
    match memory() {
        Some(there) if plan.training.device == "cpu" && needed > there => Err(Failure::Usage(format!(
            "error: `{}` needs about {} of memory, and this machine has {}\n\
             help: lower `training.batch_size` ({}), `architecture.n_ctx` ({}), `architecture.d_model` ({}) or \
             `tokenizer.d_vocab` ({})",
            plan.name,
            gib(needed),
            gib(there),
            plan.training.batch_size,
            plan.architecture.n_ctx,
            plan.architecture.d_model,
            plan.d_vocab(),
        ))),
        _ => Ok(()),
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}

/// The machine's memory in bytes, where Linux tells it.
fn memory() -> Option<u64> {
    let known = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = known.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
