//! How far each head's keys are the current token's, through training.

use super::chart::Mark;
use super::{Figure, FigureError, FigureKind, heads};
use crate::record::Record;

/// The share of the current token in smeared keys over training.
pub const KIND: FigureKind = FigureKind {
    name: "smear",
    reading: "One line a head: how much of each of its keys is the current token's; the rest is the \
              token's before. All start at the dashed half. A head that goes to zero has become one that \
              looks for what came after, an induction head's first half, without a layer below it.",
    example: "[[analyses]]\nprobe = \"smear\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let title = "The current token's share in every head's keys".to_string();
        let half = Some(Mark::Level(0.5, "start".to_string()));
        figures.extend(heads::over_training(record, analysis, title, KIND.reading, half)?);
    }
    Ok(figures)
}
