//! What the second copy of a sequence costs without each head.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Colour, Type};
use super::chart::{LETTERS, Mark, heading};
use super::{Figure, FigureError, FigureKind, colour, file_stem, heads, tables, text};
use crate::record::{Analysis, Record};
use std::collections::BTreeMap;

/// Ablation of every head at the last checkpoint.
pub const KIND: FigureKind = FigureKind {
    name: "ablation",
    reading: "How much the loss on the second copy of a repeated sequence rises when a head is taken out of \
              the trained model: one bar for each way of doing it. Heads that the model copies with have long \
              bars in all of them; the previous-token heads they depend on only where later heads are free to \
              look elsewhere, not with attention patterns preserved.",
    example: "[[analyses]]\nprobe = \"ablation\"\n\n[[analyses]]\nprobe = \"ablation\"\n\
              id = \"ablation_preserving\"\nmethod = \"pattern_preserving\"",
    draw,
};

/// No more bars than a figure has room for.
const MOST: usize = 48;
const BAR: f64 = 13.0;
const GAP: f64 = 9.0;

/// The methods, what they are called, and their colours.
const METHODS: [(&str, &str, Colour); 3] = [
    ("zero", "result set to zero", colour::LINES[0]),
    ("pattern_preserving", "the same, attention patterns preserved", colour::LINES[1]),
    ("mean", "result set to its mean", colour::LINES[2]),
];

/// One bar of every method, `NaN` where there is none.
type Bars = [f64; METHODS.len()];

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    // What was measured on the same sequences goes into one figure.
    let mut alike: BTreeMap<Option<&str>, Vec<&Analysis>> = BTreeMap::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let tokens = analysis.parameters.get("tokens").and_then(|tokens| tokens.as_str());
        alike.entry(tokens).or_default().push(analysis);
    }
    let mut figures = Vec::new();
    for analyses in alike.into_values() {
        let mut bars: BTreeMap<heads::Head, Bars> = BTreeMap::new();
        for analysis in &analyses {
            let method = analysis.parameters.get("method").and_then(|m| m.as_str()).unwrap_or("zero");
            let (Some(place), Some(table)) =
                (METHODS.iter().position(|m| m.0 == method), analysis.table("heads"))
            else {
                continue;
            };
            for (head, rise) in heads::last(table)? {
                bars.entry(head).or_insert([f64::NAN; METHODS.len()])[place] = rise;
            }
        }
        if let (Some(first), false) = (analyses.first(), bars.is_empty()) {
            figures.push(page(record, first, bars)?);
        }
    }
    Ok(figures)
}

fn page(
    record: &Record,
    analysis: &Analysis,
    bars: BTreeMap<heads::Head, Bars>,
) -> Result<Figure, FigureError> {
    let shown: Vec<usize> =
        (0..METHODS.len()).filter(|&m| bars.values().any(|bars| !bars[m].is_nan())).collect();
    let room = MOST / shown.len().max(1);
    let all = bars.len();
    let mut bars: Vec<(heads::Head, Bars)> = bars.into_iter().collect();
    if all > room {
        let most = |bars: &Bars| bars.iter().fold(0.0, |most: f64, rise| most.max(rise.abs()));
        bars.sort_by(|a, b| most(&b.1).total_cmp(&most(&a.1)));
        bars.truncate(room);
        bars.sort_by_key(|bar| bar.0);
    }
    let title = match bars.len() < all {
        true => format!("Loss without each head ({room} of {all} heads that matter most)"),
        false => "Loss on the second copy without each head".to_string(),
    };
    let threshold = tables::threshold(record, &[KIND.name]);
    let level = threshold.iter().filter_map(|mark| match mark {
        Mark::Level(value, _) => Some(*value),
        _ => None,
    });
    let level: Vec<f64> = level.collect();
    let rises = bars.iter().flat_map(|bar| bar.1).filter(|rise| !rise.is_nan());
    let axis =
        Axis::bars(rises.chain(level.iter().copied()), "rise of the loss on the second copy (nats a token)");
    let (left, width) = (64.0, 560.0);
    let row = BAR * shown.len() as f64 + GAP;
    let top = 62.0 + 20.0 * (shown.len() + level.len()) as f64;
    let bottom = top + row * bars.len() as f64;
    let x = |value: f64| left + axis.at(value) * width;
    let letters = Type::new(LETTERS);
    let mut canvas = Canvas::new(720.0, bottom + 52.0);
    heading(&mut canvas, &title);
    let mut key = 46.0;
    for &method in &shown {
        canvas.rect(18.0, key - 6.0, 14.0, 12.0, METHODS[method].2);
        canvas.text(42.0, key, METHODS[method].1, letters);
        key += 20.0;
    }
    if let Some(Mark::Level(_, meaning)) = &threshold {
        canvas.dashes((25.0, key - 7.0), (25.0, key + 7.0), 1.2, colour::GREY);
        canvas.text(42.0, key, meaning, letters);
    }
    canvas.text(left - 10.0, top - 14.0, "head", letters.colour(colour::GREY).anchor(Anchor::End));
    for tick in axis.ticks(width, 60.0) {
        let x = x(tick.value);
        canvas.line(&[(x, top), (x, bottom)], 1.0, colour::GRID);
        canvas.line(&[(x, bottom), (x, bottom + 5.0)], 1.0, colour::INK);
        let label = tick.label.unwrap_or_default();
        canvas.text(x, bottom + 14.0, &label, letters.anchor(Anchor::Middle));
    }
    for (i, (head, rises)) in bars.iter().enumerate() {
        let above = top + row * i as f64 + GAP / 2.0;
        canvas.text(left - 10.0, above + (row - GAP) / 2.0, &heads::name(*head), letters.anchor(Anchor::End));
        for (n, &method) in shown.iter().enumerate() {
            let (y, rise) = (above + BAR * n as f64, rises[method]);
            let said = if rise.is_nan() { "–".to_string() } else { signed(rise) };
            canvas.text(710.0, y + BAR / 2.0, &said, letters.anchor(Anchor::End));
            if super::axis::drawable(rise) {
                let (from, to) = (x(rise.min(0.0)), x(rise.max(0.0)));
                canvas.rect(from, y + 1.0, (to - from).max(1.0), BAR - 2.0, METHODS[method].2);
            }
        }
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
