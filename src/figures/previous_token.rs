//! Attention to the token before, of every head through training.

use super::{Figure, FigureError, FigureKind, heads};
use crate::record::Record;

/// Previous-token attention over training.
pub const KIND: FigureKind = FigureKind {
    name: "previous_token",
    reading: "One line a head: the share of its attention that lies on the token just before. In a \
              model of attention alone, a head of an earlier layer has to learn this before an \
              induction head can form; a convolution can do it instead.",
    example: "[[analyses]]\nprobe = \"previous_token\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let title = "Attention of every head to the previous token".to_string();
        figures.extend(heads::over_training(record, analysis, title, KIND.reading, None)?);
    }
    Ok(figures)
}
