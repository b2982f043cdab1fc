//! What differs between runs: in configuration, and in outcome. Only files are read.

use crate::record::Record;
use toml::{Table, Value};

/// Tables whose keys change neither the weights nor the data.
const COSMETIC: &[&str] = &[
    "name",
    "description",
    "report",
    "verdict",
    "analyses",
    "training.checkpoints",
    "training.validation_sequences",
];

/// One of the things compared.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What it is called: the path that was given.
    pub name: String,
    /// Its resolved plan.
    pub plan: Table,
    /// What came of it, if it ran.
    pub record: Option<Record>,
}

/// A key, or an outcome, and its value in each subject; `None` where it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The dotted key, or the outcome's name.
    pub key: String,
    /// The value in each subject.
    pub values: Vec<Option<String>>,
}

/// All that differs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Differences {
    /// Keys that change the weights or the data.
    pub results: Vec<Difference>,
    /// Keys that change how a run is watched or told.
    pub cosmetic: Vec<Difference>,
    /// Outcomes, side by side; empty unless two subjects ran.
    pub outcomes: Vec<Difference>,
}

impl Differences {
    /// Whether the configurations are the same.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty() && self.cosmetic.is_empty()
    }
}

/// Compares two or more subjects; with `all`, equal keys too.
pub fn compare(subjects: &[Subject], all: bool) -> Differences {
    let flat: Vec<Vec<(String, String)>> = subjects.iter().map(|s| flatten(&s.plan)).collect();
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in flat.iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut found = Differences::default();
    for key in keys {
        let value = |of: &Vec<(String, String)>| of.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        let values: Vec<Option<String>> = flat.iter().map(value).collect();
        if !all && values.windows(2).all(|pair| pair[0] == pair[1]) {
            continue;
        }
        let difference = Difference { key: key.clone(), values };
        let under =
            |table: &str| key == table || key.strip_prefix(table).is_some_and(|r| r.starts_with(['.', '[']));
        match COSMETIC.iter().any(|t| under(t)) {
            true => found.cosmetic.push(difference),
            false => found.results.push(difference),
        }
    }
    found.outcomes = outcomes(subjects);
    found
}

/// `(dotted key, value)` of every leaf. Analyses go by their id, so that one more is one more.
fn flatten(table: &Table) -> Vec<(String, String)> {
    fn walk(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
        match value {
            Value::Table(table) => {
                for (key, value) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(value, &path, out);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_table) => {
                for (i, item) in items.iter().enumerate() {
                    let id = item.get("id").and_then(Value::as_str).map(str::to_string);
                    let index = id.unwrap_or_else(|| i.to_string());
                    walk(item, &format!("{path}[{index}]"), out);
                }
            }
            leaf => out.push((path.to_string(), leaf.to_string())),
        }
    }
    let mut out = Vec::new();
    walk(&Value::Table(table.clone()), "", &mut out);
    out
}

fn outcomes(subjects: &[Subject]) -> Vec<Difference> {
    if subjects.iter().filter(|s| s.record.is_some()).count() < 2 {
        return Vec::new();
    }
    type Outcome = (&'static str, fn(&Record) -> Option<String>);
    const OUTCOMES: &[Outcome] = &[
        ("verdict", |r| Some(r.verdict.as_ref()?.verdict.name().to_string())),
        ("induction heads", |r| {
            let heads = &r.verdict.as_ref()?.induction_heads;
            let names: Vec<String> = heads.iter().map(|h| format!("{}.{}", h.layer, h.head)).collect();
            Some(if names.is_empty() { "none".into() } else { names.join(", ") })
        }),
        ("prefix matching (best head)", |r| {
            let scores = r.verdict.as_ref()?.heads.numbers("prefix_matching");
            scores.into_iter().reduce(f64::max).map(|x| format!("{x:.3}"))
        }),
        ("formed at tokens", |r| {
            Some(r.verdict.as_ref()?.induction_heads.first()?.formed_at_tokens?.to_string())
        }),
        ("in-context-learning score (nats)", |r| {
            last(r.analysis("in_context_learning")?.table("scores")?, "score")
        }),
        ("loss on second copy (nats)", |r| {
            last(r.analysis("repeated_loss")?.table("losses")?, "second_copy")
        }),
        ("training loss (nats)", |r| last(&r.metrics, "loss")),
        ("validation loss (nats)", |r| last(&r.metrics, "validation_loss")),
        ("training seconds", |r| Some(format!("{:.0}", r.timings.get("training_seconds")?.as_f64()?))),
    ];
    let row = |(name, of): &Outcome| Difference {
        key: name.to_string(),
        values: subjects.iter().map(|s| of(s.record.as_ref()?)).collect(),
    };
    OUTCOMES.iter().map(row).filter(|d| d.values.iter().any(Option::is_some)).collect()
}

fn last(table: &crate::record::Table, column: &str) -> Option<String> {
    table.numbers(column).into_iter().rfind(|x| x.is_finite()).map(|x| format!("{x:.4}"))
}

/// The differences as text: a table a section, one column a subject.
pub fn to_text(subjects: &[Subject], differences: &Differences) -> String {
    let names: Vec<String> = subjects.iter().map(|s| s.name.clone()).collect();
    let sections = [
        ("changes results", &differences.results),
        ("changes how it is watched and told", &differences.cosmetic),
        ("outcomes", &differences.outcomes),
    ];
    let mut out = String::new();
    for (title, rows) in sections.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        let header: Vec<String> = std::iter::once(title.to_string()).chain(names.iter().cloned()).collect();
        let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".into());
        let line = |d: &Difference| std::iter::once(d.key.clone()).chain(d.values.iter().map(cell)).collect();
        let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows.iter().map(line)).collect();
        out.push_str(&aligned(&lines));
    }
    if out.is_empty() {
        out.push_str("no differences\n");
    }
    out
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |c: usize| lines.iter().map(|l| l[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}", w = *w)).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
        if i == 0 {
            out.push_str(&"─".repeat(widths.iter().sum::<usize>() + 2 * (columns.max(1) - 1)));
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str, plan: &str) -> Subject {
        Subject { name: name.into(), plan: toml::from_str(plan).unwrap(), record: None }
    }

    #[test]
    fn only_what_differs_and_by_what_it_changes() {
        let a = subject(
            "a",
            "name = \"a\"\nseed = 0\n[training]\nsteps = 5\n[[architecture.blocks]]\nkind = \"conv1d\"",
        );
        let b = subject(
            "b",
            "name = \"b\"\nseed = 1\n[training]\nsteps = 5\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2",
        );
        let found = compare(&[a, b], false);
        let keys: Vec<&str> = found.results.iter().map(|d| d.key.as_str()).collect();
        assert_eq!(keys, ["seed", "architecture.blocks[0].kind", "architecture.blocks[0].n_heads"]);
        assert_eq!(found.cosmetic.len(), 1);
        assert_eq!(found.results[2].values, [None, Some("2".into())]);
    }

    #[test]
    fn the_same_twice_is_no_difference() {
        let a = subject("a", "seed = 3\n[[analyses]]\nid = \"x\"");
        assert!(compare(&[a.clone(), a.clone()], false).is_empty());
        assert_eq!(compare(&[a.clone(), a], true).results.len(), 1);
    }
}
