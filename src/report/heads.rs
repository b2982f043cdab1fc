//! All heads at the last checkpoint, a row a head.

use super::context::{Grid, cell, heading};
use crate::figures::heads::{Head, last, name};
use crate::figures::prefix_matching::on_passages;
use crate::figures::tables::{grouped, last_step, numbers};
use crate::figures::text::decimal;
use crate::record::{Analysis, Cell, Record, Table, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// No more rows than a reader goes through.
const MOST: usize = 32;

/// A measure of every head: its heading, and its words and number for the heads that have it.
struct Measure {
    heading: String,
    values: BTreeMap<Head, (String, f64)>,
}

/// The table of heads.
pub fn grid(record: &Record) -> Grid {
    let measures: Vec<Measure> = measures(record).into_iter().filter(|m| !m.values.is_empty()).collect();
    let all: BTreeSet<Head> = measures.iter().flat_map(|m| m.values.keys().copied()).collect();
    if all.is_empty() {
        return Grid::default();
    }
    let found: Vec<Head> = found(record.verdict.as_ref());
    let strength = |head: &Head| measures[0].values.get(head).map_or(f64::MIN, |v| v.1);
    let mut shown: Vec<Head> = all.iter().copied().collect();
    shown.sort_by(|a, b| {
        let order = |head: &Head| !found.contains(head);
        order(a).cmp(&order(b)).then(strength(b).total_cmp(&strength(a)))
    });
    shown.truncate(MOST);
    shown.sort_unstable();
    let mut columns = vec!["head".to_string()];
    columns.extend(measures.iter().map(|m| m.heading.clone()));
    columns.extend(record.verdict.as_ref().map(|_| "induction head".to_string()));
    let row = |head: &Head| {
        let is = found.contains(head);
        let mut row = vec![if is { format!("**{}**", name(*head)) } else { name(*head) }];
        let word = |m: &Measure| m.values.get(head).map_or("–".to_string(), |v| v.0.clone());
        row.extend(measures.iter().map(word));
        row.extend(record.verdict.as_ref().map(|_| if is { "**yes**" } else { "no" }.to_string()));
        row
    };
    let note = match all.len() - shown.len() {
        0 => String::new(),
        n => format!("{n} more heads have a lower {}.", measures[0].heading),
    };
    Grid { columns, rows: shown.iter().map(row).collect(), note }
}

fn found(verdict: Option<&Verdict>) -> Vec<Head> {
    let heads = verdict.into_iter().flat_map(|v| &v.induction_heads);
    heads.map(|head| [head.layer as i64, head.head as i64]).collect()
}

/// What the verdict looked at, and what only the probes know.
fn measures(record: &Record) -> Vec<Measure> {
    let probe = |name: &str| record.analysis(name);
    let prefix = |passages: bool| {
        let mut probes = record.analyses.iter().filter(|a| a.probe == "prefix_matching");
        probes.find(|a| on_passages(a) == passages)
    };
    let known: [(&str, &str, Option<&Analysis>); 7] = [
        ("prefix_matching", "prefix matching, random tokens", prefix(false)),
        ("prefix_matching_passages", "prefix matching, passages", prefix(true)),
        ("previous_token", "attention to the previous token", probe("previous_token")),
        ("copying", "copying (−1 to 1)", probe("copying")),
        ("copying_chance", "copying by chance", None),
        ("ablation", "loss without it (nats)", probe("ablation")),
        ("ablation_pattern_preserving", "the same, patterns preserved (nats)", None),
    ];
    let judged = record.verdict.as_ref().map(|v| &v.heads);
    let measure = |(column, heading, analysis): &(&str, &str, Option<&Analysis>)| {
        let mut values = analysis.map(probed).unwrap_or_default();
        values.extend(
            judged.map(|table| judged_values(table, column, bar(record, column))).unwrap_or_default(),
        );
        Measure { heading: heading.to_string(), values }
    };
    let mut measures: Vec<Measure> = known.iter().map(measure).collect();
    measures.insert(3, best_offset(record));
    let others = judged.into_iter().flat_map(|table| table.columns.iter().map(move |c| (table, c)));
    for (table, column) in others {
        let placed = ["layer", "head", "step", "tokens"].contains(&column.name.as_str())
            || known.iter().any(|k| k.0 == column.name);
        if !placed {
            let values = judged_values(table, &column.name, None);
            measures.push(Measure { heading: heading(&column.name, &column.unit), values });
        }
    }
    measures
}

/// The least value of a column that counts.
fn bar(record: &Record, column: &str) -> Option<f64> {
    let measure = if column == "prefix_matching_passages" { "prefix_matching" } else { column };
    let criteria = record.verdict.iter().flat_map(|verdict| &verdict.criteria);
    criteria
        .filter(|criterion| criterion.measure == measure && measure != "copying")
        .map(|c| c.threshold)
        .next()
}

/// A column of the verdict's table; what only rounding would lift to its threshold is told more exactly.
fn judged_values(table: &Table, column: &str, bar: Option<f64>) -> BTreeMap<Head, (String, f64)> {
    let below = |x: f64| bar.is_some_and(|bar| x < bar && decimal(x, 2) == decimal(bar, 2));
    let said = |value: &Cell, x: f64| if below(x) { decimal(x, 4) } else { cell(value) };
    let heads = table.numbers("layer").into_iter().zip(table.numbers("head"));
    let values = heads.zip(table.column(column)).filter_map(|((layer, head), value)| {
        let there = layer.is_finite() && head.is_finite() && cell(value) != "–";
        let number = value.number().unwrap_or(f64::MIN);
        there.then(|| ([layer as i64, head as i64], (said(value, number), number)))
    });
    values.collect()
}

fn probed(analysis: &Analysis) -> BTreeMap<Head, (String, f64)> {
    let scores = analysis.table("heads").and_then(|table| last(table).ok()).unwrap_or_default();
    scores.into_iter().map(|(head, score)| (head, (decimal(score, 2), score))).collect()
}

/// Where after an earlier occurrence each head looks most, and how much.
fn best_offset(record: &Record) -> Measure {
    let table = record.analysis("offset_profile").and_then(|a| a.table("offsets"));
    let values = table.and_then(|table| {
        let step = last_step(table);
        let rows = numbers(table, ["step", "layer", "head", "offset", "score"]).ok()?;
        let rows = rows.into_iter().filter(|row| Some(row[0]) == step && row[4].is_finite());
        let profiles = grouped(rows.map(|[_, layer, head, offset, score]| ([layer, head], (offset, score))));
        let best = profiles.into_iter().filter_map(|(head, points)| {
            let (offset, score) = points.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            // A head that looks nowhere near has none.
            (score >= 0.005).then_some(())?;
            Some((head, (format!("{offset} ({})", decimal(score, 2)), score)))
        });
        Some(best.collect())
    });
    let heading = "best offset (attention there)".to_string();
    Measure { heading, values: values.unwrap_or_default() }
}
