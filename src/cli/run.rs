//! `indhead run`: plan, dataset, training, probes, report, in that order.

use super::planning::{Ready, plan_spec, plan_text, refuse};
use super::{Failure, Outcome, console, device, progress, provenance, report};
use crate::dataset::Dataset;
use crate::diff::{self, Subject as Compared};
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::model::Subject;
use crate::plan::Plan;
use crate::probes::{Observer, check_texts};
use crate::record::{Metrics, RunDirectory};
use crate::training::Watch;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The spec that runs where none is given.
const QUICK: &str = include_str!("../../specs/quick.toml");

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment file; without one, the built-in quick experiment
    spec: Option<PathBuf>,
    /// Replace a value: `--set training.tokens=1_000_000`, `--set architecture.blocks.1.n_heads=8`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Name the run otherwise than the spec does
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where run directories are
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Where to train: auto, cpu or cuda
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Go on from the newest checkpoint of a run that was interrupted
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace a run of the same name
    #[arg(long)]
    overwrite: bool,
    /// Print no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Runs it.
pub fn run(arguments: Arguments) -> Outcome {
    let mut sets = arguments.sets.clone();
    sets.extend(arguments.name.as_ref().map(|name| format!("name={name}")));
    sets.extend(arguments.device.as_ref().map(|device| format!("training.device={device}")));
    let ready = match &arguments.spec {
        Some(path) => plan_spec(path, &sets)?,
        None => plan_text(Path::new("quick.toml"), QUICK.into(), &sets)?,
    };
    let run = RunDirectory::at(arguments.runs.join(&ready.plan.name));
    let resume = may_start(&arguments, &ready.plan, &run)?;

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
        run.write("spec.toml", &bytes)?;
        run.write("tokenizer.json", dataset.tokenizer().json())?;
        let n_parameters = (devices.n_parameters)(&plan)?;
        run.write_json("provenance.json", &provenance::provenance(&plan, &dataset, n_parameters))?;
        run.write("plan.toml", plan.to_toml(Some(&findings)).as_bytes())?;
    }
    let mut watcher = Watcher::new(&plan, &dataset, &run, arguments.quiet)?;
    let trained = (devices.train)(&plan, &dataset, &run, resume, &mut watcher);
    watcher.progress.finish();
    if let Err(Error::Interrupted) = trained {
        return Err(Failure::Interrupted(go_on(&arguments, &run)));
    }
    trained?;
    let Watcher { mut observer, clock, .. } = watcher;
    catch_up(&plan, &run, &mut observer)?;
    report::write_analyses(&plan, &run, &observer)?;
    run.write_json("done.json", &clock.summary())?;
    let path = report::render_run(&run, &arguments.reports)?;
    console::out(&report::closing_words(&run, &path)?);
    Ok(())
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
        let state = if run.done() { "has finished" } else { "was started, and did not finish" };
        return Err(Failure::Usage(format!(
            "error: {path} exists: that run {state}\n\
             help: `--resume` goes on with it, `--overwrite` replaces it, `--name` starts another"
        )));
    }
    let named = |name: &str, plan| Compared { name: name.into(), plan, record: None };
    let old = named("the run", run.record()?.plan);
    let new = named("the spec", toml::Table::try_from(plan).unwrap_or_default());
    let subjects = [old, new];
    let mut differences = diff::compare(&subjects, false);
    if !differences.is_empty() {
        differences.outcomes.clear();
        let table = diff::to_text(&subjects, &differences);
        return Err(Failure::Usage(format!("error: {path} was started from another plan\n\n{table}")));
    }
    Ok(true)
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

fn go_on(arguments: &Arguments, run: &RunDirectory) -> String {
    let step = run.checkpoints().last().copied().unwrap_or(0);
    let again: Vec<String> = std::env::args().filter(|a| a != "--overwrite" && a != "--resume").collect();
    debug_assert!(!again.is_empty() || arguments.spec.is_none());
    format!("interrupted: the state after step {step} is saved\ngo on with: {} --resume", again.join(" "))
}

/// Looks on while a model learns: shows progress, runs the probes, writes the timings.
struct Watcher<'a> {
    plan: &'a Plan,
    progress: progress::Training,
    observer: Observer<'a>,
    clock: Clock,
    timings: std::fs::File,
    stop: Arc<AtomicBool>,
}

impl<'a> Watcher<'a> {
    fn new(plan: &'a Plan, dataset: &'a Dataset, run: &RunDirectory, quiet: bool) -> Result<Self> {
        let path = run.file("timings.jsonl");
        let open = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        Ok(Watcher {
            plan,
            progress: progress::Training::new(plan.tokens_at(plan.training.steps), quiet),
            observer: Observer::new(plan, dataset),
            clock: Clock { last: Instant::now(), training: 0.0, probing: 0.0, tokens: 0 },
            timings: open.map_err(Error::write(&path))?,
            stop: interrupt_flag(),
        })
    }
}

impl Watch for Watcher<'_> {
    fn step(&mut self, metrics: &Metrics) {
        self.clock.training += self.clock.lap();
        self.clock.tokens += self.plan.tokens_at(1);
        self.progress.step(metrics, self.plan.tokens_at(1));
    }

    fn checkpoint(&mut self, step: u64, tokens: u64, subject: &dyn Subject) -> Result<()> {
        self.clock.training += self.clock.lap();
        self.observer.observe(step, tokens, subject)?;
        self.clock.probing += self.clock.lap();
        let line = json!({
            "step": step,
            "training_seconds": self.clock.training,
            "probing_seconds": self.clock.probing,
        });
        // Timings are for curiosity: a disk that refuses them fails at the next checkpoint.
        let _ = writeln!(self.timings, "{line}");
        Ok(())
    }

    fn stop(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Set by the first Ctrl-C or SIGTERM; the second ends the process at once.
fn interrupt_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let handler = move || {
        if set.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        console::note("interrupted: finishing this step and saving (again to stop at once)");
    };
    // Without a handler Ctrl-C ends the process, and loses only what no checkpoint holds.
    if ctrlc::set_handler(handler).is_err() {
        console::note("warning: Ctrl-C will not save");
    }
    flag
}

struct Clock {
    last: Instant,
    training: f64,
    probing: f64,
    tokens: u64,
}

impl Clock {
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = now.duration_since(self.last).as_secs_f64();
        self.last = now;
        seconds
    }

    fn summary(&self) -> serde_json::Value {
        json!({
            "training_seconds": self.training,
            "probing_seconds": self.probing,
            "tokens_per_second": self.tokens as f64 / self.training.max(1e-9),
            "finished": provenance::now(),
        })
    }
}
