//! The attention pattern of a head on a text, token by token.

use super::axis::{Axis, range};
use super::canvas::{Anchor, Canvas, Type};
use super::chart::{LETTERS, heading};
use super::tables::Points;
use super::{Figure, FigureError, FigureKind, colour, file_stem, heads, heat, tables, text};
use crate::record::{Analysis, Record, Table};

/// Attention patterns, a figure a head.
pub const KIND: FigureKind = FigureKind {
    name: "attention_map",
    reading: "Every row is a token that attends, every column a token that is attended to. Outlined \
              are the tokens that followed an earlier occurrence of the row's token: an induction \
              head lands on them.",
    example: "[[analyses]]\nprobe = \"attention_map\"\ntext = \"Mr Velkrand met Osilwyn. Velkrand smiled, and Osilwyn\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let maps = record.analyses.iter().filter(|a| a.probe == KIND.name);
    Ok(maps.map(of_analysis).collect::<Result<Vec<_>, _>>()?.concat())
}

/// The maps of one analysis with the tables `tokens` and `pattern`, without a run around it.
pub fn of_analysis(analysis: &Analysis) -> Result<Vec<Figure>, FigureError> {
    let (Some(tokens), Some(pattern)) = (analysis.table("tokens"), analysis.table("pattern")) else {
        return Ok(Vec::new());
    };
    let tokens = Tokens::of(tokens)?;
    let columns = ["layer", "head", "query", "key", "attention"];
    let rows = tables::numbers(pattern, columns)?.into_iter();
    let cells = rows.map(|[layer, head, query, key, share]| ([layer, head, query], (key, share)));
    let rows = tables::grouped(cells);
    let unit = match pattern.unit("attention") {
        "" => "share of attention",
        unit => unit,
    };
    let text = analysis.parameters.get("text").and_then(|t| t.as_str()).map(str::trim_start);
    let text = text.map_or(String::new(), |t| format!(" on “{}”", text::shorten(t, 34)));
    let mut figures = Vec::new();
    for of_head in rows.chunk_by(|a, b| a.0[..2] == b.0[..2]) {
        let [layer, head, _] = of_head[0].0;
        let name = heads::name([layer, head]);
        let title = format!("Attention pattern of head {name}{text}");
        let map = Map::new(&tokens, of_head, unit);
        let Some(svg) = map.page(&title)? else {
            continue;
        };
        figures.push(Figure {
            title,
            reading: format!("{} {}", KIND.reading, map.landed()),
            name: file_stem(&format!("{}-{name}", analysis.id)),
            svg,
        });
    }
    Ok(figures)
}

/// The tokens of a text: how they look, and which are the same.
struct Tokens {
    labels: Vec<String>,
    same_as: Vec<Option<String>>,
}

impl Tokens {
    fn of(table: &Table) -> Result<Self, FigureError> {
        let positions = tables::numbers(table, ["position"])?;
        let mut order: Vec<usize> = (0..positions.len()).collect();
        order.sort_by(|&a, &b| positions[a][0].total_cmp(&positions[b][0]));
        let texts: Vec<&str> = table.column("token").map(|c| c.text().unwrap_or("?")).collect();
        let ids = table.numbers("id");
        let text = |i: &usize| texts.get(*i).copied().unwrap_or("?");
        // Two halves of different characters look the same: `�` is never taken for a repeat.
        let same = |i: &usize| match ids.get(*i) {
            Some(id) if id.is_finite() => Some(id.to_string()),
            _ => Some(text(i).to_string()).filter(|t| !t.contains('�')),
        };
        Ok(Tokens {
            labels: order.iter().map(|i| text::token(text(i), 14)).collect(),
            same_as: order.iter().map(same).collect(),
        })
    }

    /// For every query, the keys that followed an earlier occurrence of its token.
    fn targets(&self, query: usize) -> impl Iterator<Item = usize> + '_ {
        let token = &self.same_as[query];
        (1..=query).filter(move |&key| token.is_some() && self.same_as[key - 1] == *token)
    }
}

/// Large while there is room, legible as long as there can be, to half a pixel.
fn cell_size(tokens: f64) -> f64 {
    let size = f64::max(840.0 / tokens, f64::min(1100.0 / tokens, 8.5));
    (2.0 * size).round().clamp(12.0, 40.0) / 2.0
}

/// The pattern of one head over the tokens.
struct Map<'a> {
    tokens: &'a Tokens,
    attention: Vec<Vec<f64>>,
    amounts: Axis,
}

impl<'a> Map<'a> {
    fn new(tokens: &'a Tokens, rows: &[([i64; 3], Points)], unit: &str) -> Self {
        let n = tokens.labels.len();
        let mut attention: Vec<Vec<f64>> = (1..=n).map(|seen| vec![f64::NAN; seen]).collect();
        for ([_, _, query], cells) in rows {
            let Some(row) = usize::try_from(*query).ok().and_then(|q| attention.get_mut(q)) else {
                continue;
            };
            for &(key, share) in cells.iter().filter(|cell| cell.0 >= 0.0) {
                if let Some(cell) = row.get_mut(key as usize) {
                    *cell = share;
                }
            }
        }
        let amounts = match range(attention.iter().flatten().copied()) {
            Some((lo, hi)) if lo >= 0.0 && hi < 0.5 => Axis::around([0.0, hi.max(0.01)], unit),
            _ => Axis::share(attention.iter().flatten().copied(), unit),
        };
        Map { tokens, attention, amounts }
    }

    /// How much of the attention lies on the outlined cells, in words.
    fn landed(&self) -> String {
        let share = |query: usize| {
            let on = self.tokens.targets(query).map(|key| self.attention[query][key]);
            on.reduce(|a, b| a + b).filter(|sum| sum.is_finite())
        };
        let shares: Vec<f64> = (0..self.attention.len()).filter_map(share).collect();
        let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        let tokens = match shares.len() {
            0 => return "No token of this text comes up twice.".to_string(),
            1 => "At the one token that has".to_string(),
            n => format!("At the {n} tokens that have"),
        };
        let mean = text::decimal(mean, 2);
        format!("{tokens} come up before, {mean} of this head's attention lies there.")
    }

    fn page(&self, title: &str) -> Result<Option<String>, FigureError> {
        let n = self.tokens.labels.len();
        if !self.attention.iter().flatten().any(|share| share.is_finite()) {
            return Ok(None);
        }
        let cell = cell_size(n as f64);
        let letters = (cell * 0.92).min(12.0);
        let labels = self.tokens.labels.iter().map(|l| text::mono_width(l, letters));
        let longest = labels.fold(0.0, f64::max) + 8.0;
        let side = cell * n as f64;
        let (left, top) = (40.0 + longest, 82.0 + longest);
        let bar = side.clamp(90.0, 180.0);
        let width = (left + side + 32.0 + heat::SCALE_WIDTH).max(520.0);
        let mut canvas = Canvas::new(width.max(left + side + 150.0), top + side.max(bar) + 18.0);
        heading(&mut canvas, title);
        canvas.outline([20.0, 41.0, 10.0, 10.0], 1.4, colour::MARK);
        let key = "after an earlier occurrence of the row's token";
        canvas.text(42.0, 46.0, key, Type::new(LETTERS));
        let grey = Type::new(LETTERS).colour(colour::GREY);
        canvas.text(left, 70.0, "key: attended to →", grey);
        let upward = Type { upward: true, ..grey.anchor(Anchor::End) };
        canvas.text(20.0, top, "← query: attends", upward);
        canvas.rect(left, top, side, side, colour::VOID);
        let face = Type { mono: true, ..Type::new(letters) };
        for (i, label) in self.tokens.labels.iter().enumerate() {
            let at = cell * (i as f64 + 0.5);
            canvas.text(left - 6.0, top + at, label, face.anchor(Anchor::End));
            canvas.text(left + at, top - 6.0, label, Type { upward: true, ..face });
        }
        self.cells(&mut canvas, left, top, cell);
        heat::scale(&mut canvas, left + side + 28.0, top, bar, &self.amounts);
        canvas.finish(title).map(Some)
    }

    /// Neighbours of one colour are drawn as one: a map of 120 tokens has 7260 cells.
    fn cells(&self, canvas: &mut Canvas, left: f64, top: f64, cell: f64) {
        let shade = |share: f64| {
            let place = (self.amounts.at(share) * 100.0).round() / 100.0;
            if share.is_nan() { None } else { colour::amount(place) }
        };
        for (query, row) in self.attention.iter().enumerate() {
            let y = top + cell * query as f64;
            let mut key = 0;
            for run in row.chunk_by(|a, b| shade(*a) == shade(*b)) {
                let x = left + cell * key as f64;
                if let Some(colour) = shade(run[0]) {
                    canvas.rect(x, y, cell * run.len() as f64, cell, colour);
                }
                key += run.len();
            }
        }
        let inset = 0.8;
        for query in 0..self.attention.len() {
            for key in self.tokens.targets(query) {
                let (x, y) = (left + cell * key as f64, top + cell * query as f64);
                let inner = cell - 2.0 * inset;
                canvas.outline([x + inset, y + inset, inner, inner], 1.2, colour::MARK);
            }
        }
    }
}
