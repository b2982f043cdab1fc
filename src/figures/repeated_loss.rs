//! The loss on the first and on the second copy of a repeated sequence.

use super::axis::{Axis, range};
use super::chart::{Chart, Mark, Series};
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, loss_by_position, tables};
use crate::record::Record;

/// First and second copy over training, and position by position.
pub const KIND: FigureKind = FigureKind {
    name: "repeated_loss",
    reading: "A sequence is shown twice. The first copy cannot be predicted; what the second copy's loss lies \
              below the first's is what the model gains by copying from its context. Random tokens are far from \
              any text, so that both may rise while a model learns text: judge by the distance between the \
              lines. Below, the same by position: with an induction head the loss is lower from the second \
              token of the second copy on, which a weak head's hardly shows above the noise.",
    example: "[[analyses]]\nprobe = \"repeated_loss\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let title = "Loss on the first and the second copy of a sequence".to_string();
        let mut charts = Vec::new();
        if let Some(table) = analysis.table("losses") {
            let first = tables::curve(table, "tokens", "first_copy")?;
            let second = tables::curve(table, "tokens", "second_copy")?;
            let series = vec![
                Series::measured("first copy", colour::LINES[1], first),
                Series::measured("second copy", colour::LINES[0], second),
            ];
            let values = loss_by_position::values(&series).chain([0.0]);
            charts.push(Chart {
                x: Axis::tokens(table.numbers("tokens")),
                y: Axis::around(values, "loss (nats a token)"),
                series,
                marks: tables::phase_change(record).into_iter().collect(),
                height: 200.0,
            });
        }
        if let Some(table) = analysis.table("positions") {
            let series = loss_by_position::stages(record, table)?;
            let (first, last) = range(table.numbers("position")).unwrap_or((0.0, 1.0));
            let half = first + (last - first + 1.0) / 2.0 - 0.5;
            let values = loss_by_position::values(&series).chain([0.0]);
            charts.push(Chart {
                x: Axis::whole([first, last], "position of the predicted token"),
                y: Axis::around(values, "loss (nats a token)"),
                series,
                marks: vec![Mark::Place(half, "the second copy begins".to_string())],
                height: 200.0,
            });
        }
        charts.retain(|chart| !chart.is_empty());
        if charts.is_empty() {
            continue;
        }
        let svg = chart::page(&title, &charts)?;
        let (name, reading) = (file_stem(&analysis.id), KIND.reading.to_string());
        figures.push(Figure { name, title, reading, svg });
    }
    Ok(figures)
}
