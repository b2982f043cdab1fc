//! `indhead list`: the runs of a folder, and how far each of them has come.

use super::printed::{TableFormat, columns, json, markdown, thousands};
use super::{Failure, Outcome, console};
use crate::record::directory::runs_in;
use crate::record::{Outcome as Judged, RunDirectory, Verdict};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where run directories are
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// As aligned text, as a Markdown table, or as JSON
    #[arg(long, value_enum, default_value_t)]
    format: TableFormat,
}

/// A run, as far as its files tell.
#[derive(Debug, Serialize)]
struct Run {
    name: String,
    path: PathBuf,
    state: State,
    tokens: u64,
    of_tokens: Option<u64>,
    loss: Option<f32>,
    verdict: Option<Judged>,
    induction_heads: Vec<String>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It ended, and wrote down what it found.
    Done,
    /// A process is training it.
    Running,
    /// It was started, did not end, and nobody trains it.
    Interrupted,
    /// Its plan cannot be read.
    Damaged,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Running => "running",
            State::Interrupted => "interrupted",
            State::Damaged => "damaged",
        }
    }
}

/// Lists them.
pub fn list(arguments: Arguments) -> Outcome {
    if !arguments.runs.is_dir() {
        let words = format!("error: there is no folder {}", arguments.runs.display());
        return Err(Failure::Usage(format!("{words}\nhelp: `--runs` names the folder of the runs")));
    }
    let runs: Vec<Run> = runs_in(&arguments.runs).iter().map(|run| look(run, &arguments.runs)).collect();
    let heading = ["run", "state", "tokens", "of", "loss", "verdict", "induction heads"];
    let rows = std::iter::once(heading.map(str::to_string).to_vec()).chain(runs.iter().map(row));
    let rows: Vec<Vec<String>> = rows.collect();
    match arguments.format {
        TableFormat::Json => console::out(&json(&runs)),
        TableFormat::Markdown => console::out(&markdown(&rows)),
        TableFormat::Text if runs.is_empty() => {
            console::note(&format!("there are no runs in {}", arguments.runs.display()));
        }
        TableFormat::Text => console::out(&columns(&rows)),
    }
    Ok(())
}

fn look(run: &RunDirectory, folder: &Path) -> Run {
    let plan = run.read("plan.toml").ok().and_then(|bytes| toml::from_slice::<toml::Table>(&bytes).ok());
    let number = |path: [&str; 2]| plan.as_ref()?.get(path[0])?.get(path[1])?.as_integer();
    let sizes = [["training", "steps"], ["training", "batch_size"], ["architecture", "n_ctx"]];
    let of_tokens: Option<u64> = sizes.into_iter().map(|path| number(path).map(|n| n as u64)).product();
    let verdict: Option<Verdict> = run.read_json("analyses/verdict.json").ok();
    let last = run.last_metrics();
    let heads = verdict.iter().flat_map(|verdict| &verdict.induction_heads);
    Run {
        // Names may have folders in them, whatever the plan says.
        name: run.path.strip_prefix(folder).unwrap_or(&run.path).display().to_string(),
        path: run.path.clone(),
        state: match () {
            () if of_tokens.is_none() => State::Damaged,
            () if run.done() => State::Done,
            () if run.running() => State::Running,
            () => State::Interrupted,
        },
        tokens: last.as_ref().map_or(0, |metrics| metrics.tokens),
        of_tokens,
        loss: last.map(|metrics| metrics.loss),
        induction_heads: heads.map(|head| format!("{}.{}", head.layer, head.head)).collect(),
        verdict: verdict.map(|verdict| verdict.verdict),
    }
}

fn row(run: &Run) -> Vec<String> {
    let nothing = || "–".to_string();
    vec![
        run.name.clone(),
        run.state.word().into(),
        thousands(run.tokens),
        run.of_tokens.map_or_else(nothing, thousands),
        run.loss.map_or_else(nothing, |loss| format!("{loss:.3}")),
        run.verdict.as_ref().map_or_else(nothing, |verdict| verdict.name().replace('_', " ")),
        if run.induction_heads.is_empty() { nothing() } else { run.induction_heads.join(", ") },
    ]
}
