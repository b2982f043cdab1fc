//! One report over many runs: what differs, what came of it, how it came. Only files are read.

mod curves;
mod evidence;
mod factors;
mod groups;
mod measures;
mod one_change;
mod page;
mod reading;
mod words;

use crate::figures::Figure;
use crate::record::Record;
use crate::report::{Rendered, context::file_name};

/// A run among others.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it is called, unique among them.
    pub label: String,
    /// All there is to know of it.
    pub record: Record,
    /// Its plan as it is printed, with the origins of the values.
    pub plan: String,
    /// Where its own report lies, from the comparison's folder, if it is there.
    pub report: Option<String>,
}

/// The comparison of runs: runs that differ only in their seed are one group, with a spread.
pub fn compare(title: &str, runs: &[Run]) -> Rendered {
    let (groups, factors) = groups::groups(title, runs);
    let mut figures: Vec<Figure> = Vec::new();
    let mut warnings = Vec::new();
    for drawn in curves::draw_all(&groups, &factors) {
        match drawn {
            Ok(figure) => figures.extend(figure),
            Err(error) => warnings.push(error.to_string()),
        }
    }
    let markdown = page::page(title, runs, &groups, &factors, &figures);
    let figures = figures.into_iter().map(|figure| (file_name(&figure), figure.svg)).collect();
    Rendered { markdown, figures, warnings, html: None }
}
