//! `--set a.b.1.c=value`: values laid over the tree from the command line.

use super::check::Findings;
use super::diagnostic::Diagnostic;
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
    let whole = Span { source, range: 0..set.len() };
    let Some((path, value)) = set.split_once('=') else {
        let diagnostic = Diagnostic::error("", whole, "`--set` takes `key=value`")
            .help("for example `--set training.batch_size=16`");
        findings.diagnostics.push(diagnostic);
        return;
    };
    let node = value_node(value, path.len() + 1, source);
    let mut start = 0;
    let mut segments: Vec<(&str, Span)> = Vec::new();
    for segment in path.split('.') {
        let range = start..start + segment.len();
        segments.push((segment.trim(), Span { source, range }));
        start += segment.len() + 1;
    }
    if segments.iter().any(|(name, _)| name.is_empty()) {
        let diagnostic = Diagnostic::error("", whole, "`--set` has an empty key")
            .help("keys are joined by single dots: `--set architecture.blocks.1.n_heads=8`");
        findings.diagnostics.push(diagnostic);
        return;
    }
    if let Err(diagnostic) = put_in_table(root, &segments, node) {
        findings.diagnostics.push(*diagnostic);
    }
}

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

type Failure = Box<Diagnostic>;

fn put_in_table(tree: &mut Tree, path: &[(&str, Span)], node: Node) -> Result<(), Failure> {
    let Some(((name, span), rest)) = path.split_first() else {
        return Ok(());
    };
    if rest.is_empty() {
        // A table laid over a table merges, so that `--set training.optimizer={lr=1}` keeps the rest.
        let entry = Entry { key: name.to_string(), key_span: span.clone(), node };
        tree.merge(Tree { entries: vec![entry] });
        return Ok(());
    }
    if tree.get(name).is_none() {
        let empty = Node { value: Value::Table(Tree::default()), span: span.clone(), raw: None };
        tree.put(Entry { key: name.to_string(), key_span: span.clone(), node: empty });
    }
    match tree.get_mut(name) {
        Some(entry) => put_in_node(&mut entry.node, name, rest, node),
        None => Ok(()),
    }
}

fn put_in_node(into: &mut Node, name: &str, path: &[(&str, Span)], node: Node) -> Result<(), Failure> {
    let Some(((index, span), rest)) = path.split_first() else {
        *into = node;
        return Ok(());
    };
    match &mut into.value {
        Value::Table(tree) => put_in_table(tree, path, node),
        Value::List(items) => {
            let length = items.len();
            match index.parse::<usize>().ok().and_then(|i| items.get_mut(i)) {
                Some(item) => put_in_node(item, index, rest, node),
                None => {
                    let message = format!("`{name}` is a list of {length}: there is no item `{index}`");
                    let help = match length {
                        0 => "the list is empty".to_string(),
                        n => format!("items count from 0 to {}", n - 1),
                    };
                    Err(Box::new(Diagnostic::error(name, span.clone(), message).help(help)))
                }
            }
        }
        other => {
            let message = format!("`{name}` is {}: it has no key `{index}`", other.describe());
            Err(Box::new(Diagnostic::error(name, span.clone(), message)))
        }
    }
}
