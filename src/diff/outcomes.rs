//! What came of the runs, side by side, and where they were made.

use super::{Difference, Shown, Subject};
use crate::record::{Cell, Record, Table};
use serde_json::Value as Json;

type Get = fn(&Record) -> Option<Cell>;

/// An outcome: its name with its unit, how many decimals it is told with, and how to find it.
pub const OUTCOMES: &[(&str, usize, Get)] = &[
    ("verdict", 0, |r| Some(r.verdict.as_ref()?.verdict.name().into())),
    ("induction heads", 0, |r| {
        let heads = &r.verdict.as_ref()?.induction_heads;
        let names: Vec<String> = heads.iter().map(|h| format!("{}.{}", h.layer, h.head)).collect();
        Some(if names.is_empty() { "none".into() } else { names.join(", ").into() })
    }),
    ("prefix matching, best head", 3, |r| best(r, "prefix_matching")),
    ("prefix matching on passages, best head", 3, |r| best(r, "prefix_matching_passages")),
    ("ablation, most (nats)", 3, |r| best(r, "ablation")),
    ("formed at (tokens)", 0, |r| {
        Some(r.verdict.as_ref()?.induction_heads.first()?.formed_at_tokens?.into())
    }),
    ("in-context-learning score (nats)", 3, |r| {
        last(r.analysis("in_context_learning")?.table("scores")?, "score")
    }),
    ("loss on the second copy (nats)", 3, |r| {
        last(r.analysis("repeated_loss")?.table("losses")?, "second_copy")
    }),
    ("training loss at the end (nats)", 3, |r| last(&r.metrics, "loss")),
    ("validation loss at the end (nats)", 3, |r| last(&r.metrics, "validation_loss")),
    ("training tokens", 0, |r| last(&r.metrics, "tokens")),
    ("training time (s)", 1, |r| Some(r.timings.get("training_seconds")?.as_f64()?.into())),
    ("speed (tokens/s)", 0, |r| Some(r.timings.get("tokens_per_second")?.as_f64()?.into())),
];

/// Where a run was made, and from which data.
const PROVENANCE: &[(&str, &str)] = &[
    ("dataset digest", "/dataset/digest"),
    ("tokenizer digest", "/tokenizer/digest"),
    ("indhead version", "/version"),
    ("commit", "/commit"),
    ("device", "/device"),
    ("threads", "/threads"),
];

/// Every outcome that any of the subjects has.
pub fn outcomes(subjects: &[Subject]) -> Vec<Difference> {
    let row = |(name, decimals, get): &(&str, usize, Get)| Difference {
        table: String::new(),
        name: name.to_string(),
        values: subjects.iter().map(|s| shown(&get(s.record.as_ref()?)?, *decimals)).collect(),
    };
    OUTCOMES.iter().map(row).filter(|d| d.values.iter().any(Option::is_some)).collect()
}

/// What is known of where the runs were made.
pub fn provenance(subjects: &[Subject]) -> Vec<Difference> {
    let row = |(name, pointer): &(&str, &str)| {
        let value = |s: &Subject| {
            let value = s.record.as_ref()?.provenance.pointer(pointer)?.clone();
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            Some(Shown { text, value, origin: None })
        };
        let values = subjects.iter().map(value).collect();
        Difference { table: String::new(), name: name.to_string(), values }
    };
    PROVENANCE.iter().map(row).filter(|d| d.values.iter().any(Option::is_some)).collect()
}

fn shown(cell: &Cell, decimals: usize) -> Option<Shown> {
    let text = match cell {
        Cell::Number(x) => format!("{x:.decimals$}"),
        Cell::Integer(n) => n.to_string(),
        Cell::Text(words) => words.clone(),
        Cell::Missing(()) => return None,
    };
    Some(Shown { text, value: serde_json::to_value(cell).unwrap_or(Json::Null), origin: None })
}

fn best(record: &Record, measure: &str) -> Option<Cell> {
    let scores = record.verdict.as_ref()?.heads.numbers(measure);
    scores.into_iter().filter(|x| x.is_finite()).reduce(f64::max).map(Cell::from)
}

fn last(table: &Table, column: &str) -> Option<Cell> {
    let cells: Vec<&Cell> = table.column(column).collect();
    cells.into_iter().rfind(|cell| cell.number().is_some()).cloned()
}
