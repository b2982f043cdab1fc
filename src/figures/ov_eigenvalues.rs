//! Eigenvalues of heads' OV circuits: their positivity through training, and where they lie at the end.

use super::canvas::{Anchor, Canvas, Type};
use super::chart::{LETTERS, heading, title_width};
use super::heads::{self, Head};
use super::{Figure, FigureError, FigureKind, colour, file_stem, tables, text};
use crate::record::{Analysis, Record};

/// Positivity over training, and the eigenvalues in the complex plane.
pub const KIND: FigureKind = FigureKind {
    name: "ov_eigenvalues",
    reading: "One line a head: the sum of the real parts of its OV circuit's eigenvalues over the sum of \
              their sizes. At 1 all are positive: attending to a token raises that token, which is \
              copying. At −1 it lowers it.",
    example: "[[analyses]]\nprobe = \"ov_eigenvalues\"",
    draw,
};

const PLANE: &str = "One panel a head, one dot an eigenvalue of its OV circuit at the last checkpoint, as \
    shares of the largest (the circle). Dots on the right copy, dots on the left suppress what is attended \
    to, pairs above and below turn tokens into one another.";

/// No more heads than have room.
const MOST: usize = 12;
const ACROSS: usize = 4;
const SIDE: f64 = 130.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 74.0;

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let title = "Positivity of the OV circuit's eigenvalues".to_string();
        figures.extend(heads::over_training(record, analysis, title, KIND.reading, None)?);
        figures.extend(plane(record, analysis)?);
    }
    Ok(figures)
}

fn plane(record: &Record, analysis: &Analysis) -> Result<Option<Figure>, FigureError> {
    let (Some(scores), Some(table)) = (analysis.table("heads"), analysis.table("eigenvalues")) else {
        return Ok(None);
    };
    let mut scores = heads::ranking(scores);
    let all = scores.len();
    scores.truncate(MOST);
    scores.sort_by_key(|(head, _)| *head);
    let step = tables::last_step(table);
    let rows = tables::numbers(table, ["step", "layer", "head", "re", "im"])?;
    let of = |head: Head| {
        let here = move |row: &&[f64; 5]| Some(row[0]) == step && [row[1] as i64, row[2] as i64] == head;
        rows.iter().filter(here).map(|row| (row[3], row[4])).collect::<Vec<_>>()
    };
    let panels: Vec<_> = scores.into_iter().map(|(head, score)| (head, score, of(head))).collect();
    if !panels.iter().any(|(_, _, points)| !points.is_empty()) {
        return Ok(None);
    }
    let title = match panels.len() < all {
        true => format!("Eigenvalues of the OV circuit ({MOST} of {all} heads, the most positive)"),
        false => "Eigenvalues of the OV circuit of every head".to_string(),
    };
    let (across, down) = (panels.len().min(ACROSS), panels.len().div_ceil(ACROSS));
    let page = (LEFT + (SIDE + 46.0) * across as f64).max(title_width(&title));
    let mut canvas = Canvas::new(page, TOP + (SIDE + 62.0) * down as f64);
    heading(&mut canvas, &title);
    canvas.text(14.0, 46.0, "Im λ / max |λ|", Type::new(LETTERS).colour(colour::GREY));
    let colours = heads::Colours::of(record);
    for (i, (head, score, points)) in panels.iter().enumerate() {
        let (x, y) = (LEFT + (SIDE + 46.0) * (i % ACROSS) as f64, TOP + (SIDE + 62.0) * (i / ACROSS) as f64);
        let title = format!("{}: positivity {}", heads::name(*head), text::decimal(*score, 2));
        let ink = colours.get(*head).unwrap_or(colour::INK);
        panel(&mut canvas, (x, y), &title, points, ink);
    }
    let svg = canvas.finish(&title)?;
    let name = file_stem(&format!("{}-plane", analysis.id));
    Ok(Some(Figure { name, title, reading: PLANE.to_string(), svg }))
}

/// The square from -1 to 1 both ways, with the circle and the dots.
fn panel(
    canvas: &mut Canvas,
    (x, y): (f64, f64),
    title: &str,
    points: &[(f64, f64)],
    ink: super::canvas::Colour,
) {
    let letters = Type::new(LETTERS);
    let middle = letters.anchor(Anchor::Middle);
    let at = |re: f64, im: f64| (x + SIDE * (1.0 + re) / 2.0, y + SIDE * (1.0 - im) / 2.0);
    canvas.text(x, y - 12.0, title, letters);
    for (value, label) in [(-1.0, "−1"), (0.0, "0"), (1.0, "1")] {
        canvas.line(&[at(value, -1.0), at(value, 1.0)], 1.0, colour::GRID);
        canvas.line(&[at(-1.0, value), at(1.0, value)], 1.0, colour::GRID);
        canvas.text(at(value, 0.0).0, y + SIDE + 12.0, label, middle);
        canvas.text(x - 8.0, at(0.0, value).1, label, letters.anchor(Anchor::End));
    }
    canvas.text(x + SIDE / 2.0, y + SIDE + 28.0, "Re λ / max |λ|", middle.colour(colour::GREY));
    let turn = |i: u32| f64::from(i) / 72.0 * std::f64::consts::TAU;
    let circle: Vec<_> = (0..=72).map(|i| at(turn(i).cos(), turn(i).sin())).collect();
    canvas.line(&circle, 1.0, colour::PALE);
    let largest = points.iter().map(|(re, im)| re.hypot(*im)).fold(0.0, f64::max);
    if largest > 0.0 {
        for (re, im) in points.iter().filter(|(re, im)| re.is_finite() && im.is_finite()) {
            let (x, y) = at(re / largest, im / largest);
            canvas.dot(x, y, 3.0, ink);
        }
    }
}
