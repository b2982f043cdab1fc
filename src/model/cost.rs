//! What training a plan's model costs, before it is made.

use super::blocks::{self, Cost};
use super::shapes::{Part, shapes};
use crate::error::Result;
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

/// Bytes that training on a processor takes at most, about: the parameters with their moments, then either what a
/// step keeps for its way back, with a chunk of logits, or the gradients with a copy of the largest parameter.
///
/// # Errors
/// If the plan names a block that this version has not.
pub fn training_bytes(plan: &Plan) -> Result<u64> {
    /// The program itself and its tables.
    const PROGRAM: usize = 20 << 20;
    let d_model = plan.architecture.d_model;
    let tokens = plan.training.batch_size * plan.architecture.n_ctx;
    let sizes: Vec<usize> = shapes(plan)?.iter().flat_map(|part: &Part| part.sizes()).collect();
    let (all, largest) = (sizes.iter().sum::<usize>(), sizes.iter().copied().max().unwrap_or(0));
    // The embedding, what positions add to it, and the final norm; then the blocks.
    let kept = 3 * d_model + block_costs(plan)?.iter().map(|cost| cost.kept).sum::<usize>();
    let logits = chunk(d_model, plan.d_vocab(), tokens) * plan.d_vocab();
    let loss = chunk_matrices(d_model, plan.d_vocab()) + logits + 2 * tokens * d_model;
    let forward = 3 * all + tokens * kept + loss;
    let backward = 4 * all + largest;
    // Allocation wastes about a tenth.
    Ok((4 * forward.max(backward) * 11 / 10 + PROGRAM) as u64)
}

fn block_costs(plan: &Plan) -> Result<Vec<Cost>> {
    let architecture = &plan.architecture;
    architecture
        .blocks
        .iter()
        .map(|chosen| (blocks::find(&chosen.kind)?.cost)(chosen, architecture))
        .collect()
}
