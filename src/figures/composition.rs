//! What later heads read of what earlier heads write, head by head.

use super::axis::{Axis, range};
use super::canvas::{Anchor, Canvas, Type};
use super::chart::{LETTERS, heading};
use super::heads::{self, Head};
use super::heat::{SCALE_WIDTH, scale, shade};
use super::{Figure, FigureError, FigureKind, colour, file_stem, tables, text};
use crate::record::{Analysis, Record, Table};
use std::collections::BTreeSet;

/// Q-, K- and V-composition between heads at the last checkpoint.
pub const KIND: FigureKind = FigureKind {
    name: "composition",
    reading: "Rows are later heads, columns earlier ones, and a cell says how much of what the earlier \
              head writes the later one reads into its queries (Q), keys (K) or values (V), above what \
              random matrices would do. An induction head shows blue in K where the column is a \
              previous-token head: its keys hold the token before.",
    example: "[[analyses]]\nprobe = \"composition\"",
    draw,
};

const LEFT: f64 = 84.0;
const TOP: f64 = 112.0;
const GAP: f64 = 30.0;

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        if let Some(table) = analysis.table("composition") {
            figures.extend(page(analysis, table)?);
        }
    }
    Ok(figures)
}

/// Scores of the last checkpoint: `(later, earlier, score)`.
type Scores = Vec<(Head, Head, f64)>;

fn last(table: &Table, term: &str) -> Result<Scores, FigureError> {
    let columns = ["step", "layer", "head", "earlier_layer", "earlier_head", "score"];
    let step = tables::last_step(table);
    let rows = tables::numbers(&table.filter("term", term), columns)?;
    let rows = rows.into_iter().filter(|row| Some(row[0]) == step);
    Ok(rows.map(|[_, a, b, c, d, score]| ([a as i64, b as i64], [c as i64, d as i64], score)).collect())
}

fn page(analysis: &Analysis, table: &Table) -> Result<Option<Figure>, FigureError> {
    let panels = [("Q", last(table, "Q")?), ("K", last(table, "K")?), ("V", last(table, "V")?)];
    let all = || panels.iter().flat_map(|(_, scores)| scores);
    let rows: Vec<Head> = all().map(|s| s.0).collect::<BTreeSet<_>>().into_iter().collect();
    let columns: Vec<Head> = all().map(|s| s.1).collect::<BTreeSet<_>>().into_iter().collect();
    let Some((lo, hi)) = range(all().map(|s| s.2)) else { return Ok(None) };
    let most = hi.max(-lo).max(0.01);
    let title = "Composition of later heads with earlier ones".to_string();
    let amounts = Axis::exactly(-most, most, "ratio of norms above chance");
    let cell = (560.0 / (3 * columns.len()) as f64).clamp(7.0, 46.0);
    let (width, height) = (cell * columns.len() as f64, cell * rows.len() as f64);
    let pitch = width.max(96.0) + GAP;
    let right = LEFT + 3.0 * pitch;
    let room = SCALE_WIDTH.max(text::width(&amounts.title, LETTERS) + 14.0);
    let mut canvas = Canvas::new(right + room, TOP + height.max(90.0) + 24.0);
    heading(&mut canvas, &title);
    let letters = Type::new(LETTERS);
    let grey = letters.colour(colour::GREY);
    canvas.text(LEFT - 10.0, TOP - 14.0, "later head", grey.anchor(Anchor::End));
    canvas.text(LEFT, 72.0, "earlier head", grey);
    let names = |head: &Head, among: &[Head]| cell >= 13.0 || head[1] == 0 || among.len() <= 12;
    for (i, head) in rows.iter().enumerate().filter(|(_, head)| names(head, &rows)) {
        let y = TOP + cell * (i as f64 + 0.5);
        canvas.text(LEFT - 10.0, y, &heads::name(*head), letters.anchor(Anchor::End));
    }
    for (i, (term, scores)) in panels.iter().enumerate() {
        let left = LEFT + pitch * i as f64;
        let bold = Type { bold: true, ..letters };
        canvas.text(left, 50.0, &format!("{term}-composition"), bold);
        for (j, head) in columns.iter().enumerate().filter(|(_, head)| names(head, &columns)) {
            let x = left + cell * (j as f64 + 0.5);
            // Upright where there is no room beside each other.
            let style = match cell >= 28.0 {
                true => letters.anchor(Anchor::Middle),
                false => Type { upward: true, ..letters },
            };
            let y = if cell >= 28.0 { TOP - 14.0 } else { TOP - 6.0 };
            canvas.text(x, y, &heads::name(*head), style);
        }
        for (r, row) in rows.iter().enumerate() {
            for (c, column) in columns.iter().enumerate() {
                let found = scores.iter().find(|s| (s.0, s.1) == (*row, *column));
                let value = found.map_or(f64::NAN, |s| s.2);
                let (x, y) = (left + cell * c as f64, TOP + cell * r as f64);
                let shade = shade(&amounts, value).unwrap_or(colour::VOID);
                canvas.rect(x, y, cell, cell, shade);
                if cell >= 36.0 && value.is_finite() {
                    let style = letters.anchor(Anchor::Middle).colour(colour::letters_on(shade));
                    canvas.text(x + cell / 2.0, y + cell / 2.0, &text::decimal(value, 2), style);
                }
            }
        }
        canvas.outline([left, TOP, width, height], 1.0, colour::GREY);
    }
    scale(&mut canvas, right, TOP, height.max(90.0), &amounts);
    let svg = canvas.finish(&title)?;
    let name = file_stem(&analysis.id);
    Ok(Some(Figure { name, title, reading: KIND.reading.to_string(), svg }))
}
