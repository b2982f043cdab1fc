//! `[sweep]`: a grid over any keys, which makes one spec many.

use super::Spec;
use super::check::Findings;
use super::diagnostic::Diagnostic;
use super::overrides;
use super::schema::{Default, Key, Type};
use super::source::{Sources, Span};
use super::tree::{Entry, Node, Tree, Value};
use std::cmp::Ordering;

/// The key that is no longer there once a spec is read.
pub const SWEEP: Key = Key {
    name: "sweep",
    ty: Type::Table(&[]),
    default: Default::Computed("one run"),
    doc: "a grid: lists of values for any keys, each combination a run",
};

/// A key and the values it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The dotted key.
    pub key: String,
    /// Its parts, each where it stands.
    parts: Vec<(String, Span)>,
    /// The values, and how each is called in the name of a run.
    values: Vec<(Node, String)>,
}

/// One combination of a sweep.
#[derive(Debug, Clone)]
pub struct Member {
    /// `key=value,key=value`, fit for a folder and unique in the sweep.
    pub label: String,
    /// Where the values stand, one a key.
    pub values: Vec<Span>,
    /// The spec with these values in their places, and no sweep.
    pub spec: Spec,
}

/// Larger grids are a slip of the pen.
const MOST: usize = 10_000;
/// Longer labels do not fit a file system.
const LONGEST: usize = 120;

/// Takes the sweep out of a tree; what is wrong with it is reported.
pub(super) fn take(root: &mut Tree, findings: &mut Findings) -> Vec<Axis> {
    let Some(at) = root.entries.iter().position(|e| e.key == SWEEP.name) else { return Vec::new() };
    let entry = root.entries.remove(at);
    let mut taker = Taker { root, findings, axes: Vec::new() };
    match &entry.node.value {
        Value::Table(tree) if !tree.entries.is_empty() => taker.walk(tree, &[]),
        Value::Unreadable => {}
        other => {
            let span = if matches!(other, Value::Table(_)) { &entry.key_span } else { &entry.node.span };
            let found = if let Value::Table(_) = other { "an empty one".into() } else { other.describe() };
            let message = format!("`sweep` must be a table of keys and lists, found {found}");
            taker.wrong("sweep", span, message, "for example `sweep = { seed = [0, 1, 2] }`");
        }
    }
    let axes = taker.axes;
    let count = axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.values.len()));
    if count.is_none_or(|n| n > MOST) {
        let message = format!("this sweep is a grid of more than {MOST} runs");
        let diagnostic = Diagnostic::error("sweep", entry.key_span, message);
        findings.diagnostics.push(diagnostic.help("every list multiplies the others: shorten some"));
        return Vec::new();
    }
    axes
}

struct Taker<'a> {
    root: &'a Tree,
    findings: &'a mut Findings,
    axes: Vec<Axis>,
}

impl Taker<'_> {
    fn wrong(&mut self, key: &str, span: &Span, message: String, help: impl Into<String>) {
        self.findings.diagnostics.push(Diagnostic::error(key, span.clone(), message).help(help));
    }

    /// Keys may be dotted, quoted or not, or stand in tables of their own.
    fn walk(&mut self, tree: &Tree, above: &[(String, Span)]) {
        for entry in &tree.entries {
            let mut parts = above.to_vec();
            parts.extend(entry.key.split('.').map(|part| (part.trim().to_string(), entry.key_span.clone())));
            match &entry.node.value {
                Value::Table(inner) => self.walk(inner, &parts),
                _ => self.axis(entry, parts),
            }
        }
    }

    fn axis(&mut self, entry: &Entry, parts: Vec<(String, Span)>) {
        let key = parts.iter().map(|(part, _)| part.as_str()).collect::<Vec<_>>().join(".");
        let path = format!("sweep.{key}");
        let node = &entry.node;
        let items = match &node.value {
            Value::List(items) if items.len() > MOST => {
                let message =
                    format!("`{key}` has {} values, and a sweep is of at most {MOST} runs", items.len());
                return self.wrong(&path, &node.span, message, "list fewer");
            }
            Value::List(items) if !items.is_empty() => items,
            Value::List(_) => {
                let message = format!("`{key}` has no values to sweep over");
                return self.wrong(&path, &node.span, message, "list some, or take the key out of the sweep");
            }
            Value::Unreadable => return,
            other => {
                let message = format!("`{key}` must be a list of values, found {}", other.describe());
                let written = self.findings.sources.of(&node.span).text.get(node.span.range.clone());
                let help = format!("a sweep takes lists: `{key} = [{}]`", written.unwrap_or("…"));
                return self.wrong(&path, &node.span, message, help);
            }
        };
        let span = entry.key_span.clone();
        if parts.iter().any(|(part, _)| part.is_empty()) {
            let help = "keys are joined by single dots: `\"training.optimizer.lr\" = [3e-3, 1e-2]`";
            return self.wrong(&path, &span, format!("`{key}` has an empty part"), help);
        }
        if ["name", "extends", "sweep"].contains(&parts[0].0.as_str()) {
            let help = "runs are named by the values they have; any other key can be swept over";
            return self.wrong(&path, &span, format!("`{}` cannot be swept over", parts[0].0), help);
        }
        let names = || parts.iter().map(|(part, _)| part.as_str());
        let overlaps = |axis: &&Axis| names().zip(&axis.parts).all(|(part, (other, _))| part == other);
        if let Some(other) = self.axes.iter().find(overlaps) {
            let first = other.parts.last().map(|(_, span)| span.clone());
            let message = match parts.len().cmp(&other.parts.len()) {
                Ordering::Equal => format!("`{key}` is swept over twice"),
                Ordering::Less => format!("`{key}` is swept over, and so is `{}` in it", other.key),
                Ordering::Greater => format!("`{key}` is swept over, and so is all of `{}`", other.key),
            };
            let diagnostic = Diagnostic::error(&path, span, message);
            let diagnostic = diagnostic.related(first, "the first list").help("keep one of them");
            return self.findings.diagnostics.push(diagnostic);
        }
        let set = names().try_fold(Place::Tree(self.root), Place::below).and_then(|place| match place {
            Place::Node(node) => set_in(node, &self.findings.sources),
            Place::Tree(_) => None,
        });
        if let Some(set) = set {
            let message = format!("`{key}` is swept over: the values of the sweep would replace this one");
            let diagnostic = Diagnostic::error(&key, set, message).related(Some(span), "the sweep");
            let help = format!("`--set 'sweep.{key}=[…]'` chooses the values of the sweep, one or more");
            return self.findings.diagnostics.push(diagnostic.help(help));
        }
        for (i, item) in items.iter().enumerate() {
            if let Some(first) = items[..i].iter().find(|other| other.value == item.value) {
                let message = format!("`{key}` has {} twice", item.value.describe());
                let diagnostic = Diagnostic::error(&path, item.span.clone(), message);
                let diagnostic = diagnostic.related(Some(first.span.clone()), "the first time");
                self.findings.diagnostics.push(diagnostic.help("two runs would be the same: keep one"));
                return;
            }
        }
        let mut values: Vec<(Node, String)> = Vec::new();
        for item in items {
            let written = self.findings.sources.of(&item.span).text.get(item.span.range.clone());
            let label = label(written.unwrap_or_default());
            let taken = |label: &str| values.iter().any(|(_, other)| other == label);
            let mut numbered = (2..).map(|n| format!("{label}-{n}"));
            let label = if taken(&label) { numbered.find(|l| !taken(l)).unwrap_or(label) } else { label };
            values.push((item.clone(), label));
        }
        self.axes.push(Axis { key, parts, values });
    }
}

/// Somewhere in a spec.
#[derive(Clone, Copy)]
enum Place<'a> {
    Tree(&'a Tree),
    Node(&'a Node),
}

impl<'a> Place<'a> {
    fn below(self, part: &str) -> Option<Self> {
        let tree = match self {
            Place::Tree(tree) => tree,
            Place::Node(Node { value: Value::Table(tree), .. }) => tree,
            Place::Node(Node { value: Value::List(items), .. }) => {
                return Some(Place::Node(items.get(part.parse::<usize>().ok()?)?));
            }
            Place::Node(_) => return None,
        };
        Some(Place::Node(&tree.get(part)?.node))
    }
}

/// Where `--set` gave a value, or a part of it.
fn set_in(node: &Node, sources: &Sources) -> Option<Span> {
    match &node.value {
        _ if sources.of(&node.span).name == "--set" => Some(node.span.clone()),
        Value::Table(tree) => tree.entries.iter().find_map(|entry| set_in(&entry.node, sources)),
        Value::List(items) => items.iter().find_map(|item| set_in(item, sources)),
        _ => None,
    }
}

/// A value as part of a folder's name.
fn label(written: &str) -> String {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let mut label = String::new();
    for c in written.chars() {
        match c {
            c if fine(c) => label.push(c),
            '"' | '\'' => {}
            _ if label.ends_with('-') || label.is_empty() => {}
            _ => label.push('-'),
        }
    }
    label.truncate(40);
    let label = label.trim_end_matches('-');
    if label.is_empty() { "empty".into() } else { label.into() }
}

impl Spec {
    /// The members of its sweep, the last key turning fastest; none if it has no sweep.
    pub fn members(&self) -> Vec<Member> {
        if self.sweep.is_empty() {
            return Vec::new();
        }
        let count: usize = self.sweep.iter().map(|axis| axis.values.len()).product();
        (0..count).map(|i| self.member(i)).collect()
    }

    fn member(&self, index: usize) -> Member {
        let mut picks = Vec::new();
        let mut rest = index;
        for axis in self.sweep.iter().rev() {
            picks.push((axis, &axis.values[rest % axis.values.len()]));
            rest /= axis.values.len();
        }
        picks.reverse();
        let mut spec = Spec { root: self.root.clone(), findings: self.findings.clone(), sweep: Vec::new() };
        let (mut labels, mut values) = (Vec::new(), Vec::new());
        for (axis, (node, label)) in picks {
            self.replace(axis, &mut spec.root);
            values.push(node.span.clone());
            let parts: Vec<(&str, Span)> = axis.parts.iter().map(|(p, s)| (p.as_str(), s.clone())).collect();
            overrides::lay(&mut spec.root, &parts, node.clone(), &mut spec.findings);
            let key: String = axis.key.chars().map(|c| if "._-".contains(c) { c } else { safe(c) }).collect();
            labels.push(format!("{key}={label}"));
        }
        let mut label = labels.join(",");
        if label.len() > LONGEST {
            label.truncate(LONGEST - 8);
            label = format!("{label},{index}");
        }
        Member { label, values, spec }
    }

    /// Takes out what a swept key stands for instead: a length in steps is none in tokens. What `--set` says, and
    /// what is swept over too, stays to be judged with the rest.
    fn replace(&self, axis: &Axis, root: &mut Tree) {
        let other = match axis.key.as_str() {
            "training.steps" => "tokens",
            "training.tokens" => "steps",
            _ => return,
        };
        let swept = self.sweep.iter().any(|axis| axis.key == format!("training.{other}"));
        let Some(Value::Table(training)) = root.get_mut("training").map(|e| &mut e.node.value) else {
            return;
        };
        let sources = &self.findings.sources;
        training.entries.retain(|e| e.key != other || swept || set_in(&e.node, sources).is_some());
    }
}

fn safe(c: char) -> char {
    if c.is_ascii_alphanumeric() { c } else { '-' }
}
