//! `indhead tokenize`: the token store of a dataset, made ahead of any run.

use super::planning::plan_spec;
use super::printed::{columns, json, thousands};
use super::{Failure, Outcome, console, progress};
use crate::dataset::Dataset;
use crate::files::cache_folder;
use std::path::PathBuf;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment file
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    /// Replace a value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Print an object, for programs
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

/// Makes the store, or goes on making it, or finds it, and says what is in it.
pub fn tokenize(arguments: Arguments) -> Outcome {
    let plan = plan_spec(&arguments.spec, &arguments.sets)?.plan;
    let mut preparing = progress::Preparing::new(arguments.quiet);
    let opened = Dataset::open(&plan, &cache_folder(), &mut |event| preparing.show(event));
    preparing.finish();
    let dataset = opened?;
    let Some(path) = dataset.store() else {
        return Err(Failure::Usage(format!(
            "error: the dataset {:?} makes its sequences on the spot: there is nothing to tokenise",
            plan.dataset.kind
        )));
    };
    let summary = dataset.summary();
    console::out(&match arguments.json {
        true => json(&serde_json::json!({
            "documents": summary.documents,
            "bytes": summary.bytes,
            "tokens": summary.tokens,
            "skipped": summary.skipped,
            "digest": summary.digest,
            "path": path,
        })),
        false => columns(&[
            vec!["documents".to_string(), thousands(summary.documents)],
            vec!["bytes".into(), thousands(summary.bytes)],
            vec!["tokens".into(), thousands(summary.tokens)],
            vec!["skipped".into(), thousands(summary.skipped)],
            vec!["digest".into(), summary.digest.clone()],
            vec!["path".into(), path.display().to_string()],
        ]),
    });
    Ok(())
}
