//! The phase change beside those that were published.

use super::axis::Axis;
use super::chart::{Chart, Mark, Series};
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, tables};
use crate::record::Record;

/// When the phase change comes, in training tokens.
pub const KIND: FigureKind = FigureKind {
    name: "phase_change",
    reading: "The in-context-learning score once more, over as many tokens as the models of Olsson et al. 2022 \
              took to their phase change, on a logarithmic scale. How early a model changes depends on its \
              data, its size and how it learns: small models on text in which much recurs are far ahead of \
              the published windows.",
    example: "[[analyses]]\nprobe = \"in_context_learning\"",
    draw,
};

/// Olsson et al. 2022: where the score of their models falls, and where that of their small ones does.
const PUBLISHED: [(f64, f64, &str); 2] = [
    (1e9, 3e9, "Olsson et al. 2022, small models: 1–3 B"),
    (2.5e9, 5e9, "Olsson et al. 2022, large models: 2.5–5 B"),
];

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    let Some(change) = tables::phase_change(record) else { return Ok(figures) };
    for analysis in record.analyses.iter().filter(|a| a.probe == "in_context_learning") {
        let Some(table) = analysis.table("scores") else { continue };
        let title = "When the phase change comes, and when published ones did".to_string();
        let score = tables::curve(table, "tokens", "score")?;
        let published = [colour::LINES[5], colour::LINES[2]].into_iter().zip(PUBLISHED);
        let published = published.map(|(colour, (from, to, key))| Mark::Shade(from, to, key.into(), colour));
        let chart = Chart {
            x: Axis::log_tokens(score.iter().map(|p| p.0), 1e10),
            y: Axis::around(
                score.iter().map(|p| p.1).chain([0.0]),
                "late loss minus early loss (nats a token)",
            ),
            series: vec![Series { label: None, ..Series::measured("", colour::INK, score) }],
            marks: [change.clone()].into_iter().chain(published).collect(),
            height: 220.0,
        };
        if chart.is_empty() {
            continue;
        }
        let svg = chart::page(&title, &[chart])?;
        let name = file_stem(&format!("{}-phase_change", analysis.id));
        figures.push(Figure { name, title, reading: KIND.reading.to_string(), svg });
    }
    Ok(figures)
}
