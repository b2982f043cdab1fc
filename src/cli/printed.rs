//! Results as they are printed: text for people, JSON for programs.

use serde::Serialize;

/// How a result is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How a table is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TableFormat {
    /// Aligned columns
    #[default]
    Text,
    /// A table in Markdown
    Markdown,
    /// An array of objects
    Json,
}

/// A value as indented JSON, with a line's end.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).map_or_else(|error| error.to_string(), |text| text + "\n")
}

/// Rows as aligned columns. Columns whose cells are all numbers stand to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, i: usize| row.get(i).cloned().unwrap_or_default();
    let width = |i: usize| rows.iter().map(|row| cell(row, i).chars().count()).max().unwrap_or(0);
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || " .–".contains(c));
    let right = |i: usize| i > 0 && rows.iter().skip(1).all(|row| is_number(&cell(row, i)));
    let widths: Vec<(usize, bool)> = (0..count).map(|i| (width(i), right(i))).collect();
    let line = |row: &Vec<String>| {
        let cells = widths.iter().enumerate().map(|(i, (width, right))| match right {
            true => format!("{:>width$}", cell(row, i)),
            false => format!("{:<width$}", cell(row, i)),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Rows, the first of them a heading, as a table in Markdown.
pub fn markdown(rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let Some((heading, rows)) = rows.split_first() else { return String::new() };
    let rule = line(&vec!["---".to_string(); heading.len()]);
    line(heading) + &rule + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// `12_345_678` as people read it: `12 345 678`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
