//! The comparison as Markdown.

use super::Run;
use super::groups::{Group, differing};
use super::words;
use crate::diff::Difference;
use crate::figures::Figure;
use crate::figures::text::{count, decimal};
use crate::record::Record;
use crate::report::escape;

/// The page: words, verdicts, what differs, figures, time.
pub fn page(title: &str, runs: &[Run], groups: &[Group<'_>], figures: &[Figure]) -> String {
    let mut out = format!("# {}\n\n{}\n\n", escape::text(title), words::paragraph(runs, groups));
    out += "## Verdicts\n\n";
    out += &table(&VERDICTS, runs.iter().map(verdict));
    if groups.len() < runs.len() {
        out += "\nEvery configuration over its seeds, mean (least to greatest):\n\n";
        out += &table(&GROUPS, groups.iter().map(group));
    }
    let rows = differing(groups);
    if !rows.is_empty() {
        out += "\n## What differs\n\n";
        out += &differences(&rows, groups);
    }
    if !figures.is_empty() {
        out += "\n## Figures\n";
        for figure in figures {
            let (title, reading) = (escape::text(&figure.title), escape::text(&figure.reading));
            let file = crate::report::context::file_name(figure);
            out += &format!("\n### {title}\n\n![{title}](figures/{file})\n\n{reading}\n");
        }
    }
    out += "\n## Time\n\nNothing above this line depends on a clock.\n\n";
    out + &table(&TIME, runs.iter().map(time))
}

const VERDICTS: [&str; 8] = [
    "run",
    "verdict",
    "induction heads",
    "formed at (tokens)",
    "prefix matching, best head",
    "ablation, most (nats)",
    "in-context-learning score (nats)",
    "held-out loss (nats)",
];

fn verdict(run: &Run) -> Vec<String> {
    let record = &run.record;
    let verdict = record.verdict.as_ref();
    let heads = verdict.iter().flat_map(|v| &v.induction_heads);
    let heads: Vec<String> = heads.map(|h| format!("{}.{}", h.layer, h.head)).collect();
    let number = |x: Option<f64>, decimals| x.map_or("–".into(), |x| decimal(x, decimals));
    vec![
        escape::text(&run.label),
        match verdict {
            Some(verdict) if record.is_judged() => verdict.verdict.name().replace('_', " "),
            _ => "not finished".into(),
        },
        if heads.is_empty() { "–".into() } else { heads.join(", ") },
        words::formed(record).map_or("–".into(), count),
        number(words::best(record, "prefix_matching"), 2),
        number(words::best(record, "ablation"), 2),
        number(words::in_context(record), 2),
        number(words::validation(record), 3),
    ]
}

const GROUPS: [&str; 7] = [
    "configuration",
    "runs",
    "found",
    "formed at (tokens)",
    "prefix matching, best head",
    "in-context-learning score (nats)",
    "held-out loss (nats)",
];

fn group(group: &Group<'_>) -> Vec<String> {
    let spread = |of: &dyn Fn(&Record) -> Option<f64>, said: &dyn Fn(f64) -> String| {
        let values: Vec<f64> = group.runs.iter().filter_map(|run| of(&run.record)).collect();
        match words::spread(&values) {
            None => "–".into(),
            Some((lo, mean, hi)) if lo == hi => said(mean),
            Some((lo, mean, hi)) => format!("{} ({} to {})", said(mean), said(lo), said(hi)),
        }
    };
    let found = |record: &Record| record.verdict.as_ref().is_some_and(|v| v.verdict.name() == "found");
    let found = group.runs.iter().filter(|run| found(&run.record)).count();
    vec![
        escape::text(&group.label),
        group.runs.len().to_string(),
        found.to_string(),
        spread(&words::formed, &count),
        spread(&|r| words::best(r, "prefix_matching"), &|x| decimal(x, 2)),
        spread(&words::in_context, &|x| decimal(x, 2)),
        spread(&words::validation, &|x| decimal(x, 3)),
    ]
}

/// Keys down and configurations across, or the other way about where those are more.
fn differences(rows: &[Difference], groups: &[Group<'_>]) -> String {
    let cell = |row: &Difference, i: usize| match &row.values[i] {
        Some(shown) => escape::code(&crate::figures::text::shorten(&shown.text, 80)),
        None => "–".into(),
    };
    let labels: Vec<String> = groups.iter().map(|group| escape::text(&group.label)).collect();
    let keys: Vec<String> = rows.iter().map(|row| escape::code(&row.key())).collect();
    let (first, across, down): (_, &[String], &[String]) = match groups.len() <= 4.max(rows.len()).min(8) {
        true => ("key", &labels, &keys),
        false => ("configuration", &keys, &labels),
    };
    let header: Vec<&str> = [first].into_iter().chain(across.iter().map(String::as_str)).collect();
    let line = |i: usize| {
        let value = |j: usize| if first == "key" { cell(&rows[i], j) } else { cell(&rows[j], i) };
        [down[i].clone()].into_iter().chain((0..across.len()).map(value)).collect()
    };
    table(&header, (0..down.len()).map(line))
}

const TIME: [&str; 3] = ["run", "training (s)", "tokens/s"];

fn time(run: &Run) -> Vec<String> {
    let number = |key: &str| run.record.timings.get(key).and_then(serde_json::Value::as_f64);
    vec![
        escape::text(&run.label),
        number("training_seconds").map_or("–".into(), |x| decimal(x, 1)),
        number("tokens_per_second").map_or("–".into(), count),
    ]
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
    rows.for_each(|row| out += &format!("| {} |\n", row.join(" | ")));
    out
}
