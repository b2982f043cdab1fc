//! What figures of heads share: one name and one colour a head, the same in every figure.

use super::axis::{Axis, drawable};
use super::canvas::Colour;
use super::chart::{Chart, Mark, Series};
use super::tables::{Groups, Points};
use super::{Figure, FigureError, chart, colour, file_stem, tables};
use crate::record::{Analysis, Record, Table};
use std::collections::BTreeSet;

/// Layer and head, from 0.
pub type Head = [i64; 2];

/// `layer.head`, as they are spoken of.
pub fn name([layer, head]: Head) -> String {
    format!("{layer}.{head}")
}

/// The heads that have a colour of their own: all where there are few, else those that stand out
/// in some measure. The rest are grey.
#[derive(Debug, Clone)]
pub struct Colours(Vec<Head>);

impl Colours {
    /// Takes the strongest head of every measure, then the second of every measure, and so on, as
    /// long as they reach a quarter of the strongest.
    pub fn of(record: &Record) -> Self {
        let tables = record.analyses.iter().filter_map(|a| a.table("heads"));
        let rankings: Vec<Vec<(Head, f64)>> = tables.map(ranking).collect();
        let all: BTreeSet<Head> = rankings.iter().flatten().map(|(head, _)| *head).collect();
        if all.len() <= colour::LINES.len() {
            return Colours(all.into_iter().collect());
        }
        let deepest = rankings.iter().map(Vec::len).max().unwrap_or(0);
        let mut chosen: Vec<Head> = Vec::new();
        for place in 0..deepest {
            for ranking in &rankings {
                let Some((head, score)) = ranking.get(place) else {
                    continue;
                };
                let stands_out = *score > 0.0 && *score >= 0.25 * ranking[0].1;
                if stands_out && chosen.len() < colour::LINES.len() && !chosen.contains(head) {
                    chosen.push(*head);
                }
            }
        }
        chosen.sort_unstable();
        Colours(chosen)
    }

    /// The head's own colour, if it has one.
    pub fn get(&self, head: Head) -> Option<Colour> {
        let place = self.0.iter().position(|&h| h == head)?;
        colour::LINES.get(place).copied()
    }
}

/// The heads of the last checkpoint, highest score first; those without a score left out.
pub fn ranking(table: &Table) -> Vec<(Head, f64)> {
    let mut scores = last(table).unwrap_or_default();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    scores
}

/// Every head's score at the last checkpoint, in the order of the heads.
pub fn last(table: &Table) -> Result<Vec<(Head, f64)>, FigureError> {
    let step = tables::last_step(table);
    let rows = tables::numbers(table, ["step", "layer", "head", "score"])?;
    let rows = rows.into_iter().filter(|row| Some(row[0]) == step);
    let groups = tables::grouped(rows.map(|[_, layer, head, score]| ([layer, head], (0.0, score))));
    let score = |(head, points): (Head, Points)| Some((head, points.last()?.1));
    let scores = groups.into_iter().filter_map(score);
    Ok(scores.filter(|(_, score)| drawable(*score)).collect())
}

/// Every head's score over the tokens of training, one line a head.
pub fn over_training(
    record: &Record,
    analysis: &Analysis,
    title: String,
    reading: &str,
    threshold: Option<Mark>,
) -> Result<Option<Figure>, FigureError> {
    let Some(table) = analysis.table("heads") else {
        return Ok(None);
    };
    let rows = tables::numbers(table, ["tokens", "layer", "head", "score"])?;
    let values = || rows.iter().map(|row| row[3]);
    let level = threshold.iter().filter_map(|mark| match mark {
        Mark::Level(value, _) => Some(*value),
        _ => None,
    });
    let y = match table.unit("score") {
        unit if unit.starts_with("share") => Axis::share(values(), unit),
        unit => Axis::around(values().chain(level).chain([0.0]), &format!("score ({unit})")),
    };
    let heads = rows.iter().map(|&[tokens, layer, head, score]| ([layer, head], (tokens, score)));
    let chart = Chart {
        x: Axis::tokens(rows.iter().map(|row| row[0])),
        y,
        series: series(tables::grouped(heads), &Colours::of(record)),
        marks: tables::phase_change(record).into_iter().chain(threshold).collect(),
        height: 250.0,
    };
    if chart.is_empty() {
        return Ok(None);
    }
    let svg = chart::page(&title, &[chart])?;
    let name = file_stem(&analysis.id);
    Ok(Some(Figure { name, title, reading: reading.to_string(), svg }))
}

/// The grey heads first and under one name, then the coloured ones on top.
pub fn series(heads: Groups<2>, colours: &Colours) -> Vec<Series> {
    let (named, others): (Vec<_>, Vec<_>) =
        heads.into_iter().partition(|(head, _)| colours.get(*head).is_some());
    let count = others.len();
    let grey = others.into_iter().enumerate().map(|(i, (_, points))| Series {
        label: (i + 1 == count).then(|| match count {
            1 => "1 other head".to_string(),
            n => format!("{n} other heads"),
        }),
        width: 1.0,
        ..Series::new("", colour::PALE, points)
    });
    let coloured = named.into_iter().map(|(head, points)| {
        Series::measured(&name(head), colours.get(head).unwrap_or(colour::INK), points)
    });
    grey.chain(coloured).collect()
}
