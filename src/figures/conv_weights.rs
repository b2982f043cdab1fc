//! What a convolution's kernel looks at: by offset over training, by channel at the end.

use super::axis::{Axis, drawable};
use super::chart::{Chart, Series};
use super::heat::Map;
use super::tables::Points;
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, tables};
use crate::record::{Analysis, Record, Table};

/// A convolution's weights by offset and by channel, two figures a layer.
pub const KIND: FigureKind = FigureKind {
    name: "conv_weights",
    reading: "The share of the kernel's weight at every offset. Weight on the previous token does \
              what a previous-token head does: it writes into every position what came before it.",
    example: "[[analyses]]\nprobe = \"conv_weights\"",
    draw,
};

const BY_CHANNEL: &str = "The norm of the kernel's weights for every channel, channels in the order \
    of the share that the previous token has in them. Dark on the right and light on the left of \
    the row “current” means that some channels carry the token itself and others the one before.";

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        if let Some(table) = analysis.table("offsets") {
            figures.extend(over_training(record, analysis, table)?);
        }
        if let Some(table) = analysis.table("channels") {
            figures.extend(by_channel(analysis, table)?);
        }
    }
    Ok(figures)
}

fn offset_name(offset: i64) -> String {
    match offset {
        0 => "current token".to_string(),
        1 => "previous token".to_string(),
        n => format!("{n} before"),
    }
}

fn over_training(record: &Record, analysis: &Analysis, table: &Table) -> Result<Vec<Figure>, FigureError> {
    let rows = tables::numbers(table, ["tokens", "layer", "offset", "share"])?;
    let point = |&[tokens, layer, offset, share]: &[f64; 4]| ([layer, offset], (tokens, share));
    let lines = tables::grouped(rows.iter().map(point));
    let mut figures = Vec::new();
    for layer in lines.chunk_by(|a, b| a.0[0] == b.0[0]) {
        let number = layer[0].0[0];
        let series = |([_, offset], points): &([i64; 2], Points)| {
            let colour = colour::LINES[offset.unsigned_abs() as usize % colour::LINES.len()];
            Series::measured(&offset_name(*offset), colour, points.clone())
        };
        let values = layer.iter().flat_map(|(_, points)| points).map(|p| p.1);
        let chart = Chart {
            x: Axis::tokens(rows.iter().map(|row| row[0])),
            y: Axis::share(values, "share of the kernel's weight"),
            series: layer.iter().map(series).collect(),
            marks: tables::phase_change(record).into_iter().collect(),
            height: 200.0,
        };
        if chart.is_empty() {
            continue;
        }
        let title = format!("Convolution of layer {number}: weight by offset");
        let svg = chart::page(&title, &[chart])?;
        let name = file_stem(&format!("{}-{number}", analysis.id));
        figures.push(Figure { name, title, reading: KIND.reading.to_string(), svg });
    }
    Ok(figures)
}

fn by_channel(analysis: &Analysis, table: &Table) -> Result<Vec<Figure>, FigureError> {
    let rows = tables::numbers(table, ["layer", "channel", "offset", "norm"])?;
    let point = |[layer, channel, offset, norm]: [f64; 4]| ([layer, channel], (offset, norm));
    let channels = tables::grouped(rows.into_iter().map(point));
    let mut figures = Vec::new();
    for layer in channels.chunk_by(|a, b| a.0[0] == b.0[0]) {
        let number = layer[0].0[0];
        let at = |points: &[(f64, f64)], offset: f64| {
            points.iter().find(|p| p.0 == offset).map_or(f64::NAN, |p| p.1)
        };
        let previous = |points: &[(f64, f64)]| {
            at(points, 1.0) / points.iter().map(|p| p.1).filter(|&n| drawable(n)).sum::<f64>()
        };
        let mut order: Vec<&Points> = layer.iter().map(|(_, points)| points).collect();
        order.sort_by(|a, b| previous(a).total_cmp(&previous(b)));
        let offsets: std::collections::BTreeSet<i64> =
            order.iter().flat_map(|points| points.iter()).map(|p| p.0 as i64).collect();
        let values: Vec<Vec<f64>> = offsets
            .iter()
            .map(|&offset| order.iter().map(|points| at(points, offset as f64)).collect())
            .collect();
        if offsets.len() > 64 || !values.iter().flatten().any(|&norm| drawable(norm)) {
            continue;
        }
        let title = format!("Convolution of layer {number}: weight by channel");
        let map = Map {
            row_title: String::new(),
            column_title: format!("{} channels, by the share of the previous token in them", order.len()),
            rows: offsets.into_iter().map(offset_name).collect(),
            columns: vec![None; order.len()],
            amounts: Axis::around(values.iter().flatten().copied().chain([0.0]), "norm"),
            values,
            cell: ((500.0 / order.len() as f64).clamp(1.0, 24.0), 28.0),
            numbers: false,
        };
        let svg = map.page(&title)?;
        let name = file_stem(&format!("{}-{number}-channels", analysis.id));
        figures.push(Figure { name, title, reading: BY_CHANNEL.to_string(), svg });
    }
    Ok(figures)
}
