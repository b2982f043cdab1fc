//! How far a model is from counting tokens, and from counting pairs.

use super::axis::Axis;
use super::chart::{Chart, Series};
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, loss_by_position, tables};
use crate::record::Record;

/// The distances to n-gram predictions over training.
pub const KIND: FigureKind = FigureKind {
    name: "ngram_baseline",
    reading: "How far the predictions of counting are from the model's: what follows only the corpus's single \
              tokens, and what follows its pairs. A model first learns to count tokens, then pairs: each line \
              has its lowest point where the model is nearest to that. A line rises again where the model \
              learns from more of its context than counting sees.",
    example: "[[analyses]]\nprobe = \"ngram_baseline\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let Some(table) = analysis.table("scores") else { continue };
        let title = "Distance from counting over training".to_string();
        let series = vec![
            Series::measured("single tokens", colour::LINES[1], tables::curve(table, "tokens", "unigram")?),
            Series::measured("pairs of tokens", colour::LINES[0], tables::curve(table, "tokens", "bigram")?),
        ];
        let values = loss_by_position::values(&series).chain([0.0]);
        let chart = Chart {
            x: Axis::tokens(table.numbers("tokens")),
            y: Axis::around(values, "KL(n-gram ‖ model) (nats a token)"),
            series,
            marks: tables::phase_change(record).into_iter().collect(),
            height: 240.0,
        };
        if chart.is_empty() {
            continue;
        }
        let svg = chart::page(&title, &[chart])?;
        let (name, reading) = (file_stem(&analysis.id), KIND.reading.to_string());
        figures.push(Figure { name, title, reading, svg });
    }
    Ok(figures)
}
