//! One chart on a page: its axes, its lines, and their names in the margin.

use super::axis::drawable;
use super::canvas::{Anchor, Canvas, Type};
use super::chart::{Chart, LETTERS, LONGEST, Mark, SHADE};
use super::{colour, text};

/// The least distance between names in the margin.
const APART: f64 = 14.0;

/// The part of a page that holds data.
pub struct Plot {
    /// Its left edge in pixels.
    pub left: f64,
    /// Its upper edge.
    pub top: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Plot {
    /// Draws the chart there.
    pub fn draw(&self, canvas: &mut Canvas, chart: &Chart) {
        let (bottom, right) = (self.top + self.height, self.left + self.width);
        let x = |value: f64| self.place(chart, value, 0.0).0;
        let y = |value: f64| self.place(chart, 0.0, value).1;
        for mark in &chart.marks {
            match mark {
                Mark::Band(from, to, _) => {
                    let (from, to) = (x(*from), x(*to));
                    canvas.rect(from, self.top, (to - from).max(2.0), self.height, colour::BAND);
                }
                Mark::Shade(from, to, _, colour) => {
                    let (from, to) = (x(*from), x(*to));
                    let corners = [(from, self.top), (to, self.top), (to, bottom), (from, bottom)];
                    canvas.area(&corners, *colour, SHADE);
                }
                Mark::Level(..) | Mark::Place(..) => {}
            }
        }
        self.axes(canvas, chart);
        for mark in &chart.marks {
            match mark {
                Mark::Level(value, _) => {
                    canvas.dashes((self.left, y(*value)), (right, y(*value)), 1.2, colour::GREY)
                }
                Mark::Place(value, _) => {
                    canvas.dashes((x(*value), self.top), (x(*value), bottom), 1.2, colour::GREY)
                }
                Mark::Band(..) | Mark::Shade(..) => {}
            }
        }
        for series in &chart.series {
            let there = |&&(at, lo, hi): &&(f64, f64, f64)| drawable(at) && drawable(lo) && drawable(hi);
            let band: Vec<_> = series.band.iter().filter(there).collect();
            let upper = band.iter().map(|(at, _, hi)| (x(*at), y(*hi)));
            let lower = band.iter().rev().map(|(at, lo, _)| (x(*at), y(*lo)));
            canvas.area(&upper.chain(lower).collect::<Vec<_>>(), series.colour, 0.18);
        }
        for series in &chart.series {
            let apart = |&(a, b): &(f64, f64)| !drawable(a) || !drawable(b);
            for piece in series.points.split(apart) {
                let piece: Vec<_> = piece.iter().map(|&(a, b)| (x(a), y(b))).collect();
                canvas.faint_line(&piece, series.width, series.colour, series.opacity);
                if series.dots || piece.len() == 1 {
                    piece.iter().for_each(|&(a, b)| canvas.dot(a, b, 2.6, series.colour));
                }
            }
        }
        self.names(canvas, chart, x, y);
    }

    /// Where on the page a point lies.
    pub fn place(&self, chart: &Chart, x: f64, y: f64) -> (f64, f64) {
        (self.left + chart.x.at(x) * self.width, self.top + (1.0 - chart.y.at(y)) * self.height)
    }

    fn axes(&self, canvas: &mut Canvas, chart: &Chart) {
        let (bottom, right) = (self.top + self.height, self.left + self.width);
        let letters = Type::new(LETTERS);
        canvas.text(14.0, self.top - 15.0, &chart.y.title, letters.colour(colour::GREY));
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
    fn names(&self, canvas: &mut Canvas, chart: &Chart, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
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
            let joint = [(end.0.max(right - 4.0), end.1), (right + 14.0, place), (right + 22.0, place)];
            canvas.faint_line(&joint, 1.2, series.colour, series.opacity.max(0.5));
            canvas.text(right + 26.0, place, &text::shorten(label, LONGEST), Type::new(LETTERS));
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
}
