//! What a kind sees when it checks itself: its own resolved table, the facts of the rest of the
//! spec, and a way to report by key rather than by place.

use super::diagnostic::{Diagnostic, Severity};
use super::source::{Sources, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Where keys and values were written, by dotted path (`architecture.blocks.1.n_heads`).
#[derive(Debug, Clone, Default)]
pub struct Places(BTreeMap<String, (Span, Span)>);

impl Places {
    /// Notes where a key and its value stand.
    pub fn put(&mut self, path: &str, key: Span, value: Span) {
        self.0.insert(path.to_string(), (key, value));
    }

    /// What was written for one key stands for another.
    pub fn same(&mut self, path: &str, other: &str) {
        if let Some(place) = self.0.get(path).cloned() {
            self.0.insert(other.to_string(), place);
        }
    }

    /// Whether what is written for one key was laid over what is written for another: it stands in a
    /// spec that extends the other's, or on the command line.
    pub fn over(&self, path: &str, other: &str, sources: &Sources) -> bool {
        let layer = |path: &str| {
            let span = self.value(path)?;
            let source = span.source as i64;
            // A spec is read before what it extends, and `--set` after all of them.
            Some(if sources.of(span).name == "--set" { source } else { -source })
        };
        matches!((layer(path), layer(other)), (Some(here), Some(there)) if here > there)
    }

    /// Where a value was written, if it was.
    pub fn value(&self, path: &str) -> Option<&Span> {
        self.0.get(path).map(|(_, value)| value)
    }

    /// The value's place, or that of the nearest table around it that was written.
    pub fn nearest(&self, path: &str) -> Span {
        let mut path = path;
        loop {
            match (self.0.get(path), path.rfind('.')) {
                (Some((key, value)), _) if value.range.is_empty() => return key.clone(),
                (Some((_, value)), _) => return value.clone(),
                (None, Some(dot)) => path = &path[..dot],
                (None, None) => return Span { source: 0, range: 0..0 },
            }
        }
    }

    /// The origin of a value in words: `default`, `specs/a.toml:3`, `--set`.
    pub fn origin(&self, path: &str, sources: &Sources) -> String {
        match self.value(path) {
            None => "default".into(),
            Some(span) if sources.of(span).name == "--set" => "--set".into(),
            Some(span) => format!("{}:{}", sources.of(span).name, sources.line_column(span).0),
        }
    }
}

/// What has been found out about a spec so far: mistakes, and where things stand.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Mistakes and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Where things stand.
    pub places: Places,
    /// The texts.
    pub sources: Sources,
    /// Whether a part could not be read at all: what is not there may stand in it.
    pub incomplete: bool,
    /// Keys that were written where they do not belong, and so may be missing where they do.
    pub misplaced: BTreeSet<String>,
    /// Whether data may be on another machine: what is not here is then warned of.
    pub elsewhere: bool,
    /// Keys whose data is not here.
    pub not_here: BTreeSet<String>,
}

impl Findings {
    /// Whether any of them stops the program.
    pub fn failed(&self) -> bool {
        self.errors_under("") > 0
    }

    /// Whether a key that is not there is missing, as far as can be known.
    pub fn lacks(&self, key: &str) -> bool {
        !self.incomplete && !self.misplaced.contains(key)
    }

    /// How many mistakes were reported at a path or below it.
    pub fn errors_under(&self, path: &str) -> usize {
        let below = |key: &str| match key.strip_prefix(path) {
            Some(rest) => path.is_empty() || rest.is_empty() || rest.starts_with('.'),
            None => false,
        };
        let is_error = |d: &&Diagnostic| d.severity == Severity::Error && below(&d.key);
        self.diagnostics.iter().filter(is_error).count()
    }

    /// Reports a mistake in the value at a path.
    pub fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let span = self.places.nearest(path);
        self.diagnostics.push(Diagnostic::error(path, span, message).help(help));
    }

    /// Reports that what the value at a path names is not on this machine: a mistake, unless a plan is
    /// all that is wanted.
    pub fn not_here(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.error(path, message, help);
        self.not_here.insert(path.to_string());
        if let Some(last) = self.diagnostics.last_mut().filter(|_| self.elsewhere) {
            last.severity = Severity::Warning;
        }
    }

    /// Reports that what the value at a path names is not on this machine, and is brought when it is needed.
    pub fn not_yet(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.not_here(path, message, help);
        if let Some(last) = self.diagnostics.last_mut() {
            last.severity = Severity::Warning;
        }
    }

    /// Reports that a key is missing.
    pub fn missing(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let span = self.places.nearest(path);
        self.diagnostics.push(Diagnostic::error(path, span, message).absent().help(help));
    }

    /// Reports a mistake between two values, showing both.
    pub fn clash(
        &mut self,
        path: &str,
        message: impl Into<String>,
        (other, label): (&str, &str),
        help: impl Into<String>,
    ) {
        let span = self.places.nearest(path);
        let other = self.places.value(other).cloned();
        let diagnostic = Diagnostic::error(path, span, message).related(other, label);
        self.diagnostics.push(diagnostic.help(help));
    }
}

/// What the kinds of a spec may need to know of the rest of it; `None`, or no blocks, where it
/// could not be read.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Width of the residual stream.
    pub d_model: Option<usize>,
    /// Positions in a sequence.
    pub n_ctx: Option<usize>,
    /// The architecture's positional scheme.
    pub positions: Option<String>,
    /// The blocks, in order.
    pub blocks: Vec<BlockFacts>,
    /// Size of the vocabulary.
    pub d_vocab: Option<usize>,
    /// Whether there is a tokenizer that reads text.
    pub tokenizes_text: Option<bool>,
    /// Whether the tokenizer is learned from the dataset's text.
    pub learns_tokenizer: Option<bool>,
    /// Whether the dataset is text.
    pub reads_text: Option<bool>,
    /// Whether the dataset has passages of its own to repeat.
    pub has_passages: Option<bool>,
    /// The dataset's table, once it has been checked.
    pub dataset: Option<toml::Table>,
    /// Optimizer steps.
    pub steps: Option<u64>,
}

/// What is known of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// The layer it belongs to.
    pub layer: usize,
    /// How many attention heads it has; 0 for blocks without.
    pub n_heads: usize,
    /// Whether it mixes neighbouring positions by a kernel.
    pub kernel: bool,
    /// Whether its heads smear their keys.
    pub smeared: bool,
}

/// A kind's check at work. A key that is missing from the table was written wrong, which is
/// reported already: whatever depends on it is not checked.
#[derive(Debug)]
pub struct Checking<'a> {
    /// The kind's table, every key with a type and a default resolved. Computed ones go in here.
    pub config: &'a mut toml::Table,
    /// The rest of the spec.
    pub facts: &'a Facts,
    /// Where the table stands, as a dotted path.
    pub path: String,
    /// Where mistakes go.
    pub findings: &'a mut Findings,
}

impl Checking<'_> {
    /// A whole number of this table.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.config.get(key)?.as_integer()
    }

    /// A text of this table.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key)?.as_str()
    }

    /// A flag of this table.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.config.get(key)?.as_bool()
    }

    /// A list of whole numbers of this table.
    pub fn integers(&self, key: &str) -> Option<Vec<i64>> {
        let list = self.config.get(key)?.as_array()?;
        list.iter().map(toml::Value::as_integer).collect()
    }

    /// Whether a key was written in the spec, rather than defaulted.
    pub fn written(&self, key: &str) -> bool {
        self.findings.places.value(&self.key(key)).is_some()
    }

    /// Fills in a computed default: nothing happens if the key was written, even if it is wrong.
    pub fn default(&mut self, key: &str, value: impl Into<toml::Value>) {
        if !self.config.contains_key(key) && !self.written(key) {
            self.config.insert(key.to_string(), value.into());
        }
    }

    /// Reports a mistake in one of the table's values.
    pub fn error(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let path = self.key(key);
        self.findings.error(&path, message, help);
    }

    /// Reports that what one of the table's values names is not on this machine.
    pub fn not_here(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let path = self.key(key);
        self.findings.not_here(&path, message, help);
    }

    /// Reports that what one of the table's values names is not on this machine, and is brought when it is needed.
    pub fn not_yet(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let path = self.key(key);
        self.findings.not_yet(&path, message, help);
    }

    /// Reports a mistake between one of the table's values and another (a whole dotted path).
    pub fn clash(
        &mut self,
        key: &str,
        message: impl Into<String>,
        other: (&str, &str),
        help: impl Into<String>,
    ) {
        let path = self.key(key);
        self.findings.clash(&path, message, other, help);
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }
}

/// The check of a kind that has nothing to check.
pub fn nothing(_: &mut Checking<'_>) {}
