//! How far a model is from counting pairs in its context, beside predictors that know less.

use super::axis::{Axis, range};
use super::canvas::Colour;
use super::chart::{Chart, Series};
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, loss_by_position, tables};
use crate::record::Record;

/// The distance to the best prediction on Markov chains over training, and by position.
pub const KIND: FigureKind = FigureKind {
    name: "bayes_bigram",
    reading: "On Markov chains that are new in every sequence, nothing predicts better than the pairs counted \
              so far. The dark line is how far the model is from that, the level lines how far it would be \
              if it predicted every state alike, or counted single tokens. A model comes down from the \
              first, rests near the second, and falls to zero where induction heads form. Below, the same \
              at the last checkpoint by how much has been read.",
    example: "[[analyses]]\nprobe = \"bayes_bigram\"",
    draw,
};

/// The predictors: column, name, and colour.
const LINES: [(&str, &str, Colour); 3] = [
    ("uniform", "every state alike", colour::GREY),
    ("unigram", "counting tokens", colour::LINES[1]),
    ("model", "the model", colour::LINES[0]),
];

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let title = "Distance from counting pairs in the context".to_string();
        let mut charts = Vec::new();
        if let Some(table) = analysis.table("scores") {
            let line = |(column, label, colour)| {
                let points = tables::curve(table, "tokens", column)?;
                let line = Series { dots: column == "model", ..Series::measured(label, colour, points) };
                Ok(line)
            };
            let series: Vec<Series> = LINES.into_iter().map(line).collect::<Result<_, FigureError>>()?;
            charts.push(Chart {
                x: Axis::tokens(table.numbers("tokens")),
                y: Axis::around(loss_by_position::values(&series).chain([0.0]), UNIT),
                series,
                marks: tables::phase_change(record).into_iter().collect(),
                height: 220.0,
            });
        }
        if let Some(table) = analysis.table("positions") {
            let last = tables::last_step(table);
            let line = |(column, label, colour)| {
                let rows = tables::numbers(table, ["step", "position", column])?;
                let at_end = rows.into_iter().filter(|row| Some(row[0]) == last);
                let points = tables::sorted(at_end.map(|row| (row[1], row[2])).collect());
                Ok(Series::new(label, colour, points))
            };
            let series: Vec<Series> = LINES.into_iter().map(line).collect::<Result<_, FigureError>>()?;
            let (first, last) = range(table.numbers("position")).unwrap_or((0.0, 1.0));
            charts.push(Chart {
                x: Axis::whole([first, last], "tokens read, at the last checkpoint"),
                y: Axis::around(loss_by_position::values(&series).chain([0.0]), UNIT),
                series,
                marks: Vec::new(),
                height: 180.0,
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

const UNIT: &str = "KL(Bayes ‖ predictor) (nats a token)";
