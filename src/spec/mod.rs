//! The spec language: what was written, where, and what is wrong with it.
//!
//! A [`Spec`] is syntax with positions. Its meaning is a plan, made elsewhere; no position
//! survives the planning.

pub mod check;
pub mod diagnostic;
mod overrides;
pub mod read;
pub mod schema;
pub mod source;
pub mod tree;

pub use check::{BlockFacts, Checking, Facts, Findings, Places};
pub use diagnostic::{Diagnostic, Severity, render};
pub use schema::{Choice, Default, Key, Kind, Language, Range, Trait, Type};
pub use source::{Source, Sources, Span};

use diagnostic::nearest;
use std::path::{Path, PathBuf};
use toml::de::DeTable;
use tree::{Tree, Value};

/// What was written, with positions: one file, the files it extends, and `--set` on top.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The merged syntax tree.
    pub root: Tree,
    /// Syntax errors and everything else found while reading.
    pub findings: Findings,
}

impl Spec {
    /// Reads a spec file, what it extends, and `--set` arguments (`a.b=value`).
    ///
    /// # Errors
    /// Only if the file itself cannot be read; what is wrong inside goes to the findings.
    pub fn load(path: &Path, sets: &[String]) -> std::io::Result<Spec> {
        let text = std::fs::read(path)?;
        Ok(Spec::parse(path, &String::from_utf8_lossy(&text), sets))
    }

    /// The same from a text; `path` names it and gives the folder relative paths start from.
    pub fn parse(path: &Path, text: &str, sets: &[String]) -> Spec {
        let mut findings = Findings::default();
        let mut root = layer(path, text, &mut Vec::new(), &mut findings);
        for set in sets {
            overrides::apply(set, &mut root, &mut findings);
        }
        Spec { root, findings }
    }
}

/// One file on top of the file it extends.
fn layer(path: &Path, text: &str, above: &mut Vec<PathBuf>, findings: &mut Findings) -> Tree {
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let source = findings.sources.add(Source {
        name: path.display().to_string(),
        text: text.to_string(),
        folder: folder.clone(),
    });
    if text.contains('\0') {
        let start = Span { source, range: 0..0 };
        let diagnostic =
            Diagnostic::error("", start, "this is not a text file").help("a spec is written in TOML");
        findings.diagnostics.push(diagnostic);
        return Tree::default();
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let range = error.span().unwrap_or(0..0);
        let diagnostic = Diagnostic::error("", Span { source, range }, sentence(error.message()));
        findings.diagnostics.push(diagnostic.help("this is not valid TOML"));
    }
    let mut tree = tree::from_toml(document.get_ref(), source);
    let Some(index) = tree.entries.iter().position(|e| e.key == "extends") else {
        return tree;
    };
    let entry = tree.entries.remove(index);
    let span = entry.node.span.clone();
    let Value::Text(base) = &entry.node.value else {
        let message = format!("`extends` must be a path, found {}", entry.node.value.describe());
        findings.diagnostics.push(Diagnostic::error("extends", span, message));
        return tree;
    };
    let base = folder.join(base);
    above.push(path.to_path_buf());
    let same = |a: &PathBuf| a.canonicalize().ok() == base.canonicalize().ok();
    if above.iter().any(|a| a == &base || (base.exists() && same(a))) {
        let chain: Vec<String> = above.iter().map(|p| p.display().to_string()).collect();
        let message = format!("`extends` goes round in a circle: {}", chain.join(" → "));
        findings.diagnostics.push(Diagnostic::error("extends", span, message));
        return tree;
    }
    match std::fs::read(&base) {
        Err(error) => {
            let message = format!("cannot read {}: {error}", base.display());
            let folder = base.parent().unwrap_or(Path::new("."));
            let mut diagnostic = Diagnostic::error("extends", span, message);
            if let Some(near) = nearest_file(&base, folder) {
                diagnostic = diagnostic.label(format!("did you mean {near:?}?"));
            }
            findings.diagnostics.push(diagnostic);
            tree
        }
        Ok(text) => {
            let mut merged = layer(&base, &String::from_utf8_lossy(&text), above, findings);
            merged.merge(tree);
            merged
        }
    }
}

/// The file of a folder whose name is nearest to a path's that does not exist.
pub fn nearest_file(path: &Path, folder: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    nearest(&wanted, names.iter().map(String::as_str)).map(str::to_string)
}

fn sentence(message: &str) -> String {
    message.lines().next().unwrap_or("invalid TOML").to_string()
}
