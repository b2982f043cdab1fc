//! Prefix matching of every head through training.

use super::{Figure, FigureError, FigureKind, heads, tables};
use crate::record::{Analysis, Record};

/// Prefix matching over training, a figure for every analysis: random tokens, passages.
pub const KIND: FigureKind = FigureKind {
    name: "prefix_matching",
    reading: "One line a head: the share of its attention that lies, when a token comes up again, \
              on what followed that token before. An induction head's line climbs, often within \
              one or two checkpoints, and crosses the dashed threshold.",
    example: "[[analyses]]\nprobe = \"prefix_matching\"",
    draw,
};

const ON_PASSAGES: &str = "The same where the sequences are real passages shown twice. They are closer \
    to what the model knows than random tokens are; and as their tokens recur for other reasons too, \
    heads of any kind score a little above zero.";

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let (text, measures, reading) = match on_passages(analysis) {
            true => ("repeated passages", ["prefix_matching_passages", "prefix_matching"], ON_PASSAGES),
            false => ("repeated random tokens", ["prefix_matching", ""], KIND.reading),
        };
        let title = format!("Prefix matching of every head, {text}");
        let threshold = tables::threshold(record, &measures);
        figures.extend(heads::over_training(record, analysis, title, reading, threshold)?);
    }
    Ok(figures)
}

/// Whether the repeated tokens were passages of the dataset rather than random tokens.
pub fn on_passages(analysis: &Analysis) -> bool {
    analysis.parameters.get("tokens").and_then(|t| t.as_str()) == Some("passages")
}
