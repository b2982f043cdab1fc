//! Where something was written: files, and `--set` arguments treated as files of one line.

use std::ops::Range;
use std::path::PathBuf;

/// A text that a spec was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// What diagnostics call it: a path, or `--set`.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
}

/// A place in a source, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Index into [`Sources`].
    pub source: usize,
    /// The bytes.
    pub range: Range<usize>,
}

/// All texts of one spec, in the order they were read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources(pub Vec<Source>);

impl Sources {
    /// Adds a text and says its index.
    pub fn add(&mut self, source: Source) -> usize {
        self.0.push(source);
        self.0.len() - 1
    }

    /// The source a span points into.
    pub fn of(&self, span: &Span) -> &Source {
        &self.0[span.source]
    }

    /// Line and column of a span's start, both from 1; columns count characters.
    pub fn line_column(&self, span: &Span) -> (usize, usize) {
        let text = &self.of(span).text;
        let mut start = span.range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}
