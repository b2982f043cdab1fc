//! Differences for a page.

use super::super::{Differences, Shown, Subject};
use super::sections;
use crate::figures::text::printable;

/// A table a section; values as code, origins beside them.
pub fn to_markdown(subjects: &[Subject], found: &Differences) -> String {
    let mut out = String::new();
    for (_, title, rows) in sections(found).into_iter().filter(|(_, _, rows)| !rows.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        let names: Vec<String> = subjects.iter().map(|s| code(&s.name)).collect();
        out += &format!("## {}{}\n\n", title[..1].to_uppercase(), &title[1..]);
        out += &format!("| key | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
        for row in rows {
            let cells: Vec<String> = row.values.iter().map(cell).collect();
            let key = if title == "outcomes" { row.key() } else { code(&row.key()) };
            out += &format!("| {key} | {} |\n", cells.join(" | "));
        }
    }
    if out.is_empty() { "No differences.\n".into() } else { out }
}

fn cell(shown: &Option<Shown>) -> String {
    match shown {
        None => "–".into(),
        Some(Shown { text, origin: None, .. }) => code(text),
        Some(Shown { text, origin: Some(origin), .. }) => format!("{} ({})", code(text), code(origin)),
    }
}

/// As code within a table.
fn code(text: &str) -> String {
    let text = printable(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let room = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{room}{}{room}{ticks}", text.replace('|', "\\|"))
}
