//! From a path on the command line to a plan, or to diagnostics.

use super::{Failure, console};
use crate::files;
use crate::language::language;
use crate::plan::{self, Plan, Planned};
use crate::probes::verdict::EVIDENCE;
use crate::report::Template;
use crate::spec::{Findings, Spec, render};
use std::path::Path;

/// A plan, with where its values were written.
pub struct Ready {
    /// The plan.
    pub plan: Plan,
    /// Places, for mistakes that are found later and for origins.
    pub findings: Findings,
    /// The bytes of the spec.
    pub bytes: Vec<u8>,
}

/// Reads and plans a spec; warnings are printed.
///
/// # Errors
/// Every mistake in it, rendered.
pub fn plan_spec(path: &Path, sets: &[String]) -> Result<Ready, Failure> {
    plan_text(path, read_spec(path)?, sets)
}

/// The same, also where the data is on another machine: what is not here is warned of.
pub fn plan_from_afar(path: &Path, sets: &[String]) -> Result<Ready, Failure> {
    let bytes = read_spec(path)?;
    let mut spec = Spec::parse(path, &bytes, sets);
    spec.findings.elsewhere = true;
    plan_parsed(spec, path, bytes)
}

/// The bytes of a spec.
///
/// # Errors
/// That there is none, with the nearest name.
pub fn read_spec(path: &Path) -> Result<Vec<u8>, Failure> {
    files::read_text(path).map_err(|error| {
        let (message, help) = unreadable(path, &error);
        let help = help.iter().map(|help| format!("\nhelp: {help}"));
        Failure::Usage(format!("error: {message}{}", help.collect::<String>()))
    })
}

/// The same from bytes that are not a file: `path` only names them.
pub fn plan_text(path: &Path, bytes: Vec<u8>, sets: &[String]) -> Result<Ready, Failure> {
    plan_parsed(Spec::parse(path, &bytes, sets), path, bytes)
}

fn plan_parsed(spec: Spec, path: &Path, bytes: Vec<u8>) -> Result<Ready, Failure> {
    if !spec.sweep.is_empty() {
        let (path, count) = (path.display(), spec.members().len());
        return Err(Failure::Usage(format!(
            "error: {path} is a sweep of {count} runs, and one is wanted here\n\
             help: `indhead run` runs them; each then has its own spec.toml"
        )));
    }
    let Planned { plan, findings } = resolve(spec, path);
    let Some(plan) = plan else { return Err(refuse(&findings)) };
    warn(&findings);
    Ok(Ready { plan, findings, bytes })
}

/// A plan, or all that stands in its way.
pub fn resolve(spec: Spec, path: &Path) -> Planned {
    let stem = path.file_stem().map_or("run".into(), |s| s.to_string_lossy().into_owned());
    let Planned { plan, mut findings } = plan::plan(spec, &language(), EVIDENCE, &stem);
    let template = plan.as_ref().map(|plan| Template::find(&plan.report.template, Path::new("")));
    if let Some(Err(error)) = template.map(|found| found.and_then(|template| template.check())) {
        findings.error("report.template", error.to_string(), "mend the template, or use \"report\"");
    }
    Planned { plan: plan.filter(|_| !findings.failed()), findings }
}

/// What there is to beware of.
pub fn warn(findings: &Findings) {
    if !findings.diagnostics.is_empty() {
        console::note(&render(&findings.diagnostics, &findings.sources, console::colours()));
    }
}

/// The diagnostics, rendered, and how many mistakes they are.
pub fn complaint(findings: &Findings) -> String {
    let rendered = render(&findings.diagnostics, &findings.sources, console::colours());
    let count = findings.errors_under("");
    let plural = if count == 1 { "mistake" } else { "mistakes" };
    format!("{rendered}\n\n{count} {plural}: nothing was run")
}

/// The diagnostics as a failure.
pub fn refuse(findings: &Findings) -> Failure {
    Failure::Usage(complaint(findings))
}

/// Why a spec cannot be read, and what may have been meant.
pub fn unreadable(path: &Path, error: &std::io::Error) -> (String, Vec<String>) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let near = crate::spec::nearest_file(path, folder).filter(|_| !path.exists());
    let help = match near {
        Some(near) => Some(format!("did you mean {}?", folder.join(near).display())),
        None if path.is_dir() => Some("that is a folder; a spec is a file".into()),
        None => None,
    };
    (format!("cannot read {}: {error}", path.display()), help.into_iter().collect())
}
