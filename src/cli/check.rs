//! `indhead check`: what is wrong with specs, and nothing else.

use super::planning::{plan_spec, refuse};
use super::{Failure, Outcome, console, progress};
use crate::dataset;
use crate::files::cache_folder;
use crate::probes::check_texts;
use std::path::PathBuf;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Experiment files
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<PathBuf>,
    /// Replace a value in each of them
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Checks every spec, also after one that is wrong.
pub fn check(arguments: Arguments) -> Outcome {
    let mut wrong = Vec::new();
    for path in &arguments.specs {
        match check_one(path, &arguments.sets) {
            Ok(()) => console::out(&format!("{}: ok\n", path.display())),
            Err(Failure::Usage(words)) => wrong.push(words),
            Err(other) => return Err(other),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Usage(wrong.join("\n\n"))) }
}

fn check_one(path: &std::path::Path, sets: &[String]) -> Outcome {
    let mut ready = plan_spec(path, sets)?;
    // Whether a text fits is known only to the tokenizer, which a dataset may have to teach first.
    if ready.plan.analyses.iter().any(|a| a.config.contains_key("text")) {
        let mut preparing = progress::Preparing::new(false);
        let opened =
            dataset::open_tokenizer(&ready.plan, &cache_folder(), &mut |event| preparing.show(event));
        preparing.finish();
        check_texts(&ready.plan, &opened?, &mut ready.findings);
    }
    if ready.findings.failed() { Err(refuse(&ready.findings)) } else { Ok(()) }
}
