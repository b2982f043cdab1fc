//! `indhead check`: what is wrong with specs, and nothing else.

use super::planning::{plan_text, read_spec, refuse};
use super::{Failure, Outcome, console, progress, sweep};
use crate::dataset;
use crate::error::Error;
use crate::files::cache_folder;
use crate::probes::check_texts;
use crate::spec::Spec;
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
    let mut failed = None;
    for path in &arguments.specs {
        match check_one(path, &arguments.sets) {
            Ok(said) => console::out(&format!("{}: {said}\n", path.display())),
            Err(Failure::Usage(words)) => wrong.push(words),
            Err(Failure::World(error)) => {
                console::note(&format!("{}: {error}", path.display()));
                failed = Some(Failure::World(Error::message("not every spec could be checked")));
            }
            Err(other) => return Err(other),
        }
    }
    match failed {
        _ if !wrong.is_empty() => Err(Failure::Usage(wrong.join("\n\n"))),
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// What is to say of a spec that is right.
fn check_one(path: &std::path::Path, sets: &[String]) -> Result<String, Failure> {
    let bytes = read_spec(path)?;
    let spec = Spec::parse(path, &bytes, sets);
    if !spec.sweep.is_empty() {
        let members = sweep::plan_members(&spec, path)?;
        sweep::check_members(&members, false)?;
        return Ok(format!("ok, a sweep of {} runs", members.len()));
    }
    let mut ready = plan_text(path, bytes, sets)?;
    // Whether a text fits is known only to the tokenizer, which a dataset may have to teach first.
    if ready.plan.analyses.iter().any(|a| a.config.contains_key("text")) {
        let mut preparing = progress::Preparing::new(false);
        let opened =
            dataset::open_tokenizer(&ready.plan, &cache_folder(), &mut |event| preparing.show(event));
        preparing.finish();
        check_texts(&ready.plan, &opened?, &mut ready.findings);
    }
    if ready.findings.failed() { Err(refuse(&ready.findings)) } else { Ok("ok".into()) }
}
