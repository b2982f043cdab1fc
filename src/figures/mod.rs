//! Figures: SVG from the tables of a run, and from nothing else.
//!
//! A kind of figure is one file and one line in [`KINDS`]. It reads the analyses it knows, draws
//! as many figures as they hold, and none where there is nothing to see. The same record gives the
//! same bytes.

use crate::record::Record;

pub mod axis;
pub mod canvas;
pub mod chart;
pub mod colour;
pub mod heat;
pub mod labels;
pub mod plot;
pub mod tables;
pub mod text;

pub mod ablation;
pub mod attention_map;
pub mod bayes_bigram;
pub mod composition;
pub mod conv_weights;
pub mod copying;
pub mod copying_prefix_matching;
pub mod duplicate_token;
pub mod heads;
pub mod in_context_learning;
pub mod loss;
pub mod loss_by_position;
pub mod loss_pca;
pub mod ngram_baseline;
mod last_occurrence;
pub mod offset_profile;
pub mod per_token_loss;
pub mod phase_change;
pub mod ov_eigenvalues;
pub mod prefix_matching;
pub mod prefix_matching_map;
pub mod previous_token;
pub mod repeated_loss;
pub mod smear;
pub mod stream_composition;

/// Every kind of figure, in the order of a report.
pub static KINDS: &[FigureKind] = &[
    loss::KIND,
    prefix_matching::KIND,
    prefix_matching_map::KIND,
    offset_profile::KIND,
    previous_token::KIND,
    duplicate_token::KIND,
    copying::KIND,
    copying_prefix_matching::KIND,
    ov_eigenvalues::KIND,
    composition::KIND,
    repeated_loss::KIND,
    ablation::KIND,
    in_context_learning::KIND,
    loss_by_position::KIND,
    phase_change::KIND,
    conv_weights::KIND,
    smear::KIND,
    attention_map::KIND,
    per_token_loss::KIND,
    loss_pca::KIND,
    ngram_baseline::KIND,
    last_occurrence::KIND,
    stream_composition::KIND,
    bayes_bigram::KIND,
];

/// A kind of figure: what it shows and how it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct FigureKind {
    /// Its name, in the field's words.
    pub name: &'static str,
    /// What it shows and how to read it.
    pub reading: &'static str,
    /// What makes it in a spec.
    pub example: &'static str,
    /// Draws the figures of this kind that a run has data for.
    pub draw: fn(&Record) -> Result<Vec<Figure>, FigureError>,
}

/// A drawn figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Unique within a run and fit for the name of a file.
    pub name: String,
    /// What it is.
    pub title: String,
    /// How to read it, in plain words.
    pub reading: String,
    /// The drawing.
    pub svg: String,
}

/// Why a figure could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// The file was written by something else, or by another version.
    #[error("the table `{table}` has no column `{column}`")]
    NoColumn {
        /// The table's name.
        table: String,
        /// The missing column.
        column: String,
    },
    /// The drawing itself failed.
    #[error("the figure cannot be drawn: {0}")]
    Drawing(String),
}

impl FigureError {
    pub(crate) fn drawing(error: impl std::fmt::Display) -> Self {
        FigureError::Drawing(error.to_string())
    }
}

/// What became of all the figures of a run.
#[derive(Debug)]
pub struct Drawn {
    /// The figures, in the order of [`KINDS`].
    pub figures: Vec<Figure>,
    /// The kinds that failed, and why.
    pub failures: Vec<(&'static str, FigureError)>,
}

/// Draws everything a run has data for. One broken table costs one kind of figure.
pub fn draw_all(record: &Record) -> Drawn {
    let (mut figures, mut failures) = (Vec::<Figure>::new(), Vec::new());
    for kind in KINDS {
        match (kind.draw)(record) {
            Ok(drawn) => figures.extend(drawn),
            Err(error) => failures.push((kind.name, error)),
        }
    }
    for i in 1..figures.len() {
        let name = figures[i].name.clone();
        let taken = |name: &str| figures[..i].iter().any(|f| f.name == name);
        let mut numbered = (2..).map(|n| format!("{name}-{n}"));
        if taken(&name) {
            figures[i].name = numbered.find(|name| !taken(name)).unwrap_or(name);
        }
    }
    Drawn { figures, failures }
}

/// A name that is a harmless file name: letters, digits, `.`, `_` and `-`.
pub fn file_stem(name: &str) -> String {
    let fit = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }
    };
    let stem: String = name.chars().take(80).map(fit).collect();
    let stem = stem.trim_start_matches(['.', '-']);
    if stem.is_empty() { "figure".into() } else { stem.into() }
}
