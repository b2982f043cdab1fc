//! Reports: a run's record as Markdown with figures, through a template that places and never
//! computes.
//!
//! Everything a template can name is prepared in [`context`], as words that are already safe in
//! Markdown: a template cannot forget to escape. Two identical runs give the same bytes, but for
//! the lines about time, which the built-in template puts last.

use crate::figures;
use crate::record::Record;
use std::path::PathBuf;

mod beneath;
pub mod context;
pub mod escape;
mod facts;
mod heads;
mod html;
mod template;
mod verdict;
mod write;

pub use facts::blocks;
pub use template::{BUILT_IN, Template};
pub use verdict::unfinished;
pub use write::{Written, write};

/// A finished report, not yet on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// `report.md`.
    pub markdown: String,
    /// `(file name, SVG)`, to lie in `figures/` beside it.
    pub figures: Vec<(String, String)>,
    /// Figures that could not be drawn, and why; the report says so too.
    pub warnings: Vec<String>,
    /// `report.html`: the same in one page, where it is wanted.
    pub html: Option<String>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Neither a built-in name nor a file.
    #[error("no template `{word}`: {reason}\n  built in: {}", template::names().join(", "))]
    NoTemplate {
        /// What was asked for.
        word: String,
        /// Why the file could not be read.
        reason: String,
    },
    /// The template has a mistake.
    #[error("{name}:{line}: {message}\n  the variables that exist: {}", context::names().join(", "))]
    Template {
        /// The template's name or path.
        name: String,
        /// The line of the mistake, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A file could not be written.
    #[error("{path}: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
}

/// The report of a run: its figures, and its words where the template puts them.
pub fn render(record: &Record, template: &Template) -> Result<Rendered, ReportError> {
    let drawn = figures::draw_all(record);
    let context = context::Context::of(record, &drawn);
    let markdown = template.render(&context)?;
    let warning = |(kind, error): &(&str, _)| format!("no figure `{kind}`: {error}");
    let warnings = drawn.failures.iter().map(warning).collect();
    let file = |figure: figures::Figure| (context::file_name(&figure), figure.svg);
    let figures = drawn.figures.into_iter().map(file).collect();
    Ok(Rendered { markdown, figures, warnings, html: None })
}

impl Rendered {
    /// Adds the report of that run as one self-contained page.
    pub fn with_html(mut self, record: &Record) -> Self {
        self.html = Some(html::page(record, &self.markdown, &self.figures));
        self
    }
}

/// The names of the built-in templates.
pub fn template_names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}
