//! `indhead run`: plan, dataset, training, probes, report, in that order.

use super::planning::{Ready, plan_text, read_spec, refuse};
use super::resuming::{self, Fit};
use super::watcher::Watcher;
use super::{Failure, Outcome, analyses, console, device, memory, progress, provenance, report, sweep};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::plan::Plan;
use crate::probes::{Observer, check_texts};
use crate::record::{Resumption, RunDirectory};
use crate::spec::Spec;
use std::path::{Path, PathBuf};

/// The spec that runs where none is given.
const QUICK: &str = include_str!("../../specs/quick.toml");

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment file; without one, the built-in quick experiment
    pub(super) spec: Option<PathBuf>,
    /// Replace a value: `--set training.tokens=1_000_000`, `--set architecture.blocks.1.n_heads=8`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
    /// Name the run otherwise than the spec does
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Where run directories are
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(super) runs: PathBuf,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) reports: PathBuf,
    /// Where to train: auto, cpu or cuda
    #[arg(long, value_name = "DEVICE")]
    pub(super) device: Option<String>,
    /// Go on from the newest checkpoint of a run that was interrupted
    #[arg(long, conflicts_with = "overwrite")]
    pub(super) resume: bool,
    /// Go on for more tokens than the run was begun for, though the learning rates of the steps taken would have been
    /// others
    #[arg(long, requires = "resume")]
    stretch: bool,
    /// Replace a run of the same name
    #[arg(long)]
    pub(super) overwrite: bool,
    /// Print no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Of a sweep: how many members run at once; one if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Of a sweep: run only this member, counted from 0
    #[arg(long, value_name = "I", conflicts_with = "jobs")]
    member: Option<usize>,
    #[command(flatten)]
    pub(super) form: report::Form,
}

impl Arguments {
    /// How many members of a sweep run at once.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.map_or(1, usize::from)
    }
}

/// Runs it.
pub fn run(arguments: Arguments) -> Outcome {
    arguments.form.check()?;
    let mut sets = arguments.sets.clone();
    sets.extend(arguments.name.as_ref().map(|name| format!("name={name}")));
    sets.extend(arguments.device.as_ref().map(|device| format!("training.device={device}")));
    let (path, bytes) = match &arguments.spec {
        Some(path) => (path.as_path(), read_spec(path)?),
        None => (Path::new("quick.toml"), QUICK.into()),
    };
    let spec = Spec::parse(path, &bytes, &sets);
    match (spec.sweep.is_empty(), arguments.member) {
        (true, None) if arguments.jobs.is_some() && !spec.findings.failed() => Err(Failure::Usage(format!(
            "error: {} has no [sweep]: it is one run, and `--jobs` says how many members run at once",
            path.display()
        ))),
        (true, None) => one(&arguments, plan_text(path, bytes, &sets)?),
        (false, None) => sweep::run(&arguments, &spec, path),
        (_, Some(index)) => {
            let mut members = sweep::plan_members(&spec, path)?;
            if index >= members.len() {
                return Err(Failure::Usage(match members.len() {
                    0 => format!("error: {} has no [sweep], and so no members", path.display()),
                    n => format!("error: there is no member {index}: they count from 0 to {}", n - 1),
                }));
            }
            one(&arguments, members.swap_remove(index).ready)
        }
    }
}

/// Runs one experiment.
fn one(arguments: &Arguments, mut ready: Ready) -> Outcome {
    let run = RunDirectory::at(arguments.runs.join(&ready.plan.name));
    let wanted_again = arguments.resume || arguments.member.is_some();
    if wanted_again && run.done() && !arguments.overwrite {
        match resuming::fit(&run, &ready.plan, arguments.stretch)? {
            Fit::Same => {
                console::note(&format!("{}: done already", run.path.display()));
                // Who was killed at its very end has left its lock.
                drop(run.lock());
                return tell(arguments, &run);
            }
            Fit::Compatible(_) if arguments.resume => {}
            Fit::Compatible(table) | Fit::Other(table) => {
                return Err(resuming::refusal(&run, "is done already,", &table));
            }
        }
    }
    memory::check(&ready.plan, 1)?;
    if let (None, "cpu", Some(why)) =
        (&arguments.device, ready.plan.training.device.as_str(), device::broken())
    {
        console::note(&format!("note: trains on the processor: {why}"));
    }
    let was_there = run.path.exists();
    let _alone = run.lock()?;
    let resume = may_start(arguments, &ready.plan, &run, was_there)?;
    arguments.form.template(&ready.plan.report.template, &run)?;
    let before = if resume { resuming::micro_batch_size(&run) } else { None };
    memory::settle(&mut ready.plan, before)?;

    let mut preparing = progress::Preparing::new(arguments.quiet);
    let opened = Dataset::open(&ready.plan, &cache_folder(), &mut |event| preparing.show(event));
    preparing.finish();
    let dataset = opened?;
    let Ready { plan, mut findings, bytes } = ready;
    check_texts(&plan, dataset.tokenizer(), &mut findings);
    if findings.failed() {
        return Err(refuse(&findings));
    }

    if resume {
        resuming::same_dataset(&run, &dataset)?;
    }
    run.tidy()?;
    let from = if resume { whole(&run) } else { None };
    if !resume {
        run.clear()?;
    }
    if run.done() {
        // It goes on: until it has ended again, it has not.
        run.begin_again()?;
    }
    // First of all: it is what makes the folder a run, which can then be resumed or replaced.
    run.write("plan.toml", plan.to_toml(Some(&findings)).as_bytes())?;
    run.write("spec.toml", &bytes)?;
    run.write("tokenizer.json", dataset.tokenizer().json())?;
    // What was killed before its first checkpoint may lack any of these.
    if from.is_none() {
        arguments.form.keep(&plan.report.template, &run)?;
        let n_parameters = (device::of(&plan).n_parameters)(&plan)?;
        run.write_json("provenance.json", &provenance::provenance(&plan, &dataset, n_parameters))?;
    }
    train(&plan, &dataset, &run, from, arguments.quiet).map_err(|failure| match failure {
        Failure::World(error @ Error::File { .. }) if !run.checkpoints().is_empty() => {
            let help = format!("help: what was saved is whole; go on with: {} --resume", command_line());
            Failure::World(Error::message(format!("{error}\n{help}")))
        }
        failure => failure,
    })?;
    tell(arguments, &run)
}

/// Trains from a step on, and writes what there is to write.
fn train(plan: &Plan, dataset: &Dataset, run: &RunDirectory, from: Option<u64>, quiet: bool) -> Outcome {
    let mut watcher = Watcher::new(plan, dataset, run, from, quiet)?;
    let trained = (device::of(plan).train)(plan, dataset, run, from, &mut watcher);
    watcher.progress.finish();
    watcher.clock.keep();
    if let Err(Error::Interrupted) = trained {
        return Err(Failure::Interrupted(go_on(run)));
    }
    trained?;
    let Watcher { mut observer, clock, .. } = watcher;
    catch_up(plan, run, &mut observer)?;
    analyses::write_observed(plan, run, &observer)?;
    run.seal("metrics.jsonl")?;
    Ok(run.write_json("done.json", &clock.summary())?)
}

/// Renders the report of a run that ended.
pub(super) fn tell(arguments: &Arguments, run: &RunDirectory) -> Outcome {
    let record = run.record()?;
    let page = report::render(run, &record, &arguments.reports, &arguments.form)?;
    console::out(&report::closing_words(&record, &page));
    Ok(())
}

/// The checkpoint to go on from; what is damaged is said.
fn whole(run: &RunDirectory) -> Option<u64> {
    let Resumption { step, damaged } = run.resumption();
    damaged.iter().for_each(|what| console::note(&format!("warning: {what}")));
    if !damaged.is_empty() {
        let path = run.path.display();
        console::note(&match step {
            Some(step) => {
                format!("{path}: going on from step {step}, the newest that is whole with all before it")
            }
            None => format!("{path}: no checkpoint is whole: beginning again"),
        });
    }
    step
}

/// Whether to resume; an existing run is never silently continued or replaced.
fn may_start(
    arguments: &Arguments,
    plan: &Plan,
    run: &RunDirectory,
    was_there: bool,
) -> std::result::Result<bool, Failure> {
    let path = run.path.display();
    let above = run.path.ancestors().skip(1).take_while(|folder| *folder != arguments.runs);
    if let Some(other) = above.map(RunDirectory::at).find(RunDirectory::exists) {
        let other = other.path.display();
        let words =
            format!("error: {other} is a run, and {path} would be inside it\nhelp: choose another `--name`");
        return Err(Failure::Usage(words));
    }
    if !run.exists() {
        return match run.foreign() {
            true => Err(Failure::Usage(format!(
                "error: {path} exists and is not a run\nhelp: choose another `--name` or `--runs` folder"
            ))),
            false if arguments.resume && was_there => {
                console::note(&format!("{path}: nothing was saved yet: beginning again"));
                Ok(false)
            }
            false if arguments.resume => {
                Err(Failure::Usage(format!("error: there is no run to resume at {path}")))
            }
            false => Ok(false),
        };
    }
    if arguments.overwrite {
        return Ok(false);
    }
    if !arguments.resume {
        let (state, resume) = match run.done() {
            true => ("has finished", ""),
            false => ("was started, and did not finish", "`--resume` goes on with it, "),
        };
        return Err(Failure::Usage(format!(
            "error: {path} exists: that run {state}\n\
             help: {resume}`--overwrite` replaces it, `--name` starts another"
        )));
    }
    match resuming::fit(run, plan, arguments.stretch)? {
        Fit::Same => Ok(true),
        Fit::Compatible(table) => {
            console::note(&format!("{path} goes on with another plan\n\n{table}"));
            Ok(true)
        }
        Fit::Other(table) => Err(resuming::refusal(run, "was started", &table)),
    }
}

/// Probes the checkpoints that were saved before this process started.
fn catch_up(plan: &Plan, run: &RunDirectory, observer: &mut Observer<'_>) -> Result<()> {
    let planned = crate::training::checkpoint_steps(plan)?;
    let seen = observer.steps();
    for step in run.checkpoints().into_iter().filter(|s| planned.contains(s) && !seen.contains(s)) {
        let subject = device::load(plan, run, step)?;
        observer.observe(step, plan.tokens_at(step), &*subject)?;
    }
    Ok(())
}

fn go_on(run: &RunDirectory) -> String {
    let step = run.checkpoints().last().copied().unwrap_or(0);
    format!("interrupted: the state after step {step} is saved\ngo on with: {} --resume", command_line())
}

/// What was typed, but for how to begin.
pub(super) fn command_line() -> String {
    let arguments = std::env::args().filter(|a| a != "--overwrite" && a != "--resume");
    arguments.map(|a| shell_quoted(&a)).collect::<Vec<_>>().join(" ")
}

/// An argument as a shell takes it.
fn shell_quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_string(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}
