//! The comparison as Markdown.

use super::Run;
use super::factors::Factor;
use super::groups::Group;
use super::{one_change, words};
use crate::diff::Difference;
use crate::figures::Figure;
use crate::figures::text::{count, decimal};
use crate::record::Record;
use crate::report::escape;

/// The page: words, verdicts, what differs, figures, time.
pub fn page(
    title: &str,
    runs: &[Run],
    groups: &[Group<'_>],
    factors: &[Factor],
    figures: &[Figure],
) -> String {
    let mut out = format!("# {}\n\n{}\n\n", escape::text(title), words::paragraph(runs, groups));
    out += "## Verdicts\n\n";
    let measures = measured(runs);
    let verdicts = headings(&["run", "verdict", "induction heads"], &measures);
    out += &table(&verdicts, runs.iter().map(|run| verdict(run, &measures)));
    if groups.len() < runs.len() {
        out += "\nEvery configuration over its seeds, mean (least to greatest):\n\n";
        let spreads = headings(&["configuration", "runs", "found"], &measures);
        out += &table(&spreads, groups.iter().map(|of| group(of, &measures)));
    }
    let rows: Vec<&Difference> = factors.iter().flat_map(Factor::rows).collect();
    if !rows.is_empty() {
        out += "\n## What differs\n\n";
        out += &differences(&rows, groups);
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

/// A number of a run.
pub struct Measure {
    pub heading: &'static str,
    pub of: fn(&Record) -> Option<f64>,
    pub said: fn(f64) -> String,
}

/// A number in words.
pub fn cell(measure: &Measure, number: Option<f64>) -> String {
    number.map_or("–".into(), measure.said)
}

/// What is said of every run; what no run has measured is left out.
const MEASURES: &[Measure] = &[
    Measure { heading: "formed at (tokens)", of: words::formed, said: count },
    Measure {
        heading: "prefix matching, best head",
        of: |record| words::best(record, "prefix_matching"),
        said: |x| decimal(x, 2),
    },
    Measure {
        heading: "previous token, best head",
        of: |record| words::best(record, "previous_token"),
        said: |x| decimal(x, 2),
    },
    Measure {
        heading: "ablation, most (nats)",
        of: |record| words::best(record, "ablation"),
        said: |x| decimal(x, 2),
    },
    Measure {
        heading: "token identity after the first block (share of the stream's variance)",
        of: words::identity,
        said: |x| decimal(x, 2),
    },
    Measure {
        heading: "tokens that the last occurrence predicts (share of all)",
        of: words::predicted,
        said: |x| decimal(x, 3),
    },
    Measure { heading: "in-context-learning score (nats)", of: words::in_context, said: |x| decimal(x, 2) },
    Measure { heading: "held-out loss (nats)", of: words::validation, said: |x| decimal(x, 3) },
];

/// The measures that any of the runs has.
fn measured(runs: &[Run]) -> Vec<&'static Measure> {
    let any = |measure: &&Measure| runs.iter().any(|run| (measure.of)(&run.record).is_some());
    MEASURES.iter().filter(any).collect()
}

fn headings(first: &[&'static str], measures: &[&'static Measure]) -> Vec<&'static str> {
    first.iter().copied().chain(measures.iter().map(|measure| measure.heading)).collect()
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
    let numbers = measures.iter().map(|m| cell(m, (m.of)(record)));
    [escape::text(&run.label), judged, heads].into_iter().chain(numbers).collect()
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

/// Keys down and configurations across, or the other way about where those are more.
fn differences(rows: &[&Difference], groups: &[Group<'_>]) -> String {
    let shown = |row: &Difference, i: usize| match &row.values[i] {
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
        let value = |j: usize| if first == "key" { shown(rows[i], j) } else { shown(rows[j], i) };
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

/// A table in Markdown.
pub fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
    rows.for_each(|row| out += &format!("| {} |\n", row.join(" | ")));
    out
}
