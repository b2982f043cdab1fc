//! Plan → TOML, with the origin of every value as a comment.

use super::Plan;
use crate::spec::Findings;
use crate::spec::read::join;
use std::collections::BTreeMap;
use std::fmt::Write;
use toml::{Table, Value};

impl Plan {
    /// The plan as a document: every key resolved. With findings, each value's origin beside it.
    pub fn to_toml(&self, findings: Option<&Findings>) -> String {
        let table = Table::try_from(self).unwrap_or_default();
        let mut out = String::new();
        section(&table, "", "", findings, &mut out);
        out
    }
}

impl Plan {
    /// Where each value came from, by dotted path: `default`, `specs/a.toml:3`, `--set`.
    pub fn origins(&self, findings: &Findings) -> BTreeMap<String, String> {
        let mut origins = BTreeMap::new();
        let table = Value::Table(Table::try_from(self).unwrap_or_default());
        leaves(&table, "", &mut |path| {
            origins.insert(path.to_string(), findings.places.origin(path, &findings.sources));
        });
        origins
    }
}

fn leaves(value: &Value, path: &str, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::Table(table) => {
            table.iter().for_each(|(key, value)| leaves(value, &join(path, key), visit));
        }
        Value::Array(items) if items.first().is_some_and(Value::is_table) => {
            let items = items.iter().enumerate();
            items.for_each(|(i, item)| leaves(item, &join(path, &i.to_string()), visit));
        }
        _ => visit(path),
    }
}

/// `path` has list indices (that is how places are known), `header` has not.
fn section(table: &Table, path: &str, header: &str, findings: Option<&Findings>, out: &mut String) {
    let is_section = |value: &Value| match value {
        Value::Table(_) => true,
        Value::Array(items) => items.first().is_some_and(Value::is_table),
        _ => false,
    };
    for (key, value) in table.iter().filter(|(_, v)| !is_section(v)) {
        let line = format!("{} = {}", quoted(key), written(value));
        let origin = |f: &Findings| origin(f, &join(path, key));
        let comment = findings.map(origin).map_or(String::new(), |o| format!("  # {o}"));
        // Writing to a String cannot fail.
        let _ =
            if comment.is_empty() { writeln!(out, "{line}") } else { writeln!(out, "{line:<48}{comment}") };
    }
    for (key, value) in table.iter().filter(|(_, v)| is_section(v)) {
        let (path, header) = (join(path, key), join(header, &quoted(key)));
        match value {
            Value::Table(inner) => {
                let _ = writeln!(out, "\n[{header}]");
                section(inner, &path, &header, findings, out);
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let _ = writeln!(out, "\n[[{header}]]");
                    if let Value::Table(inner) = item {
                        section(inner, &join(&path, &i.to_string()), &header, findings, out);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Where a value comes from; of the steps that a budget of tokens becomes, the budget as well.
fn origin(findings: &Findings, path: &str) -> String {
    let sources = &findings.sources;
    let origin = findings.places.origin(path, sources);
    // Tokens that steps have replaced still have their place, another one.
    let budget = findings.places.value("training.tokens").filter(|_| path == "training.steps");
    match budget.filter(|_| findings.places.origin("training.tokens", sources) == origin) {
        None => origin,
        Some(span) => {
            let written = sources.of(span).text.get(span.range.clone()).unwrap_or_default();
            format!("{origin} (tokens = {written})")
        }
    }
}

/// As a person would write it: `1e-8`, not `0.00000001`.
fn written(value: &Value) -> String {
    match value {
        Value::Float(x) => format!("{x:?}"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        value => value.to_string(),
    }
}

fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_string()
    } else {
        Value::String(key.to_string()).to_string()
    }
}
