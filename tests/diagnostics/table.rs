//! `docs/diagnostics.md`: everything that can be said of a spec, each with an example, from the
//! broken specs of these tests.

use super::{Case, common::up_to_date, form, hunted, sense};
use serde_json::Value;
use std::collections::BTreeSet;

const HEAD: &str = "# What can be wrong with a spec

`indhead check SPEC` (and `run`, before anything runs) tells every mistake at once: where it stands, what is
allowed, the nearest name, where a misplaced key belongs. These are the sorts of mistake that the broken specs in
`tests/diagnostics` make, each once, with the line it is told of and the way out. Others there may be, told in the
same way: a range, a word or a key is checked whether or not it is here.
";

fn themes() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("Syntax", [form::syntax(), hunted::slips()].into_iter().flatten().collect()),
        ("Names", form::names()),
        ("Values", form::values()),
        ("Structure", form::structure()),
        ("Analyses", sense::analyses()),
        ("Datasets and tokenizers", [sense::datasets(), hunted::worlds()].into_iter().flatten().collect()),
        ("Devices", sense::devices()),
        ("The command line", sense::set()),
        ("`extends`", sense::extends()),
    ]
}

/// A machine with a GPU has other devices.
#[test]
#[cfg(not(feature = "cuda"))]
fn the_table_of_diagnostics_is_up_to_date() {
    let mut seen = BTreeSet::new();
    let mut page = HEAD.to_string();
    for (theme, cases) in themes() {
        let mut rows = String::new();
        for case in cases {
            for said in case.listed() {
                if seen.insert(pattern(said["message"].as_str().unwrap())) {
                    rows += &row(&case, &said);
                }
            }
        }
        page +=
            &format!("\n## {theme}\n\n| of this | is said | and the way out |\n| --- | --- | --- |\n{rows}");
    }
    up_to_date("docs/diagnostics.md", &page);
}

/// A message without what changes from spec to spec.
fn pattern(message: &str) -> String {
    let message = match message.split_once(" must be ") {
        Some((_, rest)) if rest.contains(", found ") => "must be, found",
        _ => message,
    };
    let mut pattern = String::new();
    let mut rest = message.chars();
    while let Some(c) = rest.next() {
        match c {
            '`' | '"' => {
                rest.by_ref().find(|end| *end == c);
                pattern.push(c);
            }
            '0'..='9' if pattern.ends_with('0') => {}
            '0'..='9' => pattern.push('0'),
            c => pattern.push(c),
        }
    }
    pattern
}

fn row(case: &Case, said: &Value) -> String {
    let text = |key: &str| said[key].as_str().unwrap_or("").to_string();
    let (file, number) = (text("file"), said["line"].as_u64().unwrap() as usize);
    let line = case.line(&file, number);
    let of = if file == "--set" { format!("--set {line}") } else { line };
    let mut out: Vec<String> = [text("label")].into_iter().filter(|label| !label.is_empty()).collect();
    out.extend(said["help"].as_array().unwrap().iter().map(|help| help.as_str().unwrap().to_string()));
    let related = said["related"].as_array().unwrap().iter();
    out.extend(related.map(|other| {
        let file = other["file"].as_str().unwrap();
        let line = case.line(file, other["line"].as_u64().unwrap() as usize);
        format!("shown beside it: `{}`", short(&line, 60))
    }));
    let out: Vec<String> = out.iter().map(|words| short(words, 200)).collect();
    let of = if of.is_empty() { String::new() } else { format!("`{}`", short(&of, 70)) };
    let cells = [of, text("message"), out.join("<br>")];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "))
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_string(),
    }
}
