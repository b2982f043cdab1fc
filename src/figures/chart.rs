//! Lines over an axis: the one kind of chart that most figures are.
//!
//! Nothing is written over the data: lines carry their names in the margin to their right, bands
//! and dashed lines are explained under the title, and what an axis measures stands above it.

use super::axis::{Axis, drawable};
use super::canvas::{Anchor, Canvas, Colour, Type};
use super::{FigureError, colour, text};

/// The width of a page of charts in pixels.
const WIDTH: f64 = 720.0;
/// The size of the letters.
pub const LETTERS: f64 = 12.0;
const APART: f64 = 14.0;

/// A line of a chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the margin, if it has one.
    pub label: Option<String>,
    /// Its colour.
    pub colour: Colour,
    /// Its points; a value that is no number leaves a gap.
    pub points: Vec<(f64, f64)>,
    /// Its width in pixels.
    pub width: f64,
    /// How much it covers what lies under it, 0…1.
    pub opacity: f64,
    /// Whether its points are shown.
    pub dots: bool,
}

impl Series {
    /// A named line in full colour.
    pub fn new(label: &str, colour: Colour, points: Vec<(f64, f64)>) -> Self {
        let label = Some(label.to_string());
        Series {
            label,
            colour,
            points,
            width: 1.8,
            opacity: 1.0,
            dots: false,
        }
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
}

impl Mark {
    fn key(&self) -> &str {
        match self {
            Mark::Level(_, key) | Mark::Place(_, key) | Mark::Band(_, _, key) => key,
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
    let labels = charts
        .iter()
        .flat_map(|c| &c.series)
        .filter_map(|s| s.label.as_deref());
    let widest = labels
        .map(|l| text::width(&text::shorten(l, 24), LETTERS))
        .fold(0.0, f64::max);
    let right = (widest + 38.0).max(28.0);
    let ticks = charts.iter().flat_map(|c| c.y.ticks(c.height, 36.0));
    let widest = ticks
        .filter_map(|t| t.label)
        .map(|l| text::width(&l, LETTERS))
        .fold(0.0, f64::max);
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
        let plot = Plot {
            left,
            top: y + 26.0,
            width: WIDTH - left - right,
            height: chart.height,
        };
        plot.draw(&mut canvas, chart);
        y += chart.height + 82.0;
    }
    canvas.finish(title)
}

/// A figure's title at the top of its page.
pub fn heading(canvas: &mut Canvas, title: &str) {
    let style = Type {
        bold: true,
        ..Type::new(15.0)
    };
    canvas.text(14.0, 22.0, &text::shorten(title, 84), style);
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
        Mark::Level(..) => canvas.dashes((x, y), (x + 22.0, y), 1.2, colour::GREY),
        Mark::Place(..) => {
            canvas.dashes((x + 11.0, y - 7.0), (x + 11.0, y + 7.0), 1.2, colour::GREY)
        }
    }
    canvas.text(x + 28.0, y, mark.key(), Type::new(LETTERS));
}

/// The part of a page that holds data.
struct Plot {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Plot {
    fn draw(&self, canvas: &mut Canvas, chart: &Chart) {
        let (bottom, right) = (self.top + self.height, self.left + self.width);
        let x = |value: f64| self.left + chart.x.at(value) * self.width;
        let y = |value: f64| bottom - chart.y.at(value) * self.height;
        for mark in &chart.marks {
            if let Mark::Band(from, to, _) = mark {
                let (from, to) = (x(*from), x(*to));
                canvas.rect(
                    from,
                    self.top,
                    (to - from).max(2.0),
                    self.height,
                    colour::BAND,
                );
            }
        }
        self.axes(canvas, chart);
        for mark in &chart.marks {
            match mark {
                Mark::Level(value, _) => canvas.dashes(
                    (self.left, y(*value)),
                    (right, y(*value)),
                    1.2,
                    colour::GREY,
                ),
                Mark::Place(value, _) => canvas.dashes(
                    (x(*value), self.top),
                    (x(*value), bottom),
                    1.2,
                    colour::GREY,
                ),
                Mark::Band(..) => {}
            }
        }
        for series in &chart.series {
            let apart = |&(a, b): &(f64, f64)| !drawable(a) || !drawable(b);
            for piece in series.points.split(apart) {
                let piece: Vec<_> = piece.iter().map(|&(a, b)| (x(a), y(b))).collect();
                canvas.faint_line(&piece, series.width, series.colour, series.opacity);
                if series.dots || piece.len() == 1 {
                    piece
                        .iter()
                        .for_each(|&(a, b)| canvas.dot(a, b, 2.6, series.colour));
                }
            }
        }
        self.names(canvas, chart, x, y);
    }

    fn axes(&self, canvas: &mut Canvas, chart: &Chart) {
        let (bottom, right) = (self.top + self.height, self.left + self.width);
        let letters = Type::new(LETTERS);
        canvas.text(
            14.0,
            self.top - 15.0,
            &chart.y.title,
            letters.colour(colour::GREY),
        );
        for tick in chart.y.ticks(self.height, 36.0) {
            let y = bottom - chart.y.at(tick.value) * self.height;
            canvas.line(&[(self.left, y), (right, y)], 1.0, colour::GRID);
            let label = tick.label.unwrap_or_default();
            canvas.text(self.left - 8.0, y, &label, letters.anchor(Anchor::End));
        }
        canvas.line(&[(self.left, bottom), (right, bottom)], 1.2, colour::INK);
        for tick in chart.x.ticks(self.width, 50.0) {
            let x = self.left + chart.x.at(tick.value) * self.width;
            let long = if tick.label.is_some() { 5.0 } else { 3.0 };
            canvas.line(&[(x, bottom), (x, bottom + long)], 1.0, colour::INK);
            let label = tick.label.unwrap_or_default();
            canvas.text(x, bottom + 14.0, &label, letters.anchor(Anchor::Middle));
        }
        let middle = self.left + self.width / 2.0;
        let style = letters.anchor(Anchor::Middle).colour(colour::GREY);
        canvas.text(middle, bottom + 34.0, &chart.x.title, style);
    }

    /// The lines' names in the right margin, each joined to where its line ends.
    fn names(
        &self,
        canvas: &mut Canvas,
        chart: &Chart,
        x: impl Fn(f64) -> f64,
        y: impl Fn(f64) -> f64,
    ) {
        let right = self.left + self.width;
        let named = chart.series.iter().filter_map(|series| {
            let seen = |&&(a, b): &&(f64, f64)| drawable(a) && drawable(b);
            let &(a, b) = series.points.iter().rfind(seen)?;
            Some((series, series.label.as_deref()?, (x(a), y(b))))
        });
        let named: Vec<_> = named.collect();
        let ends: Vec<f64> = named.iter().map(|(_, _, end)| end.1).collect();
        let places = spread(&ends, self.top, self.top + self.height, APART);
        for ((series, label, end), place) in named.iter().zip(places) {
            let joint = [
                (end.0.max(right - 4.0), end.1),
                (right + 14.0, place),
                (right + 22.0, place),
            ];
            canvas.faint_line(&joint, 1.2, series.colour, series.opacity.max(0.5));
            canvas.text(
                right + 26.0,
                place,
                &text::shorten(label, 24),
                Type::new(LETTERS),
            );
        }
    }
}

/// Places near the wanted ones, in their order, at least `apart` from each other and, where they
/// fit, between `lo` and `hi`.
fn spread(wanted: &[f64], lo: f64, hi: f64, apart: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut places = wanted.to_vec();
    let mut least = lo - apart;
    for &i in &order {
        places[i] = places[i].max(least + apart).max(lo);
        least = places[i];
    }
    let mut most = hi + apart;
    for &i in order.iter().rev() {
        places[i] = places[i].min(most - apart);
        most = places[i];
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_order_and_their_distance() {
        let places = spread(&[100.0, 99.0, 100.0, 10.0], 0.0, 100.0, 14.0);
        assert_eq!(places, [86.0, 72.0, 100.0, 10.0]);
        assert_eq!(spread(&[], 0.0, 1.0, 14.0), Vec::<f64>::new());
    }

    #[test]
    fn a_mark_is_explained_once() {
        let band = Mark::Band(0.0, 1.0, "phase change".into());
        let level = Mark::Level(0.3, "threshold".into());
        let rows = key_rows(&[&band, &level, &band]);
        assert_eq!(rows.concat().len(), 2);
    }
}
