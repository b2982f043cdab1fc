//! Loss on tokens that the context predicts, and on the others.

use super::axis::Axis;
use super::chart::{Chart, Series};
use super::text::decimal;
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, loss_by_position, tables};
use crate::record::Record;

/// The loss by what could have predicted a token.
pub const KIND: FigureKind = FigureKind {
    name: "last_occurrence",
    reading: "Loss on held-out tokens by what could have predicted them. Context: the last occurrence of the \
              token before was followed by this one, which is what an induction head says. Pairs: this one follows \
              the token before most often in the corpus. Other: neither. The line of what only the context predicts falls when an \
              induction head forms. In brackets the share of all tokens.",
    example: "[[analyses]]\nprobe = \"last_occurrence\"",
    draw,
};

/// A group of tokens as the probe calls it, and in words.
const GROUPS: [(&str, &str); 3] =
    [("context", "context only"), ("both", "context, pairs"), ("other", "other")];

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let Some(table) = analysis.table("groups") else { continue };
        let mut series = Vec::new();
        for ((group, said), colour) in
            GROUPS.into_iter().zip([colour::LINES[1], colour::LINES[0], colour::PALE])
        {
            let of_group = table.filter("group", group);
            let share = of_group.numbers("share").last().copied().unwrap_or(f64::NAN);
            let label = format!("{said} ({} %)", decimal(100.0 * share, 0));
            series.push(Series::measured(&label, colour, tables::curve(&of_group, "tokens", "loss")?));
        }
        let title = "Loss by what predicts a token".to_string();
        let values = loss_by_position::values(&series).chain([0.0]);
        let chart = Chart {
            x: Axis::tokens(table.numbers("tokens")),
            y: Axis::around(values, "loss (nats a token)"),
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
