//! The path of a model's losses through training, on their principal components.

use super::axis::{Axis, drawable, range};
use super::canvas::{Canvas, Type};
use super::chart::{Chart, LETTERS, Series, heading};
use super::plot::Plot;
use super::{Figure, FigureError, FigureKind, colour, file_stem, heat, labels, tables, text};
use crate::record::{Analysis, Record};

/// The path through the space of losses.
pub const KIND: FigureKind = FigureKind {
    name: "loss_pca",
    reading: "Every dot is a checkpoint, the darker the later; two dots are as far apart as the losses of \
              many held-out tokens are at the two checkpoints. Most of the way is what all models of text \
              learn. Where the path turns, the model begins to learn something else: in Olsson et al. \
              2022 it turns at the phase change, whose ends are ringed.",
    example: "[[analyses]]\nprobe = \"loss_pca\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let Some(path) = analysis.table("path") else { continue };
        let rows = tables::numbers(path, ["tokens", "component_1", "component_2"])?;
        let rows: Vec<_> = rows.into_iter().filter(|row| row.iter().all(|&x| drawable(x))).collect();
        let moves = |i: usize| range(rows.iter().map(|row| row[i])).is_some_and(|(lo, hi)| hi > lo);
        if rows.len() < 2 || !moves(1) {
            continue;
        }
        let title = "The path of the losses through training".to_string();
        let svg = page(record, analysis, &rows, &title)?;
        let (name, reading) = (file_stem(&analysis.id), KIND.reading.to_string());
        figures.push(Figure { name, title, reading, svg });
    }
    Ok(figures)
}

/// The name of a component's axis, with what it explains.
fn axis_title(analysis: &Analysis, component: usize) -> String {
    let share = analysis.table("explained").map(|t| t.numbers("share")).unwrap_or_default();
    let share = share.get(component - 1).copied().unwrap_or(f64::NAN);
    let explained = match share.is_finite() {
        true => format!(", {} % of the variance", text::decimal(100.0 * share, 1)),
        false => String::new(),
    };
    format!("component {component} (nats, root mean square{explained})")
}

fn page(record: &Record, analysis: &Analysis, rows: &[[f64; 3]], title: &str) -> Result<String, FigureError> {
    let axis = |i: usize| Axis::around(rows.iter().map(|row| row[i]), &axis_title(analysis, i));
    let line = rows.iter().map(|row| (row[1], row[2])).collect();
    let path = Series { label: None, width: 1.2, ..Series::new("", colour::PALE, line) };
    let chart = Chart { x: axis(1), y: axis(2), series: vec![path], marks: Vec::new(), height: 360.0 };
    let plot = Plot { left: 72.0, top: 76.0, width: 490.0, height: chart.height };
    let scale = plot.left + plot.width + 42.0;
    let mut canvas = Canvas::new(scale + heat::SCALE_WIDTH + 20.0, plot.top + plot.height + 52.0);
    heading(&mut canvas, title);
    plot.draw(&mut canvas, &chart);
    let mut amounts = Axis::tokens(rows.iter().map(|row| row[0]));
    amounts.title = "training tokens".into();
    let place = |row: &[f64; 3]| {
        let x = plot.left + plot.width * chart.x.at(row[1]);
        (x, plot.top + plot.height * (1.0 - chart.y.at(row[2])))
    };
    let change = record.verdict.as_ref().and_then(|v| v.phase_change.as_ref());
    let ends = change.map_or([f64::NAN; 2], |c| [c.from_tokens as f64, c.to_tokens as f64]);
    for row in rows {
        let (x, y) = place(row);
        if ends.contains(&row[0]) {
            canvas.dot(x, y, 8.0, colour::MARK);
            canvas.dot(x, y, 6.2, colour::PAPER);
        }
        canvas.dot(x, y, 4.8, colour::GREY);
        canvas.dot(x, y, 4.0, heat::shade(&amounts, row[0]).unwrap_or(colour::VOID));
    }
    // Names where they cover neither dots nor the path: the ends and the phase change first.
    let places: Vec<(f64, f64)> = rows.iter().map(place).collect();
    let mut taken: Vec<[f64; 4]> = places.iter().map(|(x, y)| [x - 7.0, y - 7.0, 14.0, 14.0]).collect();
    for ends in places.windows(2) {
        let ((a, b), (c, d)) = (ends[0], ends[1]);
        let along = (1..32).map(|i| f64::from(i) / 32.0);
        taken.extend(along.map(|t| [a + t * (c - a) - 1.0, b + t * (d - b) - 1.0, 2.0, 2.0]));
    }
    let frame = [plot.left, plot.top - 8.0, plot.width + 24.0, plot.height + 8.0];
    let first = || [rows.first(), rows.last()].into_iter().flatten();
    let around = || rows.iter().filter(|row| ends.contains(&row[0]));
    let mut named: Vec<(f64, f64)> = Vec::new();
    for (row, roomy) in
        first().chain(around()).map(|row| (row, 1.0)).chain(rows.iter().map(|row| (row, 48.0)))
    {
        let ((x, y), name) = (place(row), text::count(row[0]));
        if named.iter().any(|(a, b)| (x - a).hypot(y - b) < roomy) {
            continue;
        }
        if let Some(spot) = labels::spot([x, y], &name, frame, &taken) {
            canvas.text(spot[0], spot[1] + spot[3] / 2.0, &name, Type::new(LETTERS));
            taken.push(spot);
            named.push((x, y));
        }
    }
    heat::scale(&mut canvas, scale, plot.top, plot.height, &amounts);
    canvas.finish(title)
}
