//! Differences for a terminal.

use super::super::{Difference, Differences, Shown, Subject};
use super::sections;
use crate::figures::text::{printable, shorten};

/// Longer values are cut; JSON has them whole.
const LONGEST: usize = 60;

/// A section after the other, keys under the header of their table, one column a subject, each value
/// with its origin as a comment.
pub fn to_text(subjects: &[Subject], found: &Differences) -> String {
    let mut out = String::new();
    for (_, title, rows) in sections(found).into_iter().filter(|(_, _, rows)| !rows.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        let mut lines = vec![line(title, subjects.iter().map(|s| s.name.clone()))];
        for of_table in rows.chunk_by(|a, b| a.table == b.table) {
            let table = &of_table[0].table;
            if !table.is_empty() {
                lines.push(line(&format!("  [{table}]"), []));
            }
            let indent = if table.is_empty() { "  " } else { "    " };
            let row = |d: &Difference| line(&format!("{indent}{}", d.name), d.values.iter().map(cell));
            lines.extend(of_table.iter().map(row));
        }
        out.push_str(&aligned(&lines));
    }
    if out.is_empty() { "no differences\n".into() } else { out }
}

fn line(first: &str, rest: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(first.to_string()).chain(rest).collect()
}

fn cell(shown: &Option<Shown>) -> String {
    match shown {
        None => "–".into(),
        Some(Shown { text, origin: None, .. }) => shorten(&printable(text), LONGEST),
        Some(Shown { text, origin: Some(origin), .. }) => {
            format!("{}  # {origin}", shorten(&printable(text), LONGEST))
        }
    }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |c: usize| lines.iter().filter_map(move |line| line.get(c));
    let widths: Vec<usize> =
        (0..columns).map(|c| cells(c).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    let padded = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    lines.iter().map(padded).collect()
}
