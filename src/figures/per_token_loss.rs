//! A text whose tokens are coloured by what became of their loss.

use super::axis::{Axis, range};
use super::canvas::{Anchor, Canvas, Type};
use super::chart::{LETTERS, heading};
use super::{Figure, FigureError, FigureKind, colour, file_stem, heat, tables, text};
use crate::record::{Record, Table};

/// The change of every token's loss.
pub const KIND: FigureKind = FigureKind {
    name: "per_token_loss",
    reading: "Every box is a token, coloured by how its loss changed between two checkpoints, those around the \
              phase change where one was found: blue became easier to predict, brown harder. A model learns \
              many things at once, and on one short text most changes are of those; an induction head's \
              would be blue where the text completes what it has said before, as the rest of a name that comes \
              again. The grey box begins the text; nothing predicts it.",
    example: "[[analyses]]\nprobe = \"per_token_loss\"\ntext = \"Mr Velkrand met Osilwyn. Velkrand smiled, and Osilwyn\"",
    draw,
};

/// The right edge of the text in pixels.
const RIGHT: f64 = 660.0;
const LEFT: f64 = 14.0;
const LINE: f64 = 28.0;

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let Some(table) = analysis.table("losses") else { continue };
        let Some(change) = Change::of(record, table)? else { continue };
        let [from, to] = change.tokens.map(text::count);
        let title = format!("Change of every token's loss from {from} to {to} tokens of training");
        let svg = change.page(&title)?;
        let (name, reading) = (file_stem(&analysis.id), KIND.reading.to_string());
        figures.push(Figure { name, title, reading, svg });
    }
    Ok(figures)
}

/// Tokens and how much their losses changed between two checkpoints.
struct Change {
    /// Training tokens at both.
    tokens: [f64; 2],
    boxes: Vec<(String, f64)>,
}

impl Change {
    fn of(record: &Record, table: &Table) -> Result<Option<Self>, FigureError> {
        let rows = tables::numbers(table, ["step", "tokens", "position", "loss"])?;
        let change = record.verdict.as_ref().and_then(|v| v.phase_change.as_ref());
        let around = change.map(|c| [c.from_step as f64, c.to_step as f64]);
        let there = |step: &f64| rows.iter().any(|row| row[0] == *step);
        let ends = range(rows.iter().map(|row| row[0])).map(|(first, last)| [first, last]);
        let chosen = around.filter(|steps| steps.iter().all(there)).or(ends);
        let Some([from, to]) = chosen.filter(|[from, to]| from < to) else { return Ok(None) };
        let labels: Vec<&str> = table.column("token").map(|c| c.text().unwrap_or("?")).collect();
        let at = |step: f64| {
            let rows = rows.iter().zip(&labels).filter(move |(row, _)| row[0] == step);
            let mut rows: Vec<_> = rows.map(|(row, label)| (row[2], row[1], row[3], *label)).collect();
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            rows
        };
        let (before, after) = (at(from), at(to));
        let (Some(first), Some(last)) = (before.first(), after.first()) else { return Ok(None) };
        let tokens = [first.1, last.1];
        let pairs = before.iter().zip(&after).filter(|(a, b)| a.0 == b.0);
        let boxes: Vec<_> = pairs.map(|(a, b)| (b.3.to_string(), b.2 - a.2)).collect();
        let seen = boxes.iter().any(|(_, change)| super::axis::drawable(*change));
        Ok(seen.then_some(Change { tokens, boxes }))
    }

    fn page(&self, title: &str) -> Result<String, FigureError> {
        let changes = self.boxes.iter().map(|(_, change)| change.abs());
        let most = range(changes).map_or(1.0, |(_, most)| most.max(0.01));
        let most = Axis::around([0.0, most], "").hi;
        let axis = Axis::exactly(-most, most, "change (nats)");
        let face = Type { mono: true, ..Type::new(LETTERS) };
        let (top, size) = (56.0, 20.0);
        let mut placed = Vec::new();
        let (mut x, mut y) = (LEFT, top);
        for (token, change) in &self.boxes {
            let label = text::token(token, 24);
            let width = text::mono_width(&label, LETTERS) + 7.0;
            if x + width > RIGHT && x > LEFT {
                (x, y) = (LEFT, y + LINE);
            }
            placed.push((x, y, width, label, *change));
            x += width + 2.0;
            if token.ends_with('\n') {
                (x, y) = (LEFT, y + LINE);
            }
        }
        let bottom = placed.last().map_or(top, |last| last.1 + size);
        let bar = (bottom - top).max(110.0);
        let mut canvas = Canvas::new(RIGHT + 26.0 + heat::SCALE_WIDTH, top + bar + 20.0);
        heading(&mut canvas, title);
        for (x, y, width, label, change) in placed {
            let fill = if super::axis::drawable(change) { colour::signed(-change / most) } else { None };
            let fill = fill.unwrap_or(colour::VOID);
            canvas.rect(x, y, width, size, fill);
            canvas.outline([x, y, width, size], 0.6, colour::PALE);
            let style = face.anchor(Anchor::Middle).colour(colour::letters_on(fill));
            canvas.text(x + width / 2.0, y + size / 2.0, &label, style);
        }
        // What fell is blue.
        heat::scale_of(&mut canvas, [RIGHT + 22.0, top, bar], &axis, &|change| {
            colour::signed(-change / most)
        });
        canvas.finish(title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Cell, PhaseChange};

    fn table() -> Table {
        let columns = [("step", ""), ("tokens", ""), ("position", ""), ("token", ""), ("loss", "nats")];
        let mut table = Table::new("losses", &columns);
        for step in [0u64, 10, 20, 30] {
            for (position, token) in ["<|endoftext|>", "a", "b"].into_iter().enumerate() {
                let loss =
                    if position == 0 { f64::NAN } else { 9.0 - (step * step) as f64 * position as f64 };
                let place = [Cell::from(step), Cell::from(4 * step), position.into()];
                table.push(place.into_iter().chain([token.into(), loss.into()]));
            }
        }
        table
    }

    fn record(change: Option<PhaseChange>) -> Record {
        let verdict = crate::record::Verdict {
            verdict: crate::record::Outcome::Found,
            summary: String::new(),
            criteria: Vec::new(),
            induction_heads: Vec::new(),
            shifted_heads: Vec::new(),
            phase_change: change,
            heads: Table::new("heads", &[]),
        };
        Record {
            name: String::new(),
            plan: toml::Table::new(),
            metrics: Table::new("metrics", &[]),
            analyses: Vec::new(),
            verdict: Some(verdict),
            provenance: Default::default(),
            timings: Default::default(),
        }
    }

    fn change(from_step: u64, to_step: u64) -> Option<PhaseChange> {
        Some(PhaseChange { from_step, to_step, from_tokens: 0, to_tokens: 0, before: 0.0, after: 0.0 })
    }

    #[test]
    fn the_change_is_that_around_the_phase_change_or_else_from_first_to_last() {
        let of = |change| Change::of(&record(change), &table()).unwrap().unwrap();
        let around = of(change(10, 20));
        assert_eq!(around.tokens, [40.0, 80.0]);
        let [start, a, b] = &around.boxes[..] else { panic!("{:?}", around.boxes) };
        assert!(start.1.is_nan());
        assert_eq!([a, b], [&("a".to_string(), -300.0), &("b".to_string(), -600.0)]);
        for elsewhere in [None, change(11, 20)] {
            let whole = of(elsewhere);
            assert_eq!((whole.tokens, whole.boxes[1].1), ([0.0, 120.0], -900.0));
        }
        let one = table().filter("step", 30i64);
        assert!(Change::of(&record(None), &one).unwrap().is_none());
    }
}
