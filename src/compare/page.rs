//! The comparison as Markdown.

use super::Run;
use super::factors::Factor;
use super::groups::Group;
use super::measures::{Measure, measured};
use super::{evidence, one_change, reading, words};
use crate::diff::Difference;
use crate::figures::Figure;
use crate::figures::text::{count, decimal};
use crate::report::{blocks, escape};

/// The page: words, verdicts, what differs, figures, time.
pub fn page(
    title: &str,
    runs: &[Run],
    groups: &[Group<'_>],
    factors: &[Factor],
    figures: &[Figure],
) -> String {
    let mut out = format!("# {}\n\n{}\n\n", escape::text(title), words::paragraph(runs, groups));
    out += &reading::question(runs);
    out += "## Verdicts\n\n";
    let measures = measured(runs.iter().map(|run| &run.record));
    let verdicts = headings(&["run", "verdict", "induction heads"], &measures);
    out += &table(&verdicts, runs.iter().map(|run| verdict(run, &measures)));
    if groups.len() < runs.len() {
        out += "\nEvery configuration over its seeds, mean (least to greatest):\n\n";
        let spreads = headings(&["configuration", "runs", "found"], &measures);
        out += &table(&spreads, groups.iter().map(|of| group(of, &measures)));
    }
    out += &reading::columns(&measures);
    out += &evidence::section(groups);
    let rows: Vec<&Difference> = factors.iter().flat_map(Factor::rows).collect();
    if !rows.is_empty() {
        out += "\n## What differs\n\n";
        out += &differences(&rows, groups);
        out += &together(factors);
    }
    out += &one_change::section(factors, groups, &measures);
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

fn headings(first: &[&'static str], measures: &[&'static Measure]) -> Vec<&'static str> {
    first.iter().copied().chain(measures.iter().map(|measure| measure.heading)).collect()
}

/// A run's name, leading to its own report where that is at hand.
fn linked(run: &Run) -> String {
    let label = escape::text(&run.label);
    run.report.as_ref().map_or(label.clone(), |report| format!("[{label}](<{report}>)"))
}

fn verdict(run: &Run, measures: &[&Measure]) -> Vec<String> {
    let record = &run.record;
    let verdict = record.verdict.as_ref();
    let heads = verdict.iter().flat_map(|v| &v.induction_heads);
    let heads: Vec<String> = heads.map(|h| format!("{}.{}", h.layer, h.head)).collect();
    let judged = match verdict {
        Some(verdict) if record.is_judged() => verdict.verdict.name().replace('_', " "),
        _ => "not finished".into(),
    };
    let heads = if heads.is_empty() { "–".into() } else { heads.join(", ") };
    let numbers = measures.iter().map(|m| m.cell((m.of)(record)));
    [linked(run), judged, heads].into_iter().chain(numbers).collect()
}

fn group(group: &Group<'_>, measures: &[&Measure]) -> Vec<String> {
    let spread = |measure: &&Measure| {
        let values: Vec<f64> = group.runs.iter().filter_map(|run| (measure.of)(&run.record)).collect();
        match words::spread(&values) {
            None => "–".into(),
            Some((lo, mean, hi)) if lo == hi => (measure.said)(mean),
            Some((lo, mean, hi)) => {
                let [lo, mean, hi] = [lo, mean, hi].map(measure.said);
                format!("{mean} ({lo} to {hi})")
            }
        }
    };
    let found = words::found_in(group).to_string();
    let first = [escape::text(&group.label), group.runs.len().to_string(), found];
    first.into_iter().chain(measures.iter().map(spread)).collect()
}

/// Keys down and configurations across, or the other way about where those are more; first the blocks in one line,
/// where they differ.
fn differences(rows: &[&Difference], groups: &[Group<'_>]) -> String {
    let shown = |row: &Difference, i: usize| match &row.values[i] {
        Some(shown) => escape::code(&crate::figures::text::shorten(&shown.text, 80)),
        None => "–".into(),
    };
    let blocks: Vec<String> = groups
        .iter()
        .map(|group| blocks(&group.runs[0].record.plan).map_or("–".into(), |blocks| escape::code(&blocks)))
        .collect();
    let mut keys: Vec<(String, Vec<String>)> = Vec::new();
    if blocks.iter().any(|other| *other != blocks[0]) {
        keys.push(("blocks, first to last".into(), blocks));
    }
    let of_key = |row: &&Difference| {
        (escape::code(&row.key()), (0..groups.len()).map(|group| shown(row, group)).collect())
    };
    keys.extend(rows.iter().map(of_key));
    let labels: Vec<String> = groups.iter().map(|group| escape::text(&group.label)).collect();
    if groups.len() <= 4.max(keys.len()).min(8) {
        let header: Vec<&str> = ["key"].into_iter().chain(labels.iter().map(String::as_str)).collect();
        let line =
            |(key, values): &(String, Vec<String>)| [key.clone()].into_iter().chain(values.clone()).collect();
        table(&header, keys.iter().map(line))
    } else {
        let header: Vec<&str> =
            ["configuration"].into_iter().chain(keys.iter().map(|(key, _)| key.as_str())).collect();
        let line = |group: usize| {
            let values = keys.iter().map(|(_, values)| values[group].clone());
            [labels[group].clone()].into_iter().chain(values).collect()
        };
        table(&header, (0..groups.len()).map(line))
    }
}

/// Which keys change together, and by which of them configurations are called.
fn together(factors: &[Factor]) -> String {
    let several = factors.iter().filter(|factor| factor.rows().len() > 1);
    let sentence = |factor: &Factor| {
        let others: Vec<String> = factor.rows()[1..].iter().map(|row| escape::code(&row.key())).collect();
        let telling = escape::code(&factor.telling().key());
        format!(
            "\nWith {telling} changes {}: what one of them did cannot be told from what the other did.\n",
            others.join(" and ")
        )
    };
    several.map(sentence).collect()
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

/// A table in Markdown.
pub fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
    rows.for_each(|row| out += &format!("| {} |\n", row.join(" | ")));
    out
}
