//! `indhead diff`: what differs between specs or runs.

use super::planning::plan_spec;
use super::{Failure, Outcome, console};
use crate::diff::{Differences, Subject, compare, to_json, to_markdown, to_text};
use crate::record::directory::run_of;
use std::path::{Path, PathBuf};

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Specs or run directories, in any mix
    #[arg(required = true, num_args = 2.., value_name = "SPEC|RUN")]
    subjects: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show equal keys too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Columns, for a terminal
    Text,
    /// Tables, for a page
    Markdown,
    /// For programs
    Json,
}

/// Prints the differences; exit code 0 if the configurations are equal, 1 if they differ.
pub fn diff(arguments: Arguments) -> Outcome {
    let subjects: Vec<Subject> = arguments.subjects.iter().map(|p| subject(p)).collect::<Result<_, _>>()?;
    let differences = compare(&subjects, arguments.all);
    let print: fn(&[Subject], &Differences) -> String = match arguments.format {
        Format::Text => to_text,
        Format::Markdown => to_markdown,
        Format::Json => to_json,
    };
    console::out(&print(&subjects, &differences));
    if differences.is_empty() { Ok(()) } else { Err(Failure::Different) }
}

/// A spec, or a run (its folder, or a file in it), as something to compare.
fn subject(path: &Path) -> Result<Subject, Failure> {
    let name = path.display().to_string();
    let run = run_of(path);
    if path.is_dir() || path.file_name().is_some_and(|file| file == "plan.toml") && run.exists() {
        let record = run.record()?;
        let text = String::from_utf8_lossy(&run.read("plan.toml")?).into_owned();
        return Ok(Subject { record: Some(record), ..Subject::of_text(&name, &text) });
    }
    let ready = plan_spec(path, &[])?;
    Ok(Subject::of_text(&name, &ready.plan.to_toml(Some(&ready.findings))))
}
