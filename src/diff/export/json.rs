//! Differences for programs.

use super::super::{Difference, Differences, Shown, Subject};
use super::sections;
use serde_json::{Map, Value, json};

/// `{"equal", "subjects", "results", "follows", "cosmetic", "provenance", "outcomes"}`; each row is
/// `{"key", "table", "values"}`, each value `{"value", "origin"}` or null.
pub fn to_json(subjects: &[Subject], found: &Differences) -> String {
    let value = |shown: &Option<Shown>| match shown {
        None => Value::Null,
        Some(Shown { value, origin: None, .. }) => json!({ "value": value }),
        Some(Shown { value, origin, .. }) => json!({ "value": value, "origin": origin }),
    };
    let row = |d: &Difference| {
        let values: Vec<Value> = d.values.iter().map(value).collect();
        json!({ "key": d.key(), "table": d.table, "values": values })
    };
    let subject = |s: &Subject| {
        let kind = if s.record.is_some() { "run" } else { "spec" };
        json!({ "name": s.name, "kind": kind })
    };
    let mut out = Map::new();
    out.insert("equal".into(), found.is_empty().into());
    out.insert("subjects".into(), subjects.iter().map(subject).collect());
    for (name, _, rows) in sections(found) {
        out.insert(name.into(), rows.iter().map(row).collect());
    }
    let text = serde_json::to_string_pretty(&Value::Object(out));
    text.unwrap_or_default() + "\n"
}
