//! Whether a run can go on with a spec: with the same plan, with other analyses, or for longer.

use super::Failure;
use crate::dataset::Dataset;
use crate::diff::{self, Difference, Subject};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::RunDirectory;
use crate::training;

/// Tables that say what is measured and told of a run, and nothing of what it trains.
const TOLD: [&str; 4] = ["description", "analyses", "verdict", "report"];
/// How much longer it is.
const STEPS: &str = "training.steps";

/// How a spec fits a run.
pub enum Fit {
    /// It is the run's own.
    Same,
    /// The run can go on with it; how it differs, in words.
    Compatible(String),
    /// It cannot; how it differs, in words.
    Other(String),
}

/// How many sequences a run takes at a time, by its own plan.
pub fn micro_batch_size(run: &RunDirectory) -> Option<toml::Value> {
    let bytes = run.read("plan.toml").ok()?;
    let own: toml::Table = toml::from_str(&String::from_utf8_lossy(&bytes)).ok()?;
    own.get("training")?.get("micro_batch_size").cloned()
}

/// Compares a run's own plan with this one.
///
/// # Errors
/// If the run cannot be read.
pub fn fit(run: &RunDirectory, plan: &Plan, stretch: bool) -> Result<Fit> {
    let own: toml::Table = toml::from_str(&String::from_utf8_lossy(&run.read("plan.toml")?))
        .map_err(|e| Error::message(format!("{} is damaged: {e}", run.file("plan.toml").display())))?;
    let old =
        own.get("training").and_then(|training| training.get("steps")).and_then(toml::Value::as_integer);
    let mut wanted = toml::Table::try_from(plan).unwrap_or_default();
    if plan.training.micro_batch_size.as_str() == Some("auto")
        && let Some(toml::Value::Table(wanted)) = wanted.get_mut("training")
        && let Some(settled) = micro_batch_size(run)
    {
        // What fitted when the run began is kept.
        wanted.insert("micro_batch_size".into(), settled);
    }
    let subjects = [Subject::of_plan("the run", own), Subject::of_plan("the spec", wanted)];
    let differences = diff::compare(&subjects, false);
    if differences.is_empty() {
        return Ok(Fit::Same);
    }
    let table = diff::to_text(&subjects, &differences);
    let rows = || differences.results.iter().chain(&differences.cosmetic).map(Difference::key);
    let told = |key: &str| TOLD.contains(&key.split(['.', '[']).next().unwrap_or_default());
    if !rows().all(|key| told(&key) || key == STEPS) {
        return Ok(Fit::Other(table));
    }
    let old = old.and_then(|steps| u64::try_from(steps).ok()).unwrap_or(0);
    let taken = run.checkpoints().last().copied().unwrap_or(0);
    if plan.training.steps < taken {
        let words =
            format!("{table}\nhelp: the run has come to step {taken}: it cannot be made shorter than that\n");
        return Ok(Fit::Other(words));
    }
    match stretch || training::same_rates(plan, old, taken)? {
        true => Ok(Fit::Compatible(table)),
        false => Ok(Fit::Other(format!(
            "{table}\nhelp: with other steps in all, the {taken} steps taken would have had other learning rates: the \
             result is none that a new run would have; `--stretch` goes on all the same\n"
        ))),
    }
}

/// What is said where a spec does not fit.
pub fn refusal(run: &RunDirectory, state: &str, table: &str) -> Failure {
    Failure::Usage(format!("error: {} {state} from another plan\n\n{table}", run.path.display()))
}

/// Whether the dataset still gives what the run was trained on, as its provenance has it.
///
/// # Errors
/// If it does not, with both digests; if the provenance is not what was written.
pub fn same_dataset(run: &RunDirectory, dataset: &Dataset) -> Result<()> {
    // One that was killed at its beginning has none.
    if !run.file("provenance.json").exists() {
        return Ok(());
    }
    let provenance: serde_json::Value = run.read_json("provenance.json")?;
    let here = [("dataset", dataset.summary().digest.clone()), ("tokenizer", dataset.tokenizer().digest())];
    for (what, now) in here {
        let Some(then) = provenance[what]["digest"].as_str() else { continue };
        if then != now {
            let path = run.path.display();
            return Err(Error::message(format!(
                "{path} was trained on another {what}: its digest was {then}, and is {now} now\n\
                 help: bring back what was there, or start another run with `--name`, or this one with `--overwrite`"
            )));
        }
    }
    Ok(())
}
