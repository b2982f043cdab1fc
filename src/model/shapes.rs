//! What a model will be made of, without making it.

use super::Model;
use super::params::Maker;
use crate::error::Result;
use crate::plan::Plan;
use dfdx::prelude::*;

/// A part of a model: the embedding, a block, the unembedding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is: `block 1, attention`.
    pub name: String,
    /// The name and shape of each of its tensors, as in a checkpoint.
    pub tensors: Vec<(String, Vec<usize>)>,
}

impl Part {
    /// How many numbers it learns.
    pub fn n_parameters(&self) -> usize {
        self.sizes().sum()
    }

    /// How many numbers each of its tensors holds.
    pub fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.tensors.iter().map(|(_, shape)| shape.iter().product())
    }
}

/// The parts of a plan's model, in the order of data through it.
///
/// # Errors
/// If the plan was not made by this version.
pub fn shapes(plan: &Plan) -> Result<Vec<Part>> {
    let mut maker = Maker::new(Cpu::seed_from_u64(0), plan.seed);
    maker.only_shapes = true;
    let model = Model::build(plan, &mut maker)?;
    let tensors: Vec<_> = model.params.iter().map(|p| (p.name.clone(), p.shape.clone())).collect();
    let ends = maker.parts.iter().skip(1).map(|(_, start)| *start).chain([tensors.len()]);
    let parts = maker.parts.iter().zip(ends);
    Ok(parts
        .map(|((name, start), end)| Part { name: name.clone(), tensors: tensors[*start..end].to_vec() })
        .collect())
}
