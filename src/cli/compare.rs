//! `indhead compare`: one report over many runs.

use super::report::say_kept;
use super::{Failure, Outcome, console};
use crate::compare::{Run, compare as compared};
use crate::error::{Error, Result};
use crate::record::RunDirectory;
use crate::record::directory::run_of;
use crate::report as pages;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Run directories, or folders of them, as a sweep's
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the report goes; without it reports/<folder>, or reports/comparison for several
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes the comparison of the runs.
pub fn compare(arguments: Arguments) -> Outcome {
    let mut runs: Vec<RunDirectory> = Vec::new();
    for path in &arguments.runs {
        let found = runs_below(path);
        if found.is_empty() {
            let path = path.display();
            return Err(Failure::World(Error::message(format!("there is no run at {path} or below it"))));
        }
        runs.extend(found);
    }
    let mut known = HashSet::new();
    runs.retain(|run| known.insert(run.path.canonicalize().unwrap_or_else(|_| run.path.clone())));
    let title = match arguments.runs.as_slice() {
        [folder] if !run_of(folder).exists() => folder_name(folder),
        _ => "comparison".into(),
    };
    let out = arguments.out.unwrap_or_else(|| Path::new("reports").join(&title));
    console::out(&format!("{}\n", write(&runs, &title, &out)?.display()));
    Ok(())
}

/// The runs at a path and below it, in the order of their names.
fn runs_below(path: &Path) -> Vec<RunDirectory> {
    let run = run_of(path);
    if run.exists() {
        return vec![run];
    }
    let entries = path.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    in_order(&mut folders);
    folders.iter().flat_map(|folder| runs_below(folder)).collect()
}

/// Sorts paths by their names, numbers in them by their values: `lr=3e-3` before `lr=1e-2`.
pub fn in_order(paths: &mut [PathBuf]) {
    let parts = |path: &PathBuf| -> Vec<(f64, String)> {
        let name = path.to_string_lossy().into_owned();
        let number = |part: &str| part.parse().ok().filter(|x: &f64| x.is_finite()).unwrap_or(f64::INFINITY);
        name.split([',', '=', '/']).map(|part| (number(part), part.to_string())).collect()
    };
    paths.sort_by(|a, b| {
        let (a, b) = (parts(a), parts(b));
        let differing = a.iter().zip(&b).find(|(a, b)| a != b);
        let by_part = differing.map(|((x, a), (y, b))| x.total_cmp(y).then_with(|| a.cmp(b)));
        by_part.unwrap_or_else(|| a.len().cmp(&b.len()))
    });
}

/// The name of a folder, however it is written.
pub fn folder_name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    real.file_name().map_or("comparison".into(), |name| name.to_string_lossy().into_owned())
}

/// Writes the comparison into a folder; the path of the page.
pub fn write(runs: &[RunDirectory], title: &str, folder: &Path) -> Result<PathBuf> {
    let mut read = Vec::new();
    for run in runs {
        let record = run.record()?;
        let plan = String::from_utf8_lossy(&run.read("plan.toml")?).into_owned();
        let report = report_of(&record.name, folder);
        read.push(Run { label: record.name.clone(), record, plan, report });
    }
    let prefix = format!("{title}/");
    if read.iter().all(|run| run.label.starts_with(&prefix)) {
        read.iter_mut().for_each(|run| run.label = run.label[prefix.len()..].to_string());
    }
    let labels: Vec<String> = read.iter().map(|run| run.label.clone()).collect();
    for (run, directory) in read.iter_mut().zip(runs) {
        if labels.iter().filter(|label| **label == run.label).count() > 1 {
            run.label = directory.path.display().to_string();
        }
    }
    let rendered = compared(title, &read);
    rendered.warnings.iter().for_each(|warning| console::note(&format!("warning: {warning}")));
    let written = pages::write(&rendered, folder).map_err(|e| Error::message(e.to_string()))?;
    say_kept(&written);
    Ok(written.page)
}

/// Where a run's report lies, as seen from the comparison's folder: both are kept below one folder of reports.
fn report_of(name: &str, folder: &Path) -> Option<String> {
    let above = folder.ancestors().skip(1).take(4).zip(1..);
    let below = Path::new(name).join("report.md");
    let here =
        |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_path_buf() };
    let (_, up) = above.into_iter().find(|(reports, _)| here(reports).join(&below).is_file())?;
    Some(format!("{}{}", "../".repeat(up), below.display()))
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn numbers_are_sorted_as_numbers() {
        let wanted = ["a/lr=3e-3,seed=2", "a/lr=3e-3,seed=10", "a/lr=1e-2,seed=0", "a/lr=x", "b"];
        let mut paths: Vec<_> = wanted.iter().rev().map(Into::into).collect();
        in_order(&mut paths);
        assert_eq!(paths, wanted.map(std::path::PathBuf::from));
    }
}
