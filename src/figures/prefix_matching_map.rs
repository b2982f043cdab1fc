//! Prefix matching of all heads at once: layers by heads, at the last checkpoint.

use super::axis::Axis;
use super::heat::Map;
use super::prefix_matching::on_passages;
use super::{Figure, FigureError, FigureKind, file_stem, heads};
use crate::record::Record;
use std::collections::BTreeSet;

/// Where in a model of several attention layers its induction heads are.
pub const KIND: FigureKind = FigureKind {
    name: "prefix_matching_map",
    reading: "Every head at the last checkpoint, layers from top to bottom: the darker, the more of its \
              attention lies on what followed earlier occurrences of the current token. Induction heads \
              are dark, and never in the first attention layer unless its keys hold the token before.",
    example: "[[analyses]]\nprobe = \"prefix_matching\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == "prefix_matching") {
        let Some(table) = analysis.table("heads") else { continue };
        let scores = heads::last(table)?;
        let layers: BTreeSet<i64> = scores.iter().map(|(head, _)| head[0]).collect();
        let columns: BTreeSet<i64> = scores.iter().map(|(head, _)| head[1]).collect();
        // One layer is a list, which the lines over training are already.
        if layers.len() < 2 {
            continue;
        }
        let score = |layer: i64, head: i64| {
            scores.iter().find(|(at, _)| *at == [layer, head]).map_or(f64::NAN, |(_, score)| *score)
        };
        let text = if on_passages(analysis) { "repeated passages" } else { "repeated random tokens" };
        let title = format!("Prefix matching by layer and head, {text}");
        let cell = (560.0 / columns.len() as f64).clamp(12.0, 48.0);
        let map = Map {
            row_title: "layer".into(),
            column_title: "head".into(),
            rows: layers.iter().map(i64::to_string).collect(),
            columns: columns
                .iter()
                .map(|head| (cell >= 24.0 || head % 4 == 0).then(|| head.to_string()))
                .collect(),
            values: layers.iter().map(|&l| columns.iter().map(|&h| score(l, h)).collect()).collect(),
            amounts: Axis::share(scores.iter().map(|(_, score)| *score), "share of attention"),
            cell: (cell, 28.0),
            numbers: cell >= 36.0,
        };
        let name = file_stem(&format!("{}-map", analysis.id));
        figures.push(Figure { name, svg: map.page(&title)?, title, reading: KIND.reading.to_string() });
    }
    Ok(figures)
}
