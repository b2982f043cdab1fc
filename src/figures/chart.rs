//! Lines over an axis: the one kind of chart that most figures are.
//!
//! Nothing is written over the data: lines carry their names in the margin to their right, bands
//! and dashed lines are explained under the title, and what an axis measures stands above it.

use super::axis::{Axis, drawable};
use super::canvas::{Canvas, Colour, Type};
use super::plot::Plot;
use super::tables::Points;
use super::{FigureError, colour, text};

/// The width of a page of charts in pixels.
const WIDTH: f64 = 720.0;
/// How much a shade covers what lies under it.
pub const SHADE: f64 = 0.3;
/// The characters of a line's name that there is room for.
pub const LONGEST: usize = 32;
/// The size of the letters.
pub const LETTERS: f64 = 12.0;

/// A line of a chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the margin, if it has one.
    pub label: Option<String>,
    /// Its colour.
    pub colour: Colour,
    /// Its points; a value that is no number leaves a gap.
    pub points: Points,
    /// Its width in pixels.
    pub width: f64,
    /// How much it covers what lies under it, 0…1.
    pub opacity: f64,
    /// Whether its points are shown.
    pub dots: bool,
    /// Where it could have been: least and greatest value at some places, from left to right.
    pub band: Vec<(f64, f64, f64)>,
}

impl Series {
    /// A named line in full colour.
    pub fn new(label: &str, colour: Colour, points: Points) -> Self {
        let label = Some(label.to_string());
        Series { label, colour, points, width: 1.8, opacity: 1.0, dots: false, band: Vec::new() }
    }

    /// A line through measurements, shown as dots where they are few.
    pub fn measured(label: &str, colour: Colour, points: Points) -> Self {
        let dots = points.len() <= 48;
        Series { dots, ..Series::new(label, colour, points) }
    }
}

/// Something marked across a chart and explained under the title.
#[derive(Debug, Clone)]
pub enum Mark {
    /// A dashed line at a height.
    Level(f64, String),
    /// A dashed line upwards.
    Place(f64, String),
    /// A coloured interval of the horizontal axis.
    Band(f64, f64, String),
    /// An interval in a colour of its own, through which others are seen.
    Shade(f64, f64, String, Colour),
}

impl Mark {
    fn key(&self) -> &str {
        match self {
            Mark::Level(_, key) | Mark::Place(_, key) => key,
            Mark::Band(_, _, key) | Mark::Shade(_, _, key, _) => key,
        }
    }
}

/// Lines over one pair of axes.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines, the last on top.
    pub series: Vec<Series>,
    /// What is marked.
    pub marks: Vec<Mark>,
    /// The height of the plot in pixels.
    pub height: f64,
}

impl Chart {
    /// Whether there is anything to see.
    pub fn is_empty(&self) -> bool {
        let any = |s: &Series| s.points.iter().any(|&(x, y)| drawable(x) && drawable(y));
        !self.series.iter().any(any)
    }
}

/// The charts, one below the other, under a title.
pub fn page(title: &str, charts: &[Chart]) -> Result<String, FigureError> {
    let labels = charts.iter().flat_map(|c| &c.series).filter_map(|s| s.label.as_deref());
    let widest = labels.map(|l| text::width(&text::shorten(l, LONGEST), LETTERS)).fold(0.0, f64::max);
    let right = (widest + 38.0).max(28.0);
    let ticks = charts.iter().flat_map(|c| c.y.ticks(c.height, 36.0));
    let widest = ticks.filter_map(|t| t.label).map(|l| text::width(&l, LETTERS)).fold(0.0, f64::max);
    let left = widest + 26.0;
    let marks: Vec<&Mark> = charts.iter().flat_map(|c| &c.marks).collect();
    let rows = key_rows(&marks);
    let top = 36.0 + 20.0 * rows.len() as f64;
    let height = top + charts.iter().map(|c| c.height + 82.0).sum::<f64>();

    let mut canvas = Canvas::new(WIDTH, height);
    heading(&mut canvas, title);
    for (i, row) in rows.iter().enumerate() {
        for (x, mark) in row {
            key(&mut canvas, *x, 46.0 + 20.0 * i as f64, mark);
        }
    }
    let mut y = top;
    for chart in charts {
        let plot = Plot { left, top: y + 26.0, width: WIDTH - left - right, height: chart.height };
        plot.draw(&mut canvas, chart);
        y += chart.height + 82.0;
    }
    canvas.finish(title)
}

/// A figure's title at the top of its page.
pub fn heading(canvas: &mut Canvas, title: &str) {
    let style = Type { bold: true, ..Type::new(15.0) };
    canvas.text(14.0, 22.0, &text::shorten(title, 84), style);
}

/// The width of a page that its title fits on.
pub fn title_width(title: &str) -> f64 {
    // Bold letters are wider than others.
    1.12 * text::width(&text::shorten(title, 84), 15.0) + 28.0
}

/// The marks that need explaining, each once, in rows, with where each begins.
fn key_rows<'a>(marks: &[&'a Mark]) -> Vec<Vec<(f64, &'a Mark)>> {
    let mut rows: Vec<Vec<(f64, &Mark)>> = Vec::new();
    let (mut x, mut seen) = (f64::INFINITY, Vec::new());
    for mark in marks {
        if mark.key().is_empty() || seen.contains(&mark.key()) {
            continue;
        }
        seen.push(mark.key());
        let width = text::width(mark.key(), LETTERS) + 46.0;
        if x + width > WIDTH {
            rows.push(Vec::new());
            x = 14.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, mark));
        }
        x += width;
    }
    rows
}

fn key(canvas: &mut Canvas, x: f64, y: f64, mark: &Mark) {
    match mark {
        Mark::Band(..) => canvas.rect(x, y - 6.0, 22.0, 12.0, colour::BAND),
        Mark::Shade(.., colour) => {
            let (right, top, bottom) = (x + 22.0, y - 6.0, y + 6.0);
            canvas.area(&[(x, top), (right, top), (right, bottom), (x, bottom)], *colour, SHADE);
        }
        Mark::Level(..) => canvas.dashes((x, y), (x + 22.0, y), 1.2, colour::GREY),
        Mark::Place(..) => canvas.dashes((x + 11.0, y - 7.0), (x + 11.0, y + 7.0), 1.2, colour::GREY),
    }
    canvas.text(x + 28.0, y, mark.key(), Type::new(LETTERS));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_explained_once() {
        let band = Mark::Band(0.0, 1.0, "phase change".into());
        let level = Mark::Level(0.3, "threshold".into());
        let rows = key_rows(&[&band, &level, &band]);
        assert_eq!(rows.concat().len(), 2);
    }
}
