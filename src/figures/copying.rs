//! Copying of every head through training.

use super::{Figure, FigureError, FigureKind, heads, tables};
use crate::record::Record;

/// Copying over training.
pub const KIND: FigureKind = FigureKind {
    name: "copying",
    reading: "One line a head: how much of what it raises among the logits of the sample's tokens is the \
              token it attends to. At 1 only that token is raised, at −1 only others are, at 0 a third \
              is its own. An induction head copies; so may heads that attend elsewhere.",
    example: "[[analyses]]\nprobe = \"copying\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let threshold = tables::copying_threshold(record, analysis)?;
        let title = "Copying of every head".to_string();
        figures.extend(heads::over_training(record, analysis, title, KIND.reading, threshold)?);
    }
    Ok(figures)
}
