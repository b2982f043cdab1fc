//! `indhead check`: what is wrong with specs, and nothing else.

use super::planning::{complaint, resolve, unreadable, warn};
use super::printed::json;
use super::{Failure, Outcome, console, progress, sweep};
use crate::dataset;
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::plan::Planned;
use crate::probes::check_texts;
use crate::spec::placed::{Placed, placed, whole_file};
use crate::spec::{Findings, Spec};
use std::path::{Path, PathBuf};

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Experiment files
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<PathBuf>,
    /// Replace a value in each of them
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Print an array of diagnostics with their places, for editors
    #[arg(long)]
    json: bool,
}

/// What came of one spec.
enum Checked {
    /// It could be read, and this was found.
    Read(Findings, String),
    /// It could not: what to say, and what to do.
    Unreadable(String, Vec<String>),
}

/// Checks every spec, also after one that is wrong.
pub fn check(arguments: Arguments) -> Outcome {
    let (mut listed, mut wrong, mut failed) = (Vec::<Placed>::new(), Vec::new(), false);
    for path in &arguments.specs {
        let name = path.display().to_string();
        match check_one(path, &arguments.sets) {
            Err(error) => {
                console::note(&format!("{name}: {error}"));
                failed = true;
            }
            Ok(Checked::Unreadable(message, help)) => {
                let helped = help.iter().map(|help| format!("\nhelp: {help}"));
                wrong.push(format!("error: {message}{}", helped.collect::<String>()));
                listed.push(whole_file(name, message, help));
            }
            Ok(Checked::Read(findings, said)) => {
                listed.extend(placed(&findings));
                if findings.failed() {
                    wrong.push(complaint(&findings));
                } else if !arguments.json {
                    warn(&findings);
                    console::out(&format!("{name}: {said}\n"));
                }
            }
        }
    }
    if arguments.json {
        console::out(&json(&listed));
    }
    match wrong.is_empty() {
        false if arguments.json => Err(Failure::Usage(String::new())),
        false => Err(Failure::Usage(wrong.join("\n\n"))),
        true if failed => Err(Failure::World(Error::message("not every spec could be checked"))),
        true => Ok(()),
    }
}

fn check_one(path: &Path, sets: &[String]) -> Result<Checked> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let (message, help) = unreadable(path, &error);
            return Ok(Checked::Unreadable(message, help));
        }
    };
    let spec = Spec::parse(path, &bytes, sets);
    if !spec.sweep.is_empty() {
        let (members, mut findings) = sweep::members(&spec, path);
        if !findings.failed() {
            sweep::check_members(&members, false, &mut findings)?;
        }
        return Ok(Checked::Read(findings, format!("ok, a sweep of {} runs", members.len())));
    }
    let Planned { plan, mut findings } = resolve(spec, path);
    // Whether a text fits is known only to the tokenizer, which a dataset may have to teach first.
    if let Some(plan) = plan.filter(|plan| {
        plan.analyses.iter().any(|a| a.config.contains_key("text")) && findings.not_here.is_empty()
    }) {
        let mut preparing = progress::Preparing::new(false);
        let opened = dataset::open_tokenizer(&plan, &cache_folder(), &mut |event| preparing.show(event));
        preparing.finish();
        check_texts(&plan, &opened?, &mut findings);
    }
    Ok(Checked::Read(findings, "ok".into()))
}
