//! What is wrong with a spec, said so that it can be mended: what, where, what is allowed.

use super::source::{Sources, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// One mistake, or one thing to beware of.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Mistakes stop the program, warnings do not.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The key at fault, as a dotted path.
    pub key: String,
    /// Where it stands.
    pub span: Span,
    /// Whether what is wrong is that the key is not there: its place is that of its table.
    pub absent: bool,
    /// A few words beside the caret.
    pub label: String,
    /// Other places that matter, each with a few words.
    pub related: Vec<(Span, String)>,
    /// What would be accepted, the nearest name, where the key belongs.
    pub help: Vec<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The spec cannot be run.
    Error,
    /// It can, but beware.
    Warning,
}

impl Diagnostic {
    /// A mistake at a place.
    pub fn error(key: &str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            key: key.to_string(),
            span,
            absent: false,
            label: String::new(),
            related: Vec::new(),
            help: Vec::new(),
        }
    }

    /// What is wrong is that the key is not there.
    pub fn absent(mut self) -> Self {
        self.absent = true;
        self
    }

    /// Words beside the caret.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a line of help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Shows another place that matters, if it stands anywhere.
    pub fn related(mut self, span: Option<Span>, label: impl Into<String>) -> Self {
        self.related.extend(span.map(|span| (span, label.into())));
        self
    }
}

/// More than anyone reads: a file that is no spec at all can have thousands.
const MOST_SHOWN: usize = 50;

/// Renders diagnostics in the order of their places, `file:line:column` and caret included.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let ordered = in_order(diagnostics);
    let shown = ordered.iter().take(MOST_SHOWN);
    let mut blocks: Vec<String> = shown.map(|d| render_one(d, sources, &renderer)).collect();
    if ordered.len() > MOST_SHOWN {
        blocks.push(format!("… and {} more", ordered.len() - MOST_SHOWN));
    }
    blocks.join("\n\n")
}

/// Diagnostics in the order of their places; what is missing comes last, for it may be missing because
/// of something else.
pub fn in_order(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut ordered: Vec<&Diagnostic> = diagnostics.iter().collect();
    ordered.sort_by_key(|d| (d.absent, d.span.source, d.span.range.start));
    ordered
}

fn render_one(d: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mark = |span: &Span, label: &str, kind: AnnotationKind| {
        let end = sources.of(span).text.len();
        let mark = kind.span(span.range.start.min(end)..span.range.end.min(end));
        if label.is_empty() { mark } else { mark.label(label.to_string()) }
    };
    let snippet = |span: &Span| {
        let source = sources.of(span);
        Snippet::source(source.text.clone()).path(source.name.clone())
    };
    // Places in one file are shown together.
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        d.related.iter().partition(|(span, _)| span.source == d.span.source);
    let context = |(span, label): &(Span, String)| mark(span, label, AnnotationKind::Context);
    let mut group = Group::with_title(level.primary_title(d.message.clone())).element(
        snippet(&d.span)
            .annotation(mark(&d.span, &d.label, AnnotationKind::Primary))
            .annotations(here.into_iter().map(context)),
    );
    for place in elsewhere {
        group = group.element(snippet(&place.0).annotation(context(place)));
    }
    for help in &d.help {
        group = group.element(Level::HELP.message(help.clone()));
    }
    renderer.render(&[group]).to_string()
}
