//! The spec language: what was written, where, and what is wrong with it.
//!
//! A [`Spec`] is syntax with positions. Its meaning is a plan, made elsewhere; no position
//! survives the planning.

pub mod check;
pub mod describe;
pub mod diagnostic;
mod extends;
mod homes;
mod json_schema;
mod names;
mod overrides;
pub mod placed;
pub mod read;
pub mod schema;
pub mod source;
mod sweep;
mod syntax;
pub mod tree;
mod wrong;

pub use check::{BlockFacts, Checking, Facts, Findings, Places};
pub use diagnostic::{Diagnostic, Severity, render};
pub use extends::EXTENDS;
pub use names::nearest;
pub use schema::{Choice, Default, Key, Kind, Language, Range, Trait, Type};
pub use source::{Source, Sources, Span};
pub use sweep::{Axis, Member, SWEEP};

use std::path::Path;
use tree::Tree;

/// What was written, with positions: one file, the files it extends, and `--set` on top.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The merged syntax tree.
    pub root: Tree,
    /// Syntax errors and everything else found while reading.
    pub findings: Findings,
    /// The keys of its `[sweep]`; none in most specs.
    pub sweep: Vec<Axis>,
}

impl Spec {
    /// Reads a spec, what it extends, and `--set` arguments (`a.b=value`). `path` names the text
    /// and gives the folder that relative paths start from.
    pub fn parse(path: &Path, text: impl AsRef<[u8]>, sets: &[String]) -> Spec {
        let mut findings = Findings::default();
        let mut root = extends::layer(path, text.as_ref(), &mut Vec::new(), &mut findings);
        for set in sets {
            overrides::apply(set, &mut root, &mut findings);
        }
        let sweep = sweep::take(&mut root, &mut findings);
        Spec { root, findings, sweep }
    }
}

/// The file of a folder whose name is nearest to a path's that does not exist.
pub fn nearest_file(path: &Path, folder: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    nearest(&wanted, names.iter().map(String::as_str)).map(str::to_string)
}
