//! Whether the current token can still be read in the residual stream, and what the stream is made of.

use super::axis::{Axis, drawable};
use super::canvas::{Anchor, Canvas, Colour, Type};
use super::chart::{Chart, LETTERS, Series, heading};
use super::{Figure, FigureError, FigureKind, chart, colour, file_stem, tables, text};
use crate::record::{Record, Table};
use std::collections::BTreeSet;

/// The stream's variance, by token and by source.
pub const KIND: FigureKind = FigureKind {
    name: "stream_composition",
    reading: "How much of the residual stream's variance the current token explains, before every block and at \
              the end. A later block that compares tokens has to read them there: where the line after the \
              first block stays near 0, its output has drowned the embedding. The bars divide the same \
              variance by source, at the first and at the last checkpoint; a share below zero, left of the \
              line, cancels what others put there.",
    example: "[[analyses]]\nprobe = \"stream_composition\"",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for analysis in record.analyses.iter().filter(|a| a.probe == KIND.name) {
        let sources = analysis.table("shares").map(sources).unwrap_or_default();
        let mut add = |title: &str, what: &str, svg: Option<String>| {
            let name = file_stem(&format!("{}-{what}", analysis.id));
            let (title, reading) = (title.to_string(), KIND.reading.to_string());
            figures.extend(svg.map(|svg| Figure { name, title, reading, svg }));
        };
        if let Some(table) = analysis.table("identity") {
            let title = "What the current token explains of the residual stream";
            add(title, "identity", identity(record, table, &sources, title)?);
        }
        if let Some(table) = analysis.table("shares") {
            let title = "What the residual stream is made of";
            add(title, "sources", bars(table, &sources, title)?);
        }
    }
    Ok(figures)
}

/// The sources in the order in which they are added.
fn sources(table: &Table) -> Vec<String> {
    table.distinct("source").iter().filter_map(|c| c.text()).map(str::to_string).collect()
}

/// The colour of a source, and of the stream once it was added.
fn tone(source: usize) -> Colour {
    colour::LINES[source % colour::LINES.len()]
}

/// The sources in rows, with where each begins.
fn key_rows(sources: &[String], page: f64) -> Vec<Vec<(f64, usize)>> {
    let (mut rows, mut x) = (vec![Vec::new()], 14.0);
    for (i, source) in sources.iter().enumerate() {
        let width = text::width(&text::shorten(source, 24), LETTERS) + 40.0;
        if x + width > page && x > 14.0 {
            rows.push(Vec::new());
            x = 14.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, i));
        }
        x += width;
    }
    rows
}

/// A place in the stream by what was added last before it.
fn place(depth: usize, sources: &[String]) -> String {
    let blocks: Vec<&String> = sources.iter().filter(|s| s.starts_with("block")).collect();
    match depth {
        0 => "before the blocks".to_string(),
        _ => match blocks.get(depth - 1) {
            Some(block) => format!("after {block}"),
            None => format!("after {depth} blocks"),
        },
    }
}

fn identity(
    record: &Record,
    table: &Table,
    sources: &[String],
    title: &str,
) -> Result<Option<String>, FigureError> {
    let rows = tables::numbers(table, ["depth", "tokens", "share"])?;
    let lines = tables::grouped(rows.into_iter().map(|[depth, tokens, share]| ([depth], (tokens, share))));
    let series =
        lines.into_iter().filter(|(group, _)| (0..64).contains(&group[0])).map(|([depth], points)| {
            let depth = depth as usize;
            // Inputs come before the blocks.
            let inputs = sources.iter().filter(|s| !s.starts_with("block")).count();
            let last = if depth == 0 { 0 } else { inputs.max(1) - 1 + depth };
            Series::measured(&place(depth, sources), tone(last), points)
        });
    let series: Vec<Series> = series.collect();
    let chart = Chart {
        x: Axis::tokens(table.numbers("tokens")),
        y: Axis::share(table.numbers("share"), "share of variance the current token explains"),
        series,
        marks: tables::phase_change(record).into_iter().collect(),
        height: 240.0,
    };
    if chart.is_empty() {
        return Ok(None);
    }
    chart::page(title, &[chart]).map(Some)
}

/// A bar of the stream at one place and time.
struct Bar {
    label: String,
    /// A source's place among the sources, and its share.
    shares: Vec<(usize, f64)>,
}

fn bars(table: &Table, sources: &[String], title: &str) -> Result<Option<String>, FigureError> {
    let rows = tables::numbers(table, ["step", "tokens", "depth", "share"])?;
    let of_row = |cell: &crate::record::Cell| sources.iter().position(|s| Some(s.as_str()) == cell.text());
    let rows: Vec<_> = rows.into_iter().zip(table.column("source").map(of_row)).collect();
    let steps = super::axis::range(rows.iter().map(|(row, _)| row[0]));
    let Some((first, last)) = steps else { return Ok(None) };
    let depths = rows.iter().map(|(row, _)| row[2]).filter(|d| (0.0..64.0).contains(d));
    let depths: BTreeSet<usize> = depths.map(|d| d as usize).collect();
    let mut bars = Vec::new();
    for depth in depths {
        for step in if first < last { vec![first, last] } else { vec![last] } {
            let here = rows.iter().filter(|(row, _)| row[0] == step && row[2] == depth as f64);
            let tokens = here.clone().map(|(row, _)| row[1]).next().unwrap_or(f64::NAN);
            let shares = here.filter_map(|(row, source)| Some(((*source)?, row[3])));
            let shares: Vec<_> = shares.filter(|(_, share)| drawable(*share)).collect();
            if !shares.is_empty() {
                let when = if tokens == 0.0 { "untrained".into() } else { text::count(tokens) };
                let place = text::shorten(&place(depth, sources), 40);
                bars.push(Bar { label: format!("{place}, {when}"), shares });
            }
        }
    }
    if bars.is_empty() {
        return Ok(None);
    }
    page(&bars, sources, title).map(Some)
}

fn page(bars: &[Bar], sources: &[String], title: &str) -> Result<String, FigureError> {
    let sum = |bar: &Bar, sign: f64| -> f64 { bar.shares.iter().map(|(_, x)| (sign * x).max(0.0)).sum() };
    let least = bars.iter().map(|bar| -sum(bar, -1.0)).fold(0.0, f64::min);
    let most = bars.iter().map(|bar| sum(bar, 1.0)).fold(0.0, f64::max);
    let axis = Axis::share([least, most], "share of the stream's variance");
    let letters = Type::new(LETTERS);
    let widest = bars.iter().map(|bar| text::width(&bar.label, LETTERS)).fold(0.0, f64::max);
    let (left, width, row) = (widest + 24.0, 400.0, 26.0);
    let height = row * bars.len() as f64;
    let page = (left + width + 40.0).max(560.0);
    let keys = key_rows(sources, page);
    let top = 52.0 + 20.0 * keys.len() as f64;
    let mut canvas = Canvas::new(page, top + height + 50.0);
    heading(&mut canvas, title);
    for (i, row) in keys.iter().enumerate() {
        let y = 46.0 + 20.0 * i as f64;
        for &(x, source) in row {
            canvas.rect(x, y - 6.0, 16.0, 12.0, tone(source));
            canvas.text(x + 22.0, y, &text::shorten(&sources[source], 24), letters);
        }
    }
    let across = |share: f64| left + width * axis.at(share);
    for tick in axis.ticks(width, 60.0) {
        let x = across(tick.value);
        canvas.line(&[(x, top), (x, top + height)], 1.0, colour::GRID);
        let label = tick.label.unwrap_or_default();
        canvas.text(x, top + height + 14.0, &label, letters.anchor(Anchor::Middle));
    }
    for (i, bar) in bars.iter().enumerate() {
        let y = top + row * i as f64;
        canvas.text(left - 10.0, y + row / 2.0, &bar.label, letters.anchor(Anchor::End));
        let mut ends = [0.0, 0.0];
        for &(source, share) in &bar.shares {
            let end = &mut ends[usize::from(share < 0.0)];
            let (a, b) = (across(*end), across(*end + share));
            *end += share;
            canvas.rect(a.min(b), y + 4.0, (a - b).abs(), row - 8.0, tone(source));
            let label = text::decimal(share, 2);
            if (a - b).abs() > text::width(&label, 11.0) + 4.0 {
                let style = Type::new(11.0).anchor(Anchor::Middle).colour(colour::letters_on(tone(source)));
                canvas.text((a + b) / 2.0, y + row / 2.0, &label, Type { bold: true, ..style });
            }
        }
    }
    let zero = across(0.0);
    canvas.line(&[(zero, top), (zero, top + height)], 1.2, colour::INK);
    let style = letters.anchor(Anchor::Middle).colour(colour::GREY);
    canvas.text(left + width / 2.0, top + height + 36.0, &axis.title, style);
    canvas.finish(title)
}
