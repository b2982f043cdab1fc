//! `indhead run`: plan, dataset, training, probes, report, in that order.

use super::planning::{Ready, plan_text, read_spec, refuse};
use super::watcher::Watcher;
use super::{Failure, Outcome, analyses, console, device, memory, progress, provenance, report, sweep};
use crate::dataset::Dataset;
use crate::diff::{self, Subject as Compared};
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::plan::Plan;
use crate::probes::{Observer, check_texts};
use crate::record::RunDirectory;
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
fn one(arguments: &Arguments, ready: Ready) -> Outcome {
    let run = RunDirectory::at(arguments.runs.join(&ready.plan.name));
    let wanted_again = arguments.resume || arguments.member.is_some();
    if wanted_again && run.done() && !arguments.overwrite {
        return done_already(arguments, &ready.plan, &run);
    }
    memory::check(&ready.plan)?;
    let resume = may_start(arguments, &ready.plan, &run)?;
    arguments.form.template(&ready.plan.report.template, &run)?;

    let mut preparing = progress::Preparing::new(arguments.quiet);
    let opened = Dataset::open(&ready.plan, &cache_folder(), &mut |event| preparing.show(event));
    preparing.finish();
    let dataset = opened?;
    let Ready { plan, mut findings, bytes } = ready;
    check_texts(&plan, dataset.tokenizer(), &mut findings);
    if findings.failed() {
        return Err(refuse(&findings));
    }

    let devices = device::of(&plan);
    if !resume {
        if run.path.exists() {
            std::fs::remove_dir_all(&run.path).map_err(Error::write(&run.path))?;
        }
        // First of all: it is what makes the folder a run, which can then be resumed or replaced.
        run.write("plan.toml", plan.to_toml(Some(&findings)).as_bytes())?;
        run.write("spec.toml", &bytes)?;
        run.write("tokenizer.json", dataset.tokenizer().json())?;
        arguments.form.keep(&plan.report.template, &run)?;
        let n_parameters = (devices.n_parameters)(&plan)?;
        run.write_json("provenance.json", &provenance::provenance(&plan, &dataset, n_parameters))?;
    }
    let mut watcher = Watcher::new(&plan, &dataset, &run, arguments.quiet)?;
    let trained = (devices.train)(&plan, &dataset, &run, resume, &mut watcher);
    watcher.progress.finish();
    if let Err(Error::Interrupted) = trained {
        return Err(Failure::Interrupted(go_on(&run)));
    }
    trained?;
    let Watcher { mut observer, clock, .. } = watcher;
    catch_up(&plan, &run, &mut observer)?;
    analyses::write_observed(&plan, &run, &observer)?;
    run.write_json("done.json", &clock.summary())?;
    tell(arguments, &run)
}

/// Renders the report of a run that ended.
pub(super) fn tell(arguments: &Arguments, run: &RunDirectory) -> Outcome {
    let record = run.record()?;
    let page = report::render(run, &record, &arguments.reports, &arguments.form)?;
    console::out(&report::closing_words(&record, &page));
    Ok(())
}

/// What is done stays as it is; its report is rendered again.
fn done_already(arguments: &Arguments, plan: &Plan, run: &RunDirectory) -> Outcome {
    let path = run.path.display();
    if let Some(table) = other_plan(run, plan)? {
        let words = format!("error: {path} is done already, from another plan\n\n{table}");
        return Err(Failure::Usage(words));
    }
    console::note(&format!("{path}: done already"));
    tell(arguments, run)
}

/// Whether to resume; an existing run is never silently continued or replaced.
fn may_start(arguments: &Arguments, plan: &Plan, run: &RunDirectory) -> std::result::Result<bool, Failure> {
    let path = run.path.display();
    if !run.exists() {
        let foreign = run.path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        return match foreign {
            true => Err(Failure::Usage(format!(
                "error: {path} exists and is not a run\nhelp: choose another `--name` or `--runs` folder"
            ))),
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
    match other_plan(run, plan)? {
        None => Ok(true),
        Some(table) => Err(Failure::Usage(format!("error: {path} was started from another plan\n\n{table}"))),
    }
}

/// How a run's own plan differs from this one, if it does.
pub(super) fn other_plan(run: &RunDirectory, plan: &Plan) -> Result<Option<String>> {
    let old = Compared::of_plan("the run", run.record()?.plan);
    let new = Compared::of_plan("the spec", toml::Table::try_from(plan).unwrap_or_default());
    let subjects = [old, new];
    let differences = diff::compare(&subjects, false);
    Ok((!differences.is_empty()).then(|| diff::to_text(&subjects, &differences)))
}

/// Probes the checkpoints that were saved before this process started.
fn catch_up(plan: &Plan, run: &RunDirectory, observer: &mut Observer<'_>) -> Result<()> {
    let planned = crate::training::checkpoint_steps(plan)?;
    let seen = observer.steps();
    for step in run.checkpoints().into_iter().filter(|s| planned.contains(s) && !seen.contains(s)) {
        let subject = (device::of(plan).load)(plan, run, step)?;
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
