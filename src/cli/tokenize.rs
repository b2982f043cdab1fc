//! `indhead tokenize`: the token store of a dataset, made ahead of any run.

use super::planning::plan_spec;
use super::printed::{self, columns, thousands};
use super::{Failure, Outcome, console, progress};
use crate::dataset::Dataset;
use crate::files::cache_folder;
use serde_json::json;
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
    let stores: Vec<String> = dataset.stores().iter().map(|path| path.display().to_string()).collect();
    if stores.is_empty() {
        let kind = &plan.dataset.kind;
        let message =
            format!("error: the dataset {kind:?} is of token ids already: there is nothing to tokenise");
        return Err(Failure::Usage(message));
    }
    let summary = dataset.summary();
    console::out(&match arguments.json {
        true => printed::json(&json!({
            "documents": summary.documents,
            "bytes": summary.bytes,
            "tokens": summary.tokens,
            "skipped": summary.skipped,
            "digest": summary.digest,
            "path": match stores.as_slice() {
                [only] => json!(only),
                several => json!(several),
            },
        })),
        false => columns(&[
            vec!["documents".to_string(), thousands(summary.documents)],
            vec!["bytes".into(), thousands(summary.bytes)],
            vec!["tokens".into(), thousands(summary.tokens)],
            vec!["skipped".into(), thousands(summary.skipped)],
            vec!["digest".into(), summary.digest.clone()],
            vec!["path".into(), stores.join(", ")],
        ]),
    });
    Ok(())
}
