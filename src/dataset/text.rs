//! Text files: one, or every one below a folder.

use super::documents::{Document, Documents};
use super::{DatasetKind, Event, Source};
use crate::error::{Error, Result};
use crate::files;
use crate::plan::Chosen;
use crate::spec::{Checking, Default, Key, Kind, Range, Trait, Type, nearest_file};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use walkdir::{DirEntry, WalkDir};

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "text",
        doc: "Text files as they are: one file, or every file below a folder whose ending is known, each a \
              document. They are read in the order of a digest of their path, so that `max_bytes` takes a \
              sample of the whole tree rather than its beginning, and the same files always come in the \
              same order. Binary files are passed over; invalid UTF-8 is replaced and counted.",
        example: "kind = \"text\"\npath = \"~/.cargo/registry/src\"\ninclude = [\"**/*.rs\"]",
        keys: &[
            Key { name: "path", ty: Type::Path, default: Default::Required, doc: "a file or a folder" },
            Key {
                name: "include",
                ty: Type::List(&Type::Text, 0, 1000),
                default: Default::Value("[]"),
                doc: "patterns of the files to read; none: prose and source code, by ending",
            },
            Key {
                name: "max_bytes",
                ty: Type::Integer(1, i64::MAX),
                default: Default::Value("64_000_000"),
                doc: "read no further",
            },
            Key {
                name: "unwrap_lines",
                ty: Type::Flag,
                default: Default::Value("false"),
                doc: "join the hard-wrapped lines of prose",
            },
            VALIDATION_FRACTION,
        ],
        traits: &[Trait::ReadsText, Trait::HasPassages],
        check,
    },
    source: Source::Documents(open),
};

/// Shared by the datasets of text.
pub const VALIDATION_FRACTION: Key = Key {
    name: "validation_fraction",
    ty: Type::Number(Range { min: 0.0, max: 0.5, min_included: false }),
    default: Default::Value("0.02"),
    doc: "share of the documents that is held out, by a digest of their text",
};

/// Endings of prose and source code; data (json, csv, svg, lock …) is left out.
const ENDINGS: &[&str] = &[
    "txt", "text", "md", "markdown", "rst", "tex", "adoc", "org", "rs", "py", "pyi", "js", "mjs", "cjs",
    "jsx", "ts", "tsx", "go", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "cu", "java", "kt", "kts", "scala",
    "cs", "fs", "swift", "m", "mm", "rb", "php", "pl", "pm", "lua", "r", "jl", "hs", "ml", "mli", "ex",
    "exs", "erl", "hrl", "clj", "cljs", "lisp", "el", "scm", "rkt", "sh", "bash", "zsh", "fish", "ps1",
    "sql", "vim", "dart", "zig", "nim", "d", "f90", "f", "ada", "adb", "pas", "v", "sv", "vhd", "asm", "s",
    "proto", "cmake", "tcl", "groovy",
];

#[derive(Debug, Deserialize)]
struct Config {
    path: String,
    include: Vec<String>,
    max_bytes: u64,
    unwrap_lines: bool,
    validation_fraction: f64,
}

fn check(cx: &mut Checking<'_>) {
    let patterns: Option<Vec<String>> =
        cx.config.get("include").and_then(|list| list.clone().try_into().ok());
    for (i, pattern) in patterns.iter().flatten().enumerate() {
        if let Err(error) = Glob::new(pattern) {
            let message = format!("{pattern:?} is not a pattern: {}", error.kind());
            cx.error(&format!("include.{i}"), message, "for example \"**/*.rs\"");
        }
    }
    let Some(written) = cx.text("path").map(str::to_string) else { return };
    match files::expand(&written) {
        Err(variable) => {
            let message = format!("the variable `{variable}` is not set");
            cx.error("path", message, "set it, or write the path");
        }
        Ok(path) if !path.exists() => {
            let near = nearest_file(&path, path.parent().unwrap_or(Path::new(".")));
            let help = match near {
                Some(near) => format!("did you mean {near:?}?"),
                None => "`path` takes a file or a folder; `~` and `$VAR` are understood".to_string(),
            };
            cx.not_here("path", format!("there is no file or folder {}", path.display()), help);
        }
        Ok(path) => enough_text(cx, &path, patterns.as_deref()),
    }
}

/// Reports a path without text, or with less than a training and a held-out window: a token is at
/// least a byte, and a start token stands before every file.
fn enough_text(cx: &mut Checking<'_>, root: &Path, patterns: Option<&[String]>) {
    let Some(wanted) = patterns.and_then(|patterns| wanted(patterns).ok()) else { return };
    let tokens = cx.facts.n_ctx.map_or(0, |n_ctx| 2 * (n_ctx as u64 + 1));
    let (mut files, mut bytes) = (0, 0);
    for entry in WalkDir::new(root).follow_links(true).into_iter().flatten() {
        if files > 0 && files + bytes >= tokens {
            break;
        }
        if is_to_be_read(&entry, root, &wanted) && begins_as_text(entry.path()) {
            (files, bytes) = (files + 1, bytes + entry.metadata().map_or(0, |m| m.len()));
        }
    }
    let is_file = root.is_file();
    if files == 0 {
        let message = format!("there is no text in {}", root.display());
        let (key, help) = match patterns {
            _ if is_file => ("path", "the file is empty or binary"),
            Some([_, ..]) => {
                ("include", "no file there, or only empty or binary ones, are of these patterns")
            }
            _ => ("path", "files of prose and source code are known by their ending; `include` takes others"),
        };
        return cx.error(key, message, help);
    }
    let most = cx.integer("max_bytes").map_or(u64::MAX, |max| max as u64);
    if files + bytes.min(most) < tokens {
        let key = if most < bytes { "max_bytes" } else { "path" };
        let held = bytes.min(most);
        let message = format!("{held} bytes of text are less than a training and a held-out sequence");
        let help = format!("they take {tokens} tokens: read more text, or lower n_ctx");
        cx.clash(key, message, ("architecture.n_ctx", "positions in a sequence"), help);
    }
}

/// Whether a file can be read and is neither empty nor, as far as its beginning tells, binary.
fn begins_as_text(path: &Path) -> bool {
    read_at_most(path, HEAD).is_ok_and(|head| !head.is_empty() && !head.contains(&0))
}

/// How much of a file tells whether it is binary.
const HEAD: u64 = 8192;

#[derive(Debug)]
struct Files {
    config: Config,
    root: PathBuf,
    /// Path and size, in reading order.
    files: Vec<(PathBuf, u64)>,
    identity: blake3::Hash,
    passed_over: usize,
}

fn open(chosen: &Chosen, _: u64, events: &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>> {
    let config: Config = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let unset = |variable| Error::message(format!("the variable `{variable}` is not set"));
    let root = files::expand(&config.path).map_err(unset)?;
    let wanted = wanted(&config.include)?;
    let (mut found, mut passed_over) = (Vec::new(), 0);
    for entry in WalkDir::new(&root).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                events(Event::Warning(format!("passed over: {error}")));
                passed_over += 1;
                continue;
            }
        };
        if !entry.file_type().is_file() {
            continue;
        }
        if !is_to_be_read(&entry, &root, &wanted) {
            passed_over += 1;
            continue;
        }
        let relative = entry.path().strip_prefix(&root).unwrap_or(entry.path()).to_path_buf();
        let Ok(metadata) = entry.metadata() else { continue };
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let order = *blake3::hash(relative.to_string_lossy().as_bytes()).as_bytes();
        found.push((order, entry.into_path(), metadata.len(), modified.map_or(0, |d| d.as_nanos())));
    }
    found.sort();
    let mut hasher = blake3::Hasher::new();
    let options = format!("{}|{}|{}", config.unwrap_lines, config.validation_fraction, config.max_bytes);
    hasher.update(options.as_bytes());
    let (mut files, mut bytes) = (Vec::new(), 0);
    for (_, path, size, modified) in found {
        if bytes >= config.max_bytes {
            break;
        }
        bytes += size;
        hasher.update(path.to_string_lossy().as_bytes());
        hasher.update(&size.to_le_bytes());
        hasher.update(&modified.to_le_bytes());
        files.push((path, size));
    }
    Ok(Box::new(Files { config, root, files, identity: hasher.finalize(), passed_over }))
}

/// A file that is named outright is read whatever its ending.
fn is_to_be_read(entry: &DirEntry, root: &Path, wanted: &impl Fn(&Path) -> bool) -> bool {
    let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
    entry.file_type().is_file() && (entry.depth() == 0 || wanted(relative))
}

/// Whether a path below the root is to be read.
fn wanted(include: &[String]) -> Result<impl Fn(&Path) -> bool + use<>> {
    let bad = |e: globset::Error| Error::message(e.to_string());
    let mut builder = GlobSetBuilder::new();
    for pattern in include {
        builder.add(Glob::new(pattern).map_err(bad)?);
    }
    let patterns: GlobSet = builder.build().map_err(bad)?;
    Ok(move |path: &Path| {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let known = ending.is_some_and(|e| ENDINGS.contains(&e.as_str()));
        if patterns.is_empty() { known } else { patterns.is_match(path) }
    })
}

impl Documents for Files {
    fn identity(&self) -> blake3::Hash {
        self.identity
    }

    fn count(&self) -> usize {
        self.files.len()
    }

    fn size(&self, index: usize) -> u64 {
        self.files[index].1
    }

    fn read(&self, index: usize) -> std::result::Result<Document, String> {
        let (path, _) = &self.files[index];
        let shown = path.display();
        // The last file is read no further than the budget goes.
        let before: u64 = if index + 1 == self.files.len() {
            self.files[..index].iter().map(|(_, size)| size).sum()
        } else {
            0
        };
        let mut bytes =
            read_at_most(path, self.config.max_bytes - before).map_err(|e| format!("{shown}: {e}"))?;
        if bytes[..bytes.len().min(HEAD as usize)].contains(&0) {
            return Err(format!("{shown}: binary"));
        }
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if bytes.is_empty() {
            return Err(format!("{shown}: empty"));
        }
        let (text, replaced) = match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
        };
        let text = if self.config.unwrap_lines { unwrapped(&text) } else { text };
        Ok(Document { text, replaced })
    }

    fn validation_fraction(&self) -> f64 {
        self.config.validation_fraction
    }

    fn nothing(&self) -> String {
        let looked = match self.config.include.as_slice() {
            [] => "files with a known ending of prose or source code".to_string(),
            patterns => format!("files that match {}", patterns.join(", ")),
        };
        let (root, passed) = (self.root.display(), self.passed_over);
        format!("there is no text in {root}: looked for {looked}; {passed} other files were passed over")
    }
}

fn read_at_most(path: &Path, bytes: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut read = Vec::new();
    std::fs::File::open(path)?.take(bytes).read_to_end(&mut read)?;
    Ok(read)
}

/// Joins lines that were broken to fit a page: a line goes on unless the next is empty, indented,
/// or begins like a list or a heading.
fn unwrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = "";
    for line in text.lines() {
        let starts_anew =
            line.trim().is_empty() || line.starts_with([' ', '\t', '-', '*', '#', '>', '|', '=', '~']);
        if !out.is_empty() {
            out.push(if starts_anew || previous.trim().is_empty() { '\n' } else { ' ' });
        }
        out.push_str(line);
        previous = line;
    }
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_prose_is_joined_and_lists_are_not() {
        let wrapped = "One two\nthree.\n\nFour\n- five\n- six\nseven\n";
        assert_eq!(unwrapped(wrapped), "One two three.\n\nFour\n- five\n- six seven\n");
        assert_eq!(unwrapped(""), "");
    }

    #[test]
    fn endings_decide_where_no_pattern_does() {
        let read = wanted(&[]).unwrap();
        assert!(read(Path::new("a/b.RS")) && read(Path::new("x.py")));
        assert!(!read(Path::new("Cargo.lock")) && !read(Path::new("a.json")) && !read(Path::new("LICENSE")));
        let read = wanted(&["**/*.json".into()]).unwrap();
        assert!(read(Path::new("a.json")) && !read(Path::new("b.rs")));
    }
}
