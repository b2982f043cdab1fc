//! `extends = "base.toml"`: one file laid over another.

use super::check::Findings;
use super::diagnostic::Diagnostic;
use super::nearest_file;
use super::schema::{Default, Key, Type};
use super::source::Source;
use super::syntax;
use super::tree::{Tree, Value};
use crate::files;
use std::path::{Path, PathBuf};

/// The key that is no longer there once a spec is read.
pub const EXTENDS: Key = Key {
    name: "extends",
    ty: Type::Path,
    default: Default::Computed("nothing"),
    doc: "another spec, laid under this one",
};

/// A file's tree on top of the tree of the file it extends; `above` are the files over it.
pub fn layer(path: &Path, bytes: &[u8], above: &mut Vec<PathBuf>, findings: &mut Findings) -> Tree {
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let source = findings.sources.add(Source {
        name: path.display().to_string(),
        text: String::from_utf8_lossy(bytes).into_owned(),
        folder: folder.clone(),
    });
    let mut tree = syntax::parse(bytes, source, findings);
    let Some(index) = tree.entries.iter().position(|e| e.key == EXTENDS.name) else {
        return tree;
    };
    let node = tree.entries.remove(index).node;
    above.push(path.to_path_buf());
    match base(&folder, &node.value, above) {
        Ok((base, bytes)) => {
            let mut merged = layer(&base, &bytes, above, findings);
            merged.merge(tree);
            merged
        }
        Err(wrong) => {
            // What the base would have given is not missing.
            findings.incomplete = true;
            let at = |message: String| Diagnostic::error("extends", node.span, message);
            findings.diagnostics.extend(wrong.map(|(message, help)| at(message).help(help)));
            tree
        }
    }
}

/// What is wrong and what would be right, if that is not yet said.
type Wrong = Option<(String, String)>;

/// The file that is extended, and its bytes.
fn base(folder: &Path, value: &Value, above: &[PathBuf]) -> Result<(PathBuf, Vec<u8>), Wrong> {
    let written = match value {
        Value::Text(written) if !written.is_empty() => written,
        Value::Unreadable => return Err(None),
        other => {
            let message = format!("`extends` must be the path of a spec, found {}", other.describe());
            return Err(Some((message, "for example `extends = \"base.toml\"`".into())));
        }
    };
    let unset =
        |variable| (format!("the variable `{variable}` is not set"), "set it, or write the path".into());
    let path = folder.join(files::expand(written).map_err(|variable| Some(unset(variable)))?);
    let real = |path: &Path| path.canonicalize().unwrap_or(path.to_path_buf());
    if let Some(first) = above.iter().position(|other| real(other) == real(&path)) {
        let circle = above[first..].iter().chain([&path]).map(|path| path.display().to_string());
        let message = format!("`extends` goes round in a circle: {}", circle.collect::<Vec<_>>().join(" → "));
        return Err(Some((message, "one of these has to stand alone".into())));
    }
    files::read_text(&path).map(|bytes| (path.clone(), bytes)).map_err(|error| {
        let near = nearest_file(&path, path.parent().unwrap_or(Path::new("")));
        let extends_this =
            |near: &String| above.iter().any(|over| real(over) == real(&path.with_file_name(near)));
        let help = match near.filter(|near| !path.exists() && !extends_this(near)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "a path is relative to this file; `~` and `$VAR` are understood".into(),
        };
        Some((format!("cannot read {}: {error}", path.display()), help))
    })
}
