//! Amounts as colours: the scale beside a map, and small maps with their numbers.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Colour, Type};
use super::chart::{LETTERS, heading, title_width};
use super::{FigureError, colour, text};

/// The room a colour scale takes beside a map.
pub const SCALE_WIDTH: f64 = 96.0;

/// The colour of an amount on an axis; one that begins below zero has two hues that meet there.
pub fn shade(axis: &Axis, value: f64) -> Option<Colour> {
    if value.is_nan() {
        None
    } else if axis.lo < 0.0 {
        colour::signed(value / axis.hi.max(-axis.lo))
    } else {
        colour::amount(axis.at(value))
    }
}

/// A scale of amounts with ticks, and over it what it measures.
pub fn scale(canvas: &mut Canvas, x: f64, y: f64, height: f64, axis: &Axis) {
    scale_of(canvas, [x, y, height], axis, &|value| shade(axis, value));
}

/// The same of other colours of the axis's values.
pub fn scale_of(
    canvas: &mut Canvas,
    [x, y, height]: [f64; 3],
    axis: &Axis,
    colours: &dyn Fn(f64) -> Option<Colour>,
) {
    canvas.text(x, y - 14.0, &axis.title, Type::new(LETTERS).colour(colour::GREY));
    let steps = 50;
    for i in 0..steps {
        let share = (f64::from(i) + 0.5) / f64::from(steps);
        let top = y + height * (1.0 - f64::from(i + 1) / f64::from(steps));
        let colour = colours(axis.value(share)).unwrap_or(colour::VOID);
        canvas.rect(x, top, 14.0, height / f64::from(steps), colour);
    }
    canvas.outline([x, y, 14.0, height], 1.0, colour::GREY);
    for tick in axis.ticks(height, 24.0) {
        let at = y + height * (1.0 - axis.at(tick.value));
        canvas.line(&[(x + 14.0, at), (x + 18.0, at)], 1.0, colour::GREY);
        canvas.text(x + 22.0, at, &tick.label.unwrap_or_default(), Type::new(LETTERS));
    }
}

/// A small map: rows from top to bottom, columns from left to right.
#[derive(Debug, Clone)]
pub struct Map {
    /// What the rows are.
    pub row_title: String,
    /// What the columns are.
    pub column_title: String,
    /// The rows' names.
    pub rows: Vec<String>,
    /// The columns' names; none where there are too many to name.
    pub columns: Vec<Option<String>>,
    /// The value of every row in every column, `NaN` where there is none.
    pub values: Vec<Vec<f64>>,
    /// From amounts to colours.
    pub amounts: Axis,
    /// The width and height of a cell in pixels.
    pub cell: (f64, f64),
    /// Whether every cell says its number.
    pub numbers: bool,
}

impl Map {
    /// The map under a title.
    pub fn page(&self, title: &str) -> Result<String, FigureError> {
        let widest = self.rows.iter().map(|l| text::width(l, LETTERS)).fold(0.0, f64::max);
        let left = (widest + 26.0).max(text::width(&self.row_title, LETTERS) + 26.0);
        let top = 82.0;
        let (w, h) = self.cell;
        let width = w * self.columns.len() as f64;
        let height = h * self.rows.len() as f64;
        let bar = height.max(90.0);
        let page = (left + width + 36.0 + SCALE_WIDTH).max(title_width(title));
        let page = page.max(left + width + 60.0 + text::width(&self.amounts.title, LETTERS));
        let mut canvas = Canvas::new(page, top + bar + 22.0);
        heading(&mut canvas, title);
        let letters = Type::new(LETTERS);
        let grey = letters.colour(colour::GREY);
        canvas.text(left, top - 32.0, &self.column_title, grey);
        canvas.text(left - 10.0, top - 14.0, &self.row_title, grey.anchor(Anchor::End));
        for (i, name) in self.columns.iter().enumerate() {
            let name = name.as_deref().unwrap_or_default();
            let x = left + w * (i as f64 + 0.5);
            canvas.text(x, top - 14.0, name, letters.anchor(Anchor::Middle));
        }
        for (i, (name, values)) in self.rows.iter().zip(&self.values).enumerate() {
            let y = top + h * i as f64;
            canvas.text(left - 10.0, y + h / 2.0, name, letters.anchor(Anchor::End));
            for (j, &value) in values.iter().enumerate() {
                let x = left + w * j as f64;
                let shade = shade(&self.amounts, value).unwrap_or(colour::VOID);
                canvas.rect(x, y, w, h, shade);
                if self.numbers {
                    let style = letters.anchor(Anchor::Middle).colour(colour::letters_on(shade));
                    canvas.text(x + w / 2.0, y + h / 2.0, &text::decimal(value, 2), style);
                }
            }
        }
        canvas.outline([left, top, width, height], 1.0, colour::GREY);
        scale(&mut canvas, left + width + 28.0, top, bar, &self.amounts);
        canvas.finish(title)
    }
}
