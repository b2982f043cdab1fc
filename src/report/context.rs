//! What a template can name: words, ready for Markdown.

use super::{escape, facts, heads, verdict};
use crate::figures::{Drawn, Figure, text};
use crate::record::{Cell, Record, Table};
use serde::Serialize;

/// Every variable of a template and what it holds. A test compares this list with [`Context`].
pub static VARIABLES: &[(&str, &str)] = &[
    ("name", "the run's name"),
    ("description", "what the spec says of it; may be empty"),
    ("verdict", "`outcome` (found, not_found, inconclusive, none), `lead`, a list `rests_on`"),
    ("criteria", "a list of `measure`, `threshold`, `meaning`"),
    ("heads", "all heads at the last checkpoint: `columns`, `rows`, `note`"),
    ("figures", "a list of `name`, `file`, `title`, `reading`"),
    ("failures", "a list of sentences: figures that could not be drawn"),
    ("summary", "the configuration in a few lines: a list of `label`, `value`"),
    ("plan", "the resolved plan as a fenced block of TOML"),
    ("probes", "a list of `id`, `probe`, `definition`, `parameters`"),
    ("tables", "every table of every analysis: a list of `id`, `name`, `columns`, `rows`"),
    ("provenance", "where the numbers come from: a list of `label`, `value`"),
    ("time", "what clocks say, the only part that differs between equal runs: `label`, `value`"),
];

/// The variables' names.
pub fn names() -> Vec<&'static str> {
    VARIABLES.iter().map(|(name, _)| *name).collect()
}

/// Everything a template can name; see [`VARIABLES`].
#[derive(Debug, Clone, Serialize)]
pub struct Context {
    name: String,
    description: String,
    verdict: verdict::Words,
    criteria: Vec<verdict::Bar>,
    heads: Grid,
    figures: Vec<Placed>,
    failures: Vec<String>,
    summary: Vec<Line>,
    plan: String,
    probes: Vec<Probe>,
    tables: Vec<Listed>,
    provenance: Vec<Line>,
    time: Vec<Line>,
}

/// A fact with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is.
    pub label: String,
    /// What is said of it.
    pub value: String,
}

/// A table of words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Grid {
    /// The columns' headings.
    pub columns: Vec<String>,
    /// The rows, a word a column.
    pub rows: Vec<Vec<String>>,
    /// What has to be said below it; may be empty.
    pub note: String,
}

#[derive(Debug, Clone, Serialize)]
struct Placed {
    name: String,
    file: String,
    title: String,
    reading: String,
}

#[derive(Debug, Clone, Serialize)]
struct Probe {
    id: String,
    probe: String,
    definition: String,
    parameters: String,
}

#[derive(Debug, Clone, Serialize)]
struct Listed {
    id: String,
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A figure's file in `figures/`.
pub fn file_name(figure: &Figure) -> String {
    format!("{}.svg", figure.name)
}

impl Context {
    /// Words for a run and its figures.
    pub fn of(record: &Record, drawn: &Drawn) -> Self {
        let description = record.plan.get("description").and_then(|d| d.as_str());
        let failure = |(kind, error): &(&str, _)| {
            escape::text(&format!("The figure {kind} could not be drawn: {error}."))
        };
        let plan = toml::to_string(&record.plan).unwrap_or_else(|_| record.plan.to_string());
        let provenance = facts::provenance(&record.provenance);
        Context {
            name: escape::text(&record.name),
            description: escape::text(description.unwrap_or_default()),
            verdict: verdict::words(record),
            criteria: verdict::bars(record),
            heads: heads::grid(record),
            figures: drawn.figures.iter().map(placed).collect(),
            failures: drawn.failures.iter().map(failure).collect(),
            summary: facts::summary(record),
            plan: escape::fence("toml", &plan),
            probes: record.analyses.iter().map(probe).collect(),
            tables: listed(record),
            provenance,
            time: facts::time(&record.provenance, &record.timings),
        }
    }
}

fn placed(figure: &Figure) -> Placed {
    Placed {
        name: figure.name.clone(),
        file: format!("figures/{}", file_name(figure)),
        title: escape::text(&figure.title),
        reading: escape::text(&figure.reading),
    }
}

fn probe(analysis: &crate::record::Analysis) -> Probe {
    let parameter = |(name, value): (&String, &toml::Value)| {
        escape::code(&text::shorten(&format!("{name} = {value}"), 120))
    };
    Probe {
        id: escape::code(&analysis.id),
        probe: escape::code(&analysis.probe),
        definition: escape::text(&analysis.definition),
        parameters: analysis.parameters.iter().map(parameter).collect::<Vec<_>>().join(", "),
    }
}

fn listed(record: &Record) -> Vec<Listed> {
    let of = |id: &str, table: &Table| Listed {
        id: escape::code(id),
        name: escape::text(&table.name),
        columns: table.columns.iter().map(|c| heading(&c.name, &c.unit)).collect(),
        rows: table.rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
    };
    let tables = record.analyses.iter().flat_map(|a| a.tables.iter().map(|t| of(&a.id, t)));
    tables.collect()
}

/// A column's heading: its name in words, and its unit.
pub fn heading(name: &str, unit: &str) -> String {
    let name = escape::text(&name.replace('_', " "));
    if unit.is_empty() { name } else { format!("{name} ({})", escape::text(unit)) }
}

/// A cell as it is written.
pub fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Integer(n) => n.to_string(),
        Cell::Number(x) => text::decimal(*x, 2),
        Cell::Text(words) => escape::text(words),
        Cell::Missing(()) => "–".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_variables_is_the_context() {
        let record = Record {
            name: String::new(),
            plan: toml::Table::new(),
            metrics: Table::new("metrics", &[]),
            analyses: Vec::new(),
            verdict: None,
            provenance: serde_json::Value::Null,
            timings: serde_json::Value::Null,
        };
        let drawn = Drawn { figures: Vec::new(), failures: Vec::new() };
        let context = serde_json::to_value(Context::of(&record, &drawn)).unwrap();
        let mut listed = names();
        listed.sort_unstable();
        assert_eq!(context.as_object().unwrap().keys().collect::<Vec<_>>(), listed);
    }
}
