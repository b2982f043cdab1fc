//! Diagnostics for programs: lines and columns in place of bytes.

use super::check::Findings;
use super::diagnostic::{Severity, in_order};
use super::source::{Sources, Span};
use serde::Serialize;

/// A diagnostic as an editor takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The key at fault, as a dotted path.
    pub key: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong, in one sentence.
    pub message: String,
    /// A few words on the place itself: the nearest name, mostly.
    pub label: String,
    /// What would be accepted, where the key belongs.
    pub help: Vec<String>,
    /// Other places that matter.
    pub related: Vec<Related>,
}

/// Another place that matters, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Why it matters.
    pub label: String,
}

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The text: a path, or `--set`.
    pub file: String,
    /// The line it starts on, from 1.
    pub line: usize,
    /// The column it starts at, from 1, in characters.
    pub column: usize,
    /// The first position after it.
    pub end: Position,
}

/// A position in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
}

/// All diagnostics of a spec, in the order of their places.
pub fn placed(findings: &Findings) -> Vec<Placed> {
    let sources = &findings.sources;
    let related =
        |(span, label): &(Span, String)| Related { place: place(span, sources), label: label.clone() };
    let of = |d: &super::Diagnostic| Placed {
        place: place(&d.span, sources),
        key: d.key.clone(),
        severity: match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: d.message.clone(),
        label: d.label.clone(),
        help: d.help.clone(),
        related: d.related.iter().map(related).collect(),
    };
    in_order(&findings.diagnostics).into_iter().map(of).collect()
}

/// What is wrong with a file as a whole.
pub fn whole_file(file: String, message: String, help: Vec<String>) -> Placed {
    let place = Place { file, line: 1, column: 1, end: Position { line: 1, column: 1 } };
    let (key, label, related) = (String::new(), String::new(), Vec::new());
    Placed { place, key, severity: "error", message, label, help, related }
}

fn place(span: &Span, sources: &Sources) -> Place {
    let (line, column) = sources.line_column(span);
    let end = Span { source: span.source, range: span.range.end..span.range.end };
    let (end_line, end_column) = sources.line_column(&end);
    let end = Position { line: end_line, column: end_column };
    Place { file: sources.of(span).name.clone(), line, column, end }
}
