//! What training a plan's model costs, before it is made.

use super::blocks::{self, Cost};
use super::shapes::{Part, shapes};
use crate::error::Result;
use crate::ops::card;
use crate::ops::linear_cross_entropy::{chunk, chunk_matrices};
use crate::plan::Plan;

/// Floating-point operations of a training step's matrix products, a token: three times those going forward, as
/// the way back has two products for each (Kaplan et al. 2020, section 2.1, with attention over the past alone).
///
/// # Errors
/// If the plan names a block that this version has not.
pub fn flops_per_token(plan: &Plan) -> Result<u64> {
    let forward: usize = block_costs(plan)?.iter().map(|cost| cost.flops).sum();
    Ok(3 * (forward + 2 * plan.architecture.d_model * plan.d_vocab()) as u64)
}

/// Bytes that training on a device takes at most, about, with so many sequences at a time.
///
/// # Errors
/// If the plan names a block that this version has not.
pub fn training_bytes(plan: &Plan, device: &str, at_once: usize) -> Result<u64> {
    let sizes: Vec<usize> = shapes(plan)?.iter().flat_map(|part: &Part| part.sizes()).collect();
    let blocks = block_costs(plan)?;
    let bytes = match device {
        "cuda" => card_bytes(plan, at_once, sizes.iter().sum(), &blocks),
        _ => processor_bytes(plan, at_once, &sizes, &blocks),
    };
    Ok(bytes as u64)
}

/// The parameters with their moments, then either what a step keeps for its way back, with a chunk of logits, or the
/// gradients with a copy of the largest parameter.
fn processor_bytes(plan: &Plan, at_once: usize, sizes: &[usize], blocks: &[Cost]) -> usize {
    /// The program itself and its tables.
    const PROGRAM: usize = 20 << 20;
    let d_model = plan.architecture.d_model;
    let tokens = at_once * plan.architecture.n_ctx;
    let (all, largest) = (sizes.iter().sum::<usize>(), sizes.iter().copied().max().unwrap_or(0));
    // The embedding, what positions add to it, and the final norm; then the blocks.
    let kept = 3 * d_model + blocks.iter().map(|cost| cost.kept).sum::<usize>();
    let logits = chunk(d_model, plan.d_vocab(), tokens) * plan.d_vocab();
    let loss = chunk_matrices(d_model, plan.d_vocab()) + logits + 2 * tokens * d_model;
    let sums = if at_once < plan.training.batch_size { all } else { 0 };
    let forward = 3 * all + sums + tokens * kept + loss;
    let backward = 4 * all + sums + largest;
    // Allocation wastes about a tenth.
    4 * forward.max(backward) * 11 / 10 + PROGRAM
}

/// Bytes of a card that the driver, cuBLAS and kernels take for themselves, about, and which are not free any more once it
/// is open.
pub const CONTEXT: u64 = 600 << 20;

/// The parameters with their moments and gradients, what a step keeps and the gradients of all that, and the memory
/// that operations work in; beside [`CONTEXT`].
fn card_bytes(plan: &Plan, at_once: usize, all: usize, blocks: &[Cost]) -> usize {
    let d_model = plan.architecture.d_model;
    let tokens = at_once * plan.architecture.n_ctx;
    let kept = 3 * d_model + blocks.iter().map(|cost| cost.kept).sum::<usize>();
    // In bf16, matrices are copies beside what they are of.
    let real = if plan.training.precision == "bf16" { 6 } else { 4 };
    let d_vocab = plan.d_vocab().next_multiple_of(8);
    let logits = real * card::chunk(d_vocab, tokens) * d_vocab;
    let loss = logits + (real + 4) * d_model * d_vocab + 4 * 2 * tokens * d_model;
    let most = |of: fn(&Cost) -> usize| blocks.iter().map(of).max().unwrap_or(0);
    let a_sequence = plan.architecture.n_ctx * most(|cost| cost.scores);
    let scores = (tokens * most(|cost| cost.scores)).min(card::SCORES.max(a_sequence));
    let worked = real * tokens * (2 * d_model + most(|cost| cost.worked));
    let sums = if at_once < plan.training.batch_size { all } else { 0 };
    let bytes = 4 * (4 * all + sums) + 4 * 2 * tokens * kept + loss + (real + 4) * scores + worked;
    bytes * 21 / 20
}

/// Whether a card's kernels, which count in 31 bits, can count what a step has in one place.
///
/// # Errors
/// If the plan names a block that this version has not.
pub fn countable(plan: &Plan, device: &str, at_once: usize) -> Result<bool> {
    let tokens = at_once * plan.architecture.n_ctx;
    let widest = block_costs(plan)?.iter().map(|cost| cost.worked).max().unwrap_or(0);
    let widest = widest.max(plan.architecture.d_model);
    let table = plan.architecture.d_model * plan.d_vocab().next_multiple_of(8);
    Ok(device == "cpu" || (tokens * widest).max(table) < card::COUNTED)
}

/// Sequences that a step takes at a time on a device that has so many bytes for it, where that is known.
///
/// # Errors
/// If the plan names a block that this version has not.
pub fn sequences_at_once(plan: &Plan, device: &str, memory: Option<u64>) -> Result<usize> {
    let batch = plan.training.batch_size;
    let asked = &plan.training.micro_batch_size;
    if let Some(number) = asked.as_integer() {
        return Ok((number as usize).clamp(1, batch));
    }
    let Some(memory) = memory.filter(|_| asked.as_str() == Some("auto")) else { return Ok(batch) };
    // As few and as equal parts as fit, and some room beside them.
    for parts in 1..batch {
        let at_once = batch.div_ceil(parts);
        let fits = training_bytes(plan, device, at_once)? <= memory / 10 * 9;
        if fits && countable(plan, device, at_once)? {
            return Ok(at_once);
        }
    }
    Ok(1)
}

fn block_costs(plan: &Plan) -> Result<Vec<Cost>> {
    let architecture = &plan.architecture;
    architecture
        .blocks
        .iter()
        .map(|chosen| (blocks::find(&chosen.kind)?.cost)(chosen, architecture))
        .collect()
}
