//! The in-context-learning score through training, and the two losses it compares.

use super::axis::Axis;
use super::canvas::Colour;
use super::chart::{Chart, Series};
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, tables};
use crate::record::Record;

/// In-context-learning score over training.
pub const KIND: FigureKind = FigureKind {
    name: "in_context_learning",
    reading: "Above, the loss late in the context minus the loss early in it: the further below \
              zero, the more the model gains from what it has read. It drops where induction heads \
              form. Below, the two losses themselves: a score may also fall because the early loss \
              rises.",
    example: "[[analyses]]\nprobe = \"in_context_learning\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let Some(table) = analysis.table("scores") else {
            continue;
        };
        let title = "In-context-learning score over training".to_string();
        let x = Axis::tokens(table.numbers("tokens"));
        let score = tables::curve(table, "tokens", "score")?;
        let values = score.iter().map(|p| p.1).chain([0.0]);
        let marks: Vec<_> = tables::phase_change(record).into_iter().collect();
        let mut charts = vec![Chart {
            x: x.clone(),
            y: Axis::around(values, "late loss minus early loss (nats a token)"),
            series: vec![Series::measured("score", colour::INK, score)],
            marks: marks.clone(),
            height: 190.0,
        }];
        if charts[0].is_empty() {
            continue;
        }
        if table.index("early_loss").is_some() && table.index("late_loss").is_some() {
            let line = |(place, colour): (&str, Colour)| {
                let points = tables::curve(table, "tokens", &format!("{place}_loss"))?;
                let position = analysis.parameters.get(&format!("{place}_position"));
                let label = match position.and_then(|p| p.as_integer()) {
                    Some(position) => format!("{place} (position {position})"),
                    None => place.to_string(),
                };
                Ok(Series::measured(&label, colour, points))
            };
            let lines = [("early", colour::LINES[1]), ("late", colour::LINES[0])];
            let series: Vec<Series> = lines.into_iter().map(line).collect::<Result<_, _>>()?;
            let values = series.iter().flat_map(|s| &s.points).map(|p| p.1);
            let y = Axis::around(values, "loss (nats a token)");
            let chart = Chart { x, y, series, marks, height: 150.0 };
            charts.extend((!chart.is_empty()).then_some(chart));
        }
        let svg = chart::page(&title, &charts)?;
        let (name, reading) = (file_stem(&analysis.id), KIND.reading.to_string());
        figures.push(Figure { name, title, reading, svg });
    }
    Ok(figures)
}
