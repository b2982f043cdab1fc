//! `indhead diff`: what differs between specs or runs.

use super::planning::plan_spec;
use super::{Failure, Outcome, console};
use crate::diff::{Subject, compare, to_text};
use crate::record::directory::run_of;
use std::path::{Path, PathBuf};

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Specs or run directories, in any mix
    #[arg(required = true, num_args = 2.., value_name = "SPEC|RUN")]
    subjects: Vec<PathBuf>,
    /// Show equal keys too
    #[arg(long)]
    all: bool,
}

/// Prints the differences; exit code 0 if the configurations are equal, 1 if they differ.
pub fn diff(arguments: Arguments) -> Outcome {
    let subjects: Vec<Subject> = arguments.subjects.iter().map(|p| subject(p)).collect::<Result<_, _>>()?;
    let differences = compare(&subjects, arguments.all);
    console::out(&to_text(&subjects, &differences));
    if compare(&subjects, false).is_empty() { Ok(()) } else { Err(Failure::Different) }
}

fn subject(path: &Path) -> Result<Subject, Failure> {
    let name = path.display().to_string();
    if path.is_dir() {
        let record = run_of(path).record()?;
        return Ok(Subject { name, plan: record.plan.clone(), record: Some(record) });
    }
    let plan = plan_spec(path, &[])?.plan;
    Ok(Subject { name, plan: toml::Table::try_from(&plan).unwrap_or_default(), record: None })
}
