//! `--set a.b.1.c=value`: values laid over the tree from the command line.

use super::check::Findings;
use super::diagnostic::Diagnostic;
use super::extends::EXTENDS;
use super::source::{Source, Span};
use super::tree::{Entry, Node, Tree, Value, node_from_toml};
use toml::de::DeValue;

/// Lays one `path=value` over the tree; what is wrong with it is reported with `--set` as the file.
pub fn apply(set: &str, root: &mut Tree, findings: &mut Findings) {
    let source = findings.sources.add(Source {
        name: "--set".into(),
        text: set.to_string(),
        folder: std::path::PathBuf::new(),
    });
    let mut wrong = |message: &str, help: &str| {
        let whole = Span { source, range: 0..set.len() };
        findings.diagnostics.push(Diagnostic::error("", whole, message).help(help));
    };
    let Some((path, value)) = set.split_once('=') else {
        return wrong("`--set` takes `key=value`", "for example `--set training.batch_size=16`");
    };
    let mut start = 0;
    let mut segments: Vec<(&str, Span)> = Vec::new();
    let mut quote = None;
    let between = |c: char| {
        match quote {
            Some(open) if c == open => quote = None,
            None if ['"', '\''].contains(&c) => quote = Some(c),
            _ => {}
        }
        quote.is_none() && c == '.'
    };
    for segment in path.split(between) {
        let indent = segment.len() - segment.trim_start().len();
        let name = segment.trim();
        let range = start + indent..start + indent + name.len();
        let bare = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
        segments.push((bare('"').or_else(|| bare('\'')).unwrap_or(name), Span { source, range }));
        start += segment.len() + 1;
    }
    let help = "keys are joined by single dots: `--set architecture.blocks.1.n_heads=8`";
    if segments.iter().any(|(name, _)| name.is_empty()) {
        return wrong("`--set` has an empty key", help);
    }
    if segments.len() > DEEPEST {
        return wrong("no key is as deep as this", help);
    }
    if segments[0].0 == EXTENDS.name {
        return wrong("`extends` cannot be set", "write it at the top of a spec file");
    }
    lay(root, &segments, value_node(value, path.len() + 1, source), findings);
}

/// Lays a value over the tree at a path.
pub(super) fn lay(root: &mut Tree, path: &[(&str, Span)], node: Node, findings: &mut Findings) {
    let whole = Span { source: node.span.source, range: 0..0 };
    let mut top = Node { value: Value::Table(std::mem::take(root)), span: whole, raw: None };
    if let Err(diagnostic) = put(&mut top, path, 0, node) {
        findings.diagnostics.push(*diagnostic);
    }
    if let Value::Table(tree) = top.value {
        *root = tree;
    }
}

/// Keys of the language are not as deep as this.
const DEEPEST: usize = 16;

/// The value as TOML, or as a bare word where it is not TOML.
fn value_node(text: &str, offset: usize, source: usize) -> Node {
    let trimmed = text.trim();
    let start = offset + (text.len() - text.trim_start().len());
    let span = Span { source, range: start..start + trimmed.len() };
    let mut node = match DeValue::parse(trimmed) {
        Ok(value) => {
            let mut node = node_from_toml(&value, source);
            shift(&mut node, start);
            node
        }
        Err(_) => Node { value: Value::Text(trimmed.to_string()), span: span.clone(), raw: None },
    };
    node.span = span;
    node.raw = Some(trimmed.to_string());
    node
}

/// The value was parsed by itself: its places move to where it stands in the argument.
fn shift(node: &mut Node, by: usize) {
    let mv = |span: &mut Span| span.range = span.range.start + by..span.range.end + by;
    mv(&mut node.span);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Table(tree) => {
            for entry in &mut tree.entries {
                mv(&mut entry.key_span);
                shift(&mut entry.node, by);
            }
        }
        _ => {}
    }
}

/// Lays a node over what stands at a path from `depth` on, below `into`.
fn put(into: &mut Node, path: &[(&str, Span)], depth: usize, node: Node) -> Result<(), Box<Diagnostic>> {
    let Some((key, span)) = path.get(depth) else {
        into.lay(node);
        return Ok(());
    };
    let names: Vec<&str> = path[..depth].iter().map(|(name, _)| *name).collect();
    let name = names.join(".");
    let (message, help) = match &mut into.value {
        Value::Table(tree) => match tree.get_mut(key) {
            Some(entry) if depth + 1 < path.len() => return put(&mut entry.node, path, depth + 1, node),
            _ => {
                into.lay(nested(&path[depth..], node));
                return Ok(());
            }
        },
        Value::List(items) => {
            let length = items.len();
            if let Some(item) = key.parse::<usize>().ok().and_then(|i| items.get_mut(i)) {
                return put(item, path, depth + 1, node);
            }
            let message = format!("`{name}` is a list of {length}: there is no item `{key}`");
            let last = length.saturating_sub(1);
            (
                message,
                format!("items count from 0 to {last}; a value for `{name}` itself replaces the whole list"),
            )
        }
        Value::Unreadable => return Ok(()),
        other => {
            let message = format!("`{name}` is {}: it has no key `{key}`", other.describe());
            (message, "keys are joined by dots from the top: `--set training.batch_size=16`".into())
        }
    };
    Err(Box::new(Diagnostic::error(&name, span.clone(), message).help(help)))
}

/// The node in a table in a table …, as the path says.
fn nested(path: &[(&str, Span)], node: Node) -> Node {
    path.iter().rev().fold(node, |node, (key, span)| {
        let entry = Entry { key: key.to_string(), key_span: span.clone(), node };
        Node { value: Value::Table(Tree { entries: vec![entry] }), span: span.clone(), raw: None }
    })
}
