//! Where heads look after an earlier occurrence of the current token.

use super::axis::{Axis, drawable};
use super::heat::Map;
use super::{Figure, FigureError, FigureKind, file_stem, heads, tables};
use crate::record::Record;

/// The offset profile of the strongest heads at the last checkpoint.
pub const KIND: FigureKind = FigureKind {
    name: "offset_profile",
    reading: "How much attention the strongest heads give, at the last checkpoint, to the tokens 0 \
              to 4 places after an earlier occurrence of the current token. An induction head looks \
              at offset 1. A head that looks at 2 or further copies as well but scores nothing in \
              prefix matching: it is called shifted.",
    example: "[[analyses]]\nprobe = \"offset_profile\"",
    draw,
};

/// No more heads than can be read at a glance.
const MOST: usize = 16;

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let Some(table) = analysis.table("offsets") else {
            continue;
        };
        let step = tables::last_step(table);
        let rows = tables::numbers(table, ["step", "layer", "head", "offset", "score"])?;
        let rows = rows.into_iter().filter(|row| Some(row[0]) == step);
        let points = rows.map(|[_, layer, head, offset, score]| ([layer, head], (offset, score)));
        let mut profiles = tables::grouped(points);
        let peak = |points: &[(f64, f64)]| points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        profiles.retain(|(_, points)| points.iter().any(|p| drawable(p.1)));
        profiles.sort_by(|a, b| peak(&b.1).total_cmp(&peak(&a.1)));
        profiles.truncate(MOST);
        if profiles.is_empty() {
            continue;
        }
        let offsets: std::collections::BTreeSet<i64> =
            profiles.iter().flat_map(|(_, points)| points).map(|p| p.0 as i64).collect();
        let at = |points: &[(f64, f64)], offset: i64| {
            points.iter().find(|p| p.0 as i64 == offset).map_or(f64::NAN, |p| p.1)
        };
        let value = |points: &Vec<_>| offsets.iter().map(|&o| at(points, o)).collect();
        let values: Vec<Vec<f64>> = profiles.iter().map(|(_, points)| value(points)).collect();
        let title = "Attention after an earlier occurrence of the current token".to_string();
        let map = Map {
            row_title: "head".to_string(),
            column_title: "places after the earlier occurrence (1: the token after it)".to_string(),
            rows: profiles.iter().map(|(head, _)| heads::name(*head)).collect(),
            columns: offsets.iter().map(|o| Some(o.to_string())).collect(),
            amounts: Axis::share(values.iter().flatten().copied(), "share of attention"),
            values,
            cell: (76.0, 26.0),
            numbers: true,
        };
        let svg = map.page(&title)?;
        let (name, reading) = (file_stem(&analysis.id), KIND.reading.to_string());
        figures.push(Figure { name, title, reading, svg });
    }
    Ok(figures)
}
