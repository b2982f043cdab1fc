//! Attention to earlier copies of the token, of every head through training.

use super::{Figure, FigureError, FigureKind, heads};
use crate::record::Record;

/// Duplicate-token attention over training.
pub const KIND: FigureKind = FigureKind {
    name: "duplicate_token",
    reading: "One line a head: the share of its attention that lies on earlier copies of the current \
              token, where there are some. Above a convolution an induction head may do this too, as a \
              key there holds the token before.",
    example: "[[analyses]]\nprobe = \"duplicate_token\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let title = "Attention of every head to earlier copies of the token".to_string();
        figures.extend(heads::over_training(record, analysis, title, KIND.reading, None)?);
    }
    Ok(figures)
}
