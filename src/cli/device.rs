//! From the device's name in a plan to code compiled for it.

use super::bench;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::model::device::{Memory, available};
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
    load: fn(&Plan, &RunDirectory, u64) -> Result<Box<dyn Subject>>,
    /// [`bench::measure`].
    pub bench: fn(&Plan, &Dataset, Option<u64>) -> Result<bench::Figures>,
    memory: fn() -> Option<Memory>,
    /// What the device is, where the same bits depend on it.
    pub description: fn() -> Vec<(&'static str, String)>,
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

/// A model as it was saved, on the plan's device, or where that is not here, on the processor.
///
/// # Errors
/// If the checkpoint is damaged or does not fit the plan.
pub fn load(plan: &Plan, run: &RunDirectory, step: u64) -> Result<Box<dyn Subject>> {
    let here = plan.training.device == "cpu" || available().0.contains(&"cuda");
    let commands = if here { of(plan) } else { on::<Cpu>() };
    (commands.load)(plan, run, step)
}

/// Says in words that the card failed, and ends: in dfdx 0.13 it is a panic, and another one as its tensors are dropped.
#[cfg(feature = "cuda")]
pub fn tell_of_failing_cards() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        let Some(code) = said.split_once("DriverError(").map(|(_, rest)| rest) else { return before(panic) };
        let code = code.split([',', ')']).next().unwrap_or_default();
        super::console::note(&format!(
            "error: the card failed ({code})\nhelp: what was saved is whole; go on with: {} --resume",
            super::run::command_line()
        ));
        std::process::exit(1);
    }));
}

/// Why the GPU of this machine is none, where there is at least its driver.
pub fn broken() -> Option<String> {
    available().1.filter(|why| !why.contains("not to be found"))
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
        description: D::description,
        lacks: D::lacks,
        n_parameters: |plan| Ok(shapes(plan)?.iter().map(Part::n_parameters).sum()),
    }
}
