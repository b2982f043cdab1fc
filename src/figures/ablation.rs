//! What the second copy of a sequence costs without each head.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Type};
use super::chart::{LETTERS, Mark, heading};
use super::{Figure, FigureError, FigureKind, colour, file_stem, heads, tables, text};
use crate::record::{Analysis, Record};

/// Ablation of every head at the last checkpoint.
pub const KIND: FigureKind = FigureKind {
    name: "ablation",
    reading: "One bar a head: how much the loss on the second copy of a repeated sequence rises when \
              the head is taken out of the trained model. Heads that the model copies with have long \
              bars; so have the previous-token heads they depend on.",
    example: "[[analyses]]\nprobe = \"ablation\"",
    draw,
};

/// No more heads than a figure has room for.
const MOST: usize = 40;
const ROW: f64 = 22.0;

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let Some(table) = analysis.table("heads") else {
            continue;
        };
        let mut bars = heads::last(table)?;
        let all = bars.len();
        if all > MOST {
            bars.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            bars.truncate(MOST);
            bars.sort_by_key(|bar| bar.0);
        }
        if bars.is_empty() {
            continue;
        }
        let title = match bars.len() < all {
            true => format!("Loss without each head ({MOST} of {all} heads that matter most)"),
            false => "Loss on the second copy without each head".to_string(),
        };
        figures.push(page(record, analysis, title, &bars)?);
    }
    Ok(figures)
}

fn page(
    record: &Record,
    analysis: &Analysis,
    title: String,
    bars: &[(heads::Head, f64)],
) -> Result<Figure, FigureError> {
    let threshold = tables::threshold(record, &[KIND.name]);
    let level = threshold.iter().filter_map(|mark| match mark {
        Mark::Level(value, _) => Some(*value),
        _ => None,
    });
    let level: Vec<f64> = level.collect();
    let values = bars.iter().map(|bar| bar.1).chain(level.iter().copied());
    let axis = Axis::bars(values, "rise of the loss on the second copy (nats a token)");
    let (left, width) = (64.0, 560.0);
    let top = if level.is_empty() { 62.0 } else { 82.0 };
    let bottom = top + ROW * bars.len() as f64;
    let x = |value: f64| left + axis.at(value) * width;
    let letters = Type::new(LETTERS);
    let mut canvas = Canvas::new(720.0, bottom + 52.0);
    heading(&mut canvas, &title);
    if let Some(Mark::Level(_, key)) = &threshold {
        canvas.dashes((25.0, 39.0), (25.0, 53.0), 1.2, colour::GREY);
        canvas.text(42.0, 46.0, key, letters);
    }
    canvas.text(left - 10.0, top - 14.0, "head", letters.colour(colour::GREY).anchor(Anchor::End));
    for tick in axis.ticks(width, 60.0) {
        let x = x(tick.value);
        canvas.line(&[(x, top), (x, bottom)], 1.0, colour::GRID);
        canvas.line(&[(x, bottom), (x, bottom + 5.0)], 1.0, colour::INK);
        let label = tick.label.unwrap_or_default();
        canvas.text(x, bottom + 14.0, &label, letters.anchor(Anchor::Middle));
    }
    let colours = heads::Colours::of(record);
    for (i, (head, value)) in bars.iter().enumerate() {
        let y = top + ROW * (i as f64 + 0.5);
        canvas.text(left - 10.0, y, &heads::name(*head), letters.anchor(Anchor::End));
        let (from, to) = (x(value.min(0.0)), x(value.max(0.0)));
        let colour = colours.get(*head).unwrap_or(colour::PALE);
        canvas.rect(from, y - 7.0, (to - from).max(1.0), 14.0, colour);
        canvas.text(710.0, y, &signed(*value), letters.anchor(Anchor::End));
    }
    canvas.line(&[(x(0.0), top), (x(0.0), bottom)], 1.2, colour::INK);
    for level in level {
        canvas.dashes((x(level), top), (x(level), bottom), 1.2, colour::GREY);
    }
    let style = letters.anchor(Anchor::Middle).colour(colour::GREY);
    canvas.text(left + width / 2.0, bottom + 34.0, &axis.title, style);
    let svg = canvas.finish(&title)?;
    let (name, reading) = (file_stem(&analysis.id), KIND.reading.to_string());
    Ok(Figure { name, title, reading, svg })
}

fn signed(value: f64) -> String {
    let number = text::decimal(value, 2);
    if value >= 0.005 { format!("+{number}") } else { number }
}
