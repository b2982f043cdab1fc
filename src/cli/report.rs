//! `indhead report`: a run's report again, from its directory.

use super::analyses::Measuring;
use super::compare::folder_name;
use super::planning::{Ready, plan_spec};
use super::{Failure, Outcome, console};
use crate::diff::{self, Subject as Compared};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::directory::run_of;
use crate::record::{Record, RunDirectory};
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
    /// Take the analyses of this edited spec, from the saved checkpoints; the run keeps its own
    #[arg(long, value_name = "SPEC")]
    spec: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// How a report looks.
#[derive(Debug, clap::Args)]
pub struct Form {
    /// A folder of templates, which override the built-in ones by name: `report.md`
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Also write report.html, one self-contained page with attention maps to point at
    #[arg(long)]
    pub html: bool,
}

/// Renders every run's report; one that cannot be had does not stop the others.
pub fn report(arguments: Arguments) -> Outcome {
    arguments.form.check()?;
    let edited = match &arguments.spec {
        Some(spec) => Some((spec.as_path(), plan_spec(spec, &[])?)),
        None => None,
    };
    let mut failed = Vec::new();
    for path in &arguments.runs {
        match one(&arguments, &run_of(path), edited.as_ref()) {
            Ok(()) => {}
            Err(failure) if arguments.runs.len() == 1 => return Err(failure),
            Err(failure) => {
                failure.tell();
                failed.push(path.display().to_string());
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let (count, all) = (failed.len(), arguments.runs.len());
    let words = format!("{count} of {all} runs have no new report: {}", failed.join("  "));
    Err(Failure::World(Error::message(words)))
}

fn one(arguments: &Arguments, run: &RunDirectory, edited: Option<&(&Path, Ready)>) -> Outcome {
    let (record, folder) = match edited {
        Some((spec, ready)) => {
            let (stem, record) = (stem(spec), run.record()?);
            let folder = arguments.reports.join(folder_of(run, &record)).join(&stem);
            let mut record = reanalyse(run, record, ready, &stem, arguments.recompute)?;
            record.name = format!("{}/{stem}", record.name);
            if let Some(facts) = record.provenance.as_object_mut() {
                facts.insert("analyses".into(), spec.display().to_string().into());
            }
            (record, folder)
        }
        None => {
            let judged = run.file("analyses/verdict.json").exists();
            match saved_plan(run) {
                // An analysis that is damaged is measured again.
                Ok(plan) => own(run, &plan, arguments.recompute)?,
                Err(error) if run.exists() && judged && !arguments.recompute => {
                    console::note(&format!("warning: {error}; it is told as it was measured"));
                }
                Err(error) if run.exists() => return Err(error.into()),
                // Said by what follows.
                Err(_) => {}
            }
            let record = run.record()?;
            let folder = arguments.reports.join(folder_of(run, &record));
            (record, folder)
        }
    };
    let page = render_into(run, &record, &folder, &arguments.form)?;
    console::out(&closing_words(&record, &page));
    Ok(())
}

fn stem(spec: &Path) -> String {
    spec.file_stem().map_or("spec".into(), |stem| stem.to_string_lossy().into_owned())
}

/// The run's own analyses, measured where they are not known.
fn own(run: &RunDirectory, plan: &Plan, recompute: bool) -> Outcome {
    let (view, findings) = (run, None);
    Measuring { run, view, plan, findings, recompute, lenient: !recompute }.bring_up_to_date()
}

/// The plan a run was made by.
pub fn saved_plan(run: &RunDirectory) -> Result<Plan> {
    let text = String::from_utf8_lossy(&run.read("plan.toml")?).into_owned();
    let wrong =
        |e| Error::message(format!("{} is not a plan of this version: {e}", run.file("plan.toml").display()));
    toml::from_str(&text).map_err(wrong)
}

/// The record of a run with the analyses of an edited spec, which are kept in a folder of the run
/// beside its own; the weights must be what the spec asks for.
fn reanalyse(
    run: &RunDirectory,
    record: Record,
    ready: &Ready,
    stem: &str,
    recompute: bool,
) -> std::result::Result<Record, Failure> {
    let Ready { plan, findings, bytes } = ready;
    let mut plan = plan.clone();
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
    let view = RunDirectory::at(run.file("reanalyses").join(stem));
    let findings = Some(findings);
    Measuring { run, view: &view, plan: &plan, findings, recompute, lenient: false }.bring_up_to_date()?;
    view.write("spec.toml", bytes)?;
    view.write("plan.toml", plan.to_toml(findings).as_bytes())?;
    let Record { metrics, provenance, timings, .. } = record;
    Ok(Record { metrics, provenance, timings, ..view.record()? })
}

impl Form {
    /// Whether the folder of templates is there.
    pub fn check(&self) -> Outcome {
        match &self.templates {
            Some(folder) if !folder.is_dir() => {
                Err(Failure::Usage(format!("error: there is no folder of templates at {}", folder.display())))
            }
            _ => Ok(()),
        }
    }

    /// The template of a plan: among the folder's, then those kept in the run.
    pub fn template(&self, named: &str, run: &RunDirectory) -> Result<pages::Template> {
        let folders: Vec<PathBuf> = self.templates.iter().cloned().chain([run.file("templates")]).collect();
        let found = pages::Template::among(named, &folders).and_then(|t| t.check().map(|()| t));
        found.map_err(|error| Error::message(error.to_string()))
    }

    /// Whether anything is asked of a report that is there already.
    pub fn asks(&self) -> bool {
        self.html || self.templates.is_some()
    }

    /// Says where the folder of templates has nothing for this one.
    fn say_unused(&self, named: &str, template: &pages::Template) {
        let Some(folder) = &self.templates else { return };
        let file = match pages::template_names().contains(&named) {
            true => Path::new(named).with_extension("md"),
            false => PathBuf::from(Path::new(named).file_name().unwrap_or_default()),
        };
        let included = |name: &str| template.source().contains(name) && folder.join(name).is_file();
        if !folder.join(&file).is_file() && !template.others().iter().any(|(name, _)| included(name)) {
            let (folder, file) = (folder.display(), file.display());
            console::note(&format!("warning: {folder} has no template `{file}`, nor one that it includes"));
        }
    }

    /// Keeps in the run what its report is made with and is not built in: a copy of the run on
    /// another machine gives the same report.
    pub fn keep(&self, named: &str, run: &RunDirectory) -> Result<()> {
        let template = self.template(named, run)?;
        for (name, source) in template.others() {
            run.write(&format!("templates/{name}"), source.as_bytes())?;
        }
        let own = Path::new(named).file_name().filter(|_| !pages::template_names().contains(&named));
        match own {
            Some(own) => {
                run.write(&format!("templates/{}", own.to_string_lossy()), template.source().as_bytes())
            }
            None => Ok(()),
        }
    }
}

/// Renders a run's report into its folder under `reports`; the path of the page.
pub fn render(run: &RunDirectory, record: &Record, reports: &Path, form: &Form) -> Result<PathBuf> {
    render_into(run, record, &reports.join(folder_of(run, record)), form)
}

fn render_into(run: &RunDirectory, record: &Record, folder: &Path, form: &Form) -> Result<PathBuf> {
    let words = |e: pages::ReportError| Error::message(e.to_string());
    let named = template_name(&record.plan);
    let template = form.template(named, run)?;
    form.say_unused(named, &template);
    let mut rendered = pages::render(record, &template).map_err(words)?;
    if form.html {
        rendered = rendered.with_html(record);
    }
    rendered.warnings.iter().for_each(|warning| console::note(&format!("warning: {warning}")));
    let written = pages::write(&rendered, folder).map_err(words)?;
    say_kept(&written);
    Ok(written.page)
}

/// The template that a plan names.
pub fn template_name(plan: &toml::Table) -> &str {
    plan.get("report").and_then(|r| r.get("template")).and_then(|t| t.as_str()).unwrap_or("report")
}

/// A person's words are not lost, and not silently moved either.
pub fn say_kept(written: &pages::Written) {
    for (page, kept) in &written.kept {
        let (page, kept) = (page.display(), kept.display());
        console::note(&format!("warning: {page} was changed by hand: it is kept as {kept}"));
    }
}

/// A run's report is called as the run is, and a copy's as the copy's folder.
fn folder_of(run: &RunDirectory, record: &Record) -> PathBuf {
    let path = run.path.canonicalize().unwrap_or_else(|_| run.path.clone());
    if path.ends_with(&record.name) { PathBuf::from(&record.name) } else { folder_name(&path).into() }
}

/// The verdict in a line, and where the report is.
pub fn closing_words(record: &Record, report: &Path) -> String {
    let line = match &record.verdict {
        Some(_) if !record.is_judged() => pages::unfinished(record),
        Some(verdict) => format!("{}: {}", verdict.verdict.name(), verdict.summary),
        None => "no verdict yet".into(),
    };
    let html = report.with_extension("html");
    let html = if html.exists() { format!("{}\n", html.display()) } else { String::new() };
    format!("{line}\n{}\n{html}", report.display())
}
