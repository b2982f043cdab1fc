//! `indhead report`: a run's report again, from its directory.

use super::planning::{Ready, plan_spec, refuse};
use super::{Failure, Outcome, console, device, progress};
use crate::dataset::Dataset;
use crate::diff::{self, Subject as Compared};
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::plan::Plan;
use crate::probes::{Observer, check_texts, verdict};
use crate::record::RunDirectory;
use crate::record::directory::run_of;
use crate::report as pages;
use std::path::{Path, PathBuf};

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Run the probes again on the saved checkpoints
    #[arg(long)]
    recompute: bool,
    /// Take the analyses of this edited spec, from the saved checkpoints
    #[arg(long, value_name = "SPEC")]
    spec: Option<PathBuf>,
}

/// Renders every run's report.
pub fn report(arguments: Arguments) -> Outcome {
    for path in &arguments.runs {
        let run = run_of(path);
        let record = run.record()?;
        if let Some(spec) = &arguments.spec {
            reanalyse(&run, plan_spec(spec, &[])?)?;
        } else if arguments.recompute || record.verdict.is_none() {
            let plan = saved_plan(&run)?;
            analyse(&plan, &run)?;
        }
        let path = render_run(&run, &arguments.reports)?;
        console::out(&closing_words(&run, &path)?);
    }
    Ok(())
}

/// The plan a run was made by.
pub fn saved_plan(run: &RunDirectory) -> Result<Plan> {
    let text = String::from_utf8_lossy(&run.read("plan.toml")?).into_owned();
    let wrong =
        |e| Error::message(format!("{} is not a plan of this version: {e}", run.file("plan.toml").display()));
    toml::from_str(&text).map_err(wrong)
}

/// Takes up the analyses of an edited spec; the weights must be what it asks for.
fn reanalyse(run: &RunDirectory, ready: Ready) -> Outcome {
    let Ready { mut plan, findings, bytes } = ready;
    let named =
        |name: &str, plan: &Plan| Compared::of_plan(name, toml::Table::try_from(plan).unwrap_or_default());
    let saved = saved_plan(run)?;
    plan.name.clone_from(&saved.name);
    plan.training.device.clone_from(&saved.training.device);
    let subjects = [named("the run", &saved), named("the spec", &plan)];
    let mut differences = diff::compare(&subjects, false);
    differences.cosmetic.clear();
    if !differences.is_empty() {
        let table = diff::to_text(&subjects, &differences);
        let path = run.path.display();
        let words = format!("error: {path} holds other weights than the spec asks for\n\n{table}");
        return Err(Failure::Usage(words));
    }
    plan.training = saved.training;
    let dataset = open(&plan)?;
    let mut found = findings.clone();
    check_texts(&plan, dataset.tokenizer(), &mut found);
    if found.failed() {
        return Err(refuse(&found));
    }
    observe_all(&plan, run, &dataset)?;
    run.write("spec.toml", &bytes)?;
    run.write("plan.toml", plan.to_toml(Some(&findings)).as_bytes())?;
    Ok(())
}

fn analyse(plan: &Plan, run: &RunDirectory) -> Result<()> {
    let dataset = open(plan)?;
    observe_all(plan, run, &dataset)
}

fn open(plan: &Plan) -> Result<Dataset> {
    let mut preparing = progress::Preparing::new(false);
    let opened = Dataset::open(plan, &cache_folder(), &mut |event| preparing.show(event));
    preparing.finish();
    opened
}

fn observe_all(plan: &Plan, run: &RunDirectory, dataset: &Dataset) -> Result<()> {
    if dataset.tokenizer().json() != run.read("tokenizer.json")? {
        return Err(Error::message(format!(
            "the dataset now gives another tokenizer than the run's {}: its checkpoints cannot be probed with it",
            run.file("tokenizer.json").display()
        )));
    }
    let planned = crate::training::checkpoint_steps(plan)?;
    let mut observer = Observer::new(plan, dataset);
    for step in run.checkpoints().into_iter().filter(|s| planned.contains(s)) {
        let subject = (device::of(plan).load)(plan, run, step)?;
        observer.observe(step, plan.tokens_at(step), &*subject)?;
    }
    write_analyses(plan, run, &observer)
}

/// Writes what was observed, and the verdict on it. Analyses the plan no longer has are removed.
pub fn write_analyses(plan: &Plan, run: &RunDirectory, observer: &Observer<'_>) -> Result<()> {
    let analyses = observer.analyses()?;
    for analysis in &analyses {
        run.write_json(&format!("analyses/{}.json", analysis.id), analysis)?;
    }
    for entry in run.file("analyses").read_dir().into_iter().flatten().flatten() {
        let stem = entry.path().file_stem().map(|s| s.to_string_lossy().into_owned());
        let known = stem.is_some_and(|s| s == "verdict" || analyses.iter().any(|a| a.id == s));
        if !known {
            std::fs::remove_file(entry.path()).map_err(Error::write(&entry.path()))?;
        }
    }
    let verdict = verdict::verdict(&analyses, &plan.verdict, plan.training.steps);
    run.write_json("analyses/verdict.json", &verdict)
}

/// Renders a run's report into its folder under `reports`; the path of the page.
pub fn render_run(run: &RunDirectory, reports: &Path) -> Result<PathBuf> {
    let record = run.record()?;
    let words = |e: pages::ReportError| Error::message(e.to_string());
    let named = record.plan.get("report").and_then(|r| r.get("template")).and_then(|t| t.as_str());
    let template = pages::Template::find(named.unwrap_or("report"), Path::new("")).map_err(words)?;
    let rendered = pages::render(&record, &template).map_err(words)?;
    let folder = reports.join(&record.name);
    pages::write(&rendered, &folder).map_err(words)?;
    Ok(folder.join("report.md"))
}

/// The verdict in a line, and where the report is.
pub fn closing_words(run: &RunDirectory, report: &Path) -> Result<String> {
    let verdict = run.record()?.verdict;
    let line = verdict.map_or("no verdict yet".into(), |v| format!("{}: {}", v.verdict.name(), v.summary));
    Ok(format!("{line}\n{}\n", report.display()))
}
