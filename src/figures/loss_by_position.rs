//! The loss at every position of the context, before, in and after training.

use super::axis::{Axis, drawable};
use super::chart::{Chart, Mark, Series};
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, tables, text};
use crate::record::{Analysis, Record, Table};

/// Loss by position at the checkpoints that matter.
pub const KIND: FigureKind = FigureKind {
    name: "loss_by_position",
    reading: "One line a checkpoint: the first, those around the phase change, and the last, from \
              light to dark. A model that learns from its context has a falling line: the later a \
              token comes, the better it is predicted. The dashed positions are the ones the \
              in-context-learning score compares.",
    example: "[[analyses]]\nprobe = \"in_context_learning\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == "in_context_learning") {
        let Some(table) = analysis.table("positions") else {
            continue;
        };
        let title = "Loss by position in the context".to_string();
        let marks = ["early_position", "late_position"].map(|name| place(analysis, name));
        let x = Axis::positions(table.numbers("position"), "position (log scale)");
        let series = stages(record, table)?;
        let y = Axis::around(values(&series), "loss (nats a token)");
        let marks = marks.into_iter().flatten().collect();
        let chart = Chart { x, y, series, marks, height: 250.0 };
        if chart.is_empty() {
            continue;
        }
        let svg = chart::page(&title, &[chart])?;
        let name = file_stem(&format!("{}-positions", analysis.id));
        figures.push(Figure { name, title, reading: KIND.reading.to_string(), svg });
    }
    Ok(figures)
}

fn place(analysis: &Analysis, name: &str) -> Option<Mark> {
    let position = analysis.parameters.get(name)?.as_integer()?;
    let key = format!("{} position: {position}", name.split('_').next()?);
    Some(Mark::Place(position as f64, key))
}

/// All the values of some lines.
pub fn values(series: &[Series]) -> impl Iterator<Item = f64> + '_ {
    series.iter().flat_map(|s| &s.points).map(|p| p.1)
}

/// The loss over positions at the first checkpoint, around the phase change, and at the last one.
pub fn stages(record: &Record, table: &Table) -> Result<Vec<Series>, FigureError> {
    let rows = tables::numbers(table, ["step", "tokens", "position", "loss"])?;
    let mut steps: Vec<(f64, f64)> = rows.iter().map(|row| (row[0], row[1])).collect();
    steps.retain(|s| drawable(s.0) && drawable(s.1));
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    steps.dedup_by_key(|s| s.0);
    let change = record.verdict.as_ref().and_then(|v| v.phase_change.as_ref());
    let ends = change.map_or([None; 2], |c| [Some(c.from_step as f64), Some(c.to_step as f64)]);
    let around = ends.into_iter().flatten().filter_map(|end| {
        let far = |s: &&(f64, f64)| (s.0 - end).abs();
        steps.iter().min_by(|a, b| far(a).total_cmp(&far(b)))
    });
    let mut shown: Vec<(f64, f64)> =
        steps.first().into_iter().chain(around).chain(steps.last()).copied().collect();
    shown.sort_by(|a, b| a.0.total_cmp(&b.0));
    shown.dedup();
    let count = shown.len();
    let line = |(i, (step, tokens)): (usize, (f64, f64))| {
        let at = rows.iter().filter(|row| row[0] == step);
        let points = tables::sorted(at.map(|row| (row[2], row[3])).collect());
        let label = match tokens {
            0.0 => "untrained".to_string(),
            tokens => format!("{} tokens", text::count(tokens)),
        };
        let dark = 1.0 - 0.65 * (count - 1 - i) as f64 / (count.max(2) - 1) as f64;
        let colour = colour::amount(dark).unwrap_or(colour::INK);
        Series::new(&label, colour, points)
    };
    Ok(shown.into_iter().enumerate().map(line).collect())
}
