//! From the device's name in a plan to code compiled for it.

use super::bench;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::model::device::Memory;
use crate::model::shapes::{Part, shapes};
use crate::model::{Backend, Subject};
use crate::ops::Precision;
use crate::plan::Plan;
use crate::record::RunDirectory;
use crate::training::{self, Watch};
use dfdx::prelude::Cpu;

/// Training, from the start or from a step.
type Train = fn(&Plan, &Dataset, &RunDirectory, Option<u64>, &mut dyn Watch) -> Result<()>;

/// What commands ask of a device.
pub struct DeviceCommands {
    /// [`training::train`].
    pub train: Train,
    /// [`training::load`].
    pub load: fn(&Plan, &RunDirectory, u64) -> Result<Box<dyn Subject>>,
    /// [`bench::measure`].
    pub bench: fn(&Plan, &Dataset, Option<u64>) -> Result<bench::Figures>,
    memory: fn() -> Option<Memory>,
    /// Why the device has no products of a precision.
    pub lacks: fn(Precision) -> Option<String>,
    /// How many parameters a plan's model has.
    pub n_parameters: fn(&Plan) -> Result<usize>,
}

/// The commands of the plan's device.
pub fn of(plan: &Plan) -> DeviceCommands {
    #[cfg(feature = "cuda")]
    if plan.training.device == "cuda" {
        return on::<dfdx::prelude::Cuda>();
    }
    debug_assert_ne!(plan.training.device, "auto");
    on::<Cpu>()
}

/// The memory of the plan's device, where it is known: that of a card which is not here is not.
pub fn memory(plan: &Plan) -> Option<Memory> {
    let built = cfg!(feature = "cuda") || plan.training.device == "cpu";
    built.then(|| (of(plan).memory)()).flatten()
}

fn on<D: Backend>() -> DeviceCommands {
    DeviceCommands {
        train: training::train::<D>,
        load: |plan, run, step| Ok(Box::new(training::load::<D>(plan, run, step)?)),
        bench: bench::measure::<D>,
        memory: D::memory,
        lacks: D::lacks,
        n_parameters: |plan| Ok(shapes(plan)?.iter().map(Part::n_parameters).sum()),
    }
}
