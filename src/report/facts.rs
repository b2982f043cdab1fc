//! The configuration in a few lines, where the numbers come from, and what clocks say.

use super::context::Line;
use super::escape;
use crate::figures::text::{count, decimal};
use crate::record::Record;
use serde_json::Value as Json;

fn line(label: &str, value: String) -> Option<Line> {
    let label = label.to_string();
    (!value.is_empty()).then_some(Line { label, value })
}

/// The model, the data and the training, as far as the plan and the provenance know them.
pub fn summary(record: &Record) -> Vec<Line> {
    let lines = [
        line("Architecture", architecture(&record.plan, &record.provenance)),
        line("Data", data(&record.plan, &record.provenance)),
        line("Training", training(&record.plan)),
    ];
    lines.into_iter().flatten().collect()
}

/// A value of the plan by its path, as it would be said.
fn said(plan: &toml::Table, path: &[&str]) -> Option<String> {
    let (last, tables) = path.split_last()?;
    let table = tables.iter().try_fold(plan, |table, key| table.get(*key)?.as_table())?;
    match table.get(*last)? {
        toml::Value::String(words) => Some(words.clone()),
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Float(x) => Some(x.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}

fn architecture(plan: &toml::Table, provenance: &Json) -> String {
    let mut parts: Vec<String> = blocks(plan).map(|blocks| escape::code(&blocks)).into_iter().collect();
    let words = [
        ("d_model", "width"),
        ("n_ctx", "context"),
        ("positions", "positions"),
        ("normalization", "normalization"),
    ];
    for (key, word) in words {
        let value = said(plan, &["architecture", key]);
        parts.extend(value.map(|value| format!("{word} {}", escape::text(&value))));
    }
    let parameters = provenance.get("n_parameters").and_then(Json::as_f64);
    parts.extend(parameters.map(|n| format!("{} parameters", count(n))));
    parts.join("; ")
}

/// The blocks of a plan's architecture in one line: `conv1d(2) → attention(2 × 32)`.
pub fn blocks(plan: &toml::Table) -> Option<String> {
    let blocks = plan.get("architecture")?.get("blocks")?.as_array()?;
    let blocks: Vec<String> = blocks.iter().filter_map(|b| b.as_table()).map(block).collect();
    (!blocks.is_empty()).then(|| blocks.join(" → "))
}

/// A block by its kind and its sizes: `attention(2 × 32)`, `conv1d(2)`.
fn block(block: &toml::Table) -> String {
    let kind = block.get("kind").and_then(|k| k.as_str()).unwrap_or("?");
    let heads = block.get("n_heads").and_then(|n| n.as_integer());
    let mut inside: Vec<String> = Vec::new();
    if let Some(n) = heads {
        let size = block.get("d_head").and_then(|d| d.as_integer());
        inside.push(size.map_or(format!("{n} heads"), |d| format!("{n} × {d}")));
    }
    for (key, value) in block {
        match value {
            toml::Value::Integer(n) if !["n_heads", "d_head"].contains(&key.as_str()) => {
                inside.push(n.to_string())
            }
            toml::Value::Boolean(true) => inside.push(key.replace('_', " ")),
            _ => {}
        }
    }
    if inside.is_empty() { kind.to_string() } else { format!("{kind}({})", inside.join(", ")) }
}

/// A dataset's kind and place; of a mixture, every part's with its share.
fn origin(dataset: &toml::Table) -> String {
    let word = |key: &str| dataset.get(key).and_then(toml::Value::as_str);
    let kind = word("kind").map(escape::text);
    let place = ["path", "repo"].into_iter().find_map(word).map(escape::code);
    let said = kind.into_iter().chain(place).collect::<Vec<_>>().join("; ");
    let parts = dataset.get("parts").and_then(toml::Value::as_array);
    let parts: Vec<&toml::Table> = parts.into_iter().flatten().filter_map(toml::Value::as_table).collect();
    if parts.is_empty() {
        return said;
    }
    let share = |part: &toml::Table| match part.get("share") {
        Some(toml::Value::Integer(n)) => *n as f64,
        Some(toml::Value::Float(x)) => *x,
        _ => f64::NAN,
    };
    let sum: f64 = parts.iter().map(|part| share(part)).sum();
    let part = |part: &&toml::Table| {
        format!("{} of {}", decimal(share(part) / sum, 2), origin(part).replace("; ", " "))
    };
    format!("{said}: {}", parts.iter().map(part).collect::<Vec<_>>().join(", "))
}

fn data(plan: &toml::Table, provenance: &Json) -> String {
    let dataset = plan.get("dataset").and_then(toml::Value::as_table);
    let mut parts: Vec<String> = dataset.into_iter().map(origin).collect();
    let number = |key: &str| provenance.pointer(&format!("/dataset/{key}")).and_then(Json::as_f64);
    parts.extend(number("tokens").map(|n| format!("{} tokens", count(n))));
    parts.extend(number("documents").map(|n| format!("{n} documents")));
    let size = said(plan, &["tokenizer", "d_vocab"]);
    let kind = said(plan, &["tokenizer", "kind"]).map(|kind| format!(" ({})", escape::text(&kind)));
    parts.extend(size.map(|n| format!("vocabulary {}{}", escape::text(&n), kind.unwrap_or_default())));
    parts.join("; ")
}

fn training(plan: &toml::Table) -> String {
    let mut parts = Vec::new();
    let integer = |key: &str| said(plan, &["training", key]).and_then(|n| n.parse::<f64>().ok());
    parts.extend(integer("tokens").map(|n| format!("{} tokens", count(n))));
    parts.extend(integer("steps").map(|n| format!("{n} steps")));
    parts.extend(integer("batch_size").map(|n| format!("{n} sequences a step")));
    let optimizer = said(plan, &["training", "optimizer", "kind"]);
    let rate = said(plan, &["training", "optimizer", "lr"]).map(|lr| format!(" at {lr}"));
    parts.extend(optimizer.map(|kind| escape::text(&kind) + &rate.unwrap_or_default()));
    let schedule = said(plan, &["training", "schedule", "kind"]);
    parts.extend(schedule.map(|kind| format!("{} schedule", escape::text(&kind))));
    parts.join("; ")
}

/// The facts that say where the numbers come from, in this order.
const ORIGIN: [(&str, &str); 9] = [
    ("indhead", "/version"),
    ("Commit", "/commit"),
    ("Command", "/argv"),
    ("Analyses of", "/analyses"),
    ("Seed", "/seed"),
    ("Device", "/device"),
    ("Threads", "/threads"),
    ("Dataset", "/dataset"),
    ("Tokenizer", "/tokenizer"),
];

/// What is said first of a dataset or a tokenizer.
const FIRST: [&str; 6] = ["kind", "documents", "tokens", "bytes", "skipped", "d_vocab"];

/// Where the numbers come from.
pub fn provenance(provenance: &Json) -> Vec<Line> {
    let fact = |(label, pointer): (&str, &str)| line(label, fact(provenance.pointer(pointer)?));
    ORIGIN.into_iter().filter_map(fact).collect()
}

/// A JSON value as one fact: a list is a command line, an object a list of its own facts.
fn fact(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(words) => escape::code(words),
        Json::Array(words) => {
            let words = words.iter().map(|w| quoted(w.as_str().unwrap_or_default()));
            escape::code(&words.collect::<Vec<_>>().join(" "))
        }
        Json::Object(facts) => {
            let place = |key: &String| FIRST.iter().position(|first| first == key);
            let mut facts: Vec<_> = facts.iter().filter(|(_, value)| !value.is_null()).collect();
            facts.sort_by_key(|(key, _)| place(key).unwrap_or(FIRST.len()));
            let one = |(key, value): (&String, &Json)| format!("{} {}", escape::text(key), fact(value));
            facts.into_iter().map(one).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A word of a command line, quoted where a shell would need it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// What clocks say.
pub fn time(provenance: &Json, timings: &Json) -> Vec<Line> {
    let number = |key: &str| timings.get(key).and_then(Json::as_f64);
    let seconds = |key: &str| number(key).map_or(String::new(), |s| format!("{} s", decimal(s, 1)));
    let speed = number("tokens_per_second").map(|n| format!("{} tokens a second", count(n)));
    let when = |value: Option<&Json>| value.map_or(String::new(), fact);
    let lines = [
        line("Training", seconds("training_seconds")),
        line("Speed", speed.unwrap_or_default()),
        line("Probing", seconds("probing_seconds")),
        line("Started", when(provenance.get("created"))),
        line("Finished", when(timings.get("finished"))),
    ];
    lines.into_iter().flatten().collect()
}
