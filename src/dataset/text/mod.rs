//! Text: one file, or every one below a folder, in any of the forms that are known.

mod files;

use super::documents::Documents;
use super::formats::{HEAD, is_plain, unfit};
use super::{DatasetKind, Event, Source};
use crate::error::{Error, Result};
use crate::files::expand;
use crate::plan::Chosen;
use crate::spec::{Checking, Default, Key, Kind, Range, Trait, Type, nearest_file};
use files::is_to_be_read;
use globset::Glob;
use serde::Deserialize;
use std::io::Read;
use std::path::Path;
use walkdir::WalkDir;

pub use files::{Listing, wanted};

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "text",
        doc: "Text: one file, or every file below a folder whose ending is known. Prose and source code are \
              each a document. JSON lines (`.jsonl`), tar archives, Parquet and Arrow streams (`.arrow`, as \
              a Hugging Face cache has them; both with the cargo feature `parquet`) hold many; each of them \
              but the last two, and plain text, may be compressed (`.gz`, `.zst`, `.xz`), and archives may \
              hold archives, as the OpenWebText release does. What is in them is streamed, and nothing is \
              unpacked. Files are read in the order of a digest of their path, so that `max_bytes` takes a \
              sample of the whole tree rather than its beginning, and the same files always come in the \
              same order; what is in an archive comes in its order. The same documents in the same order \
              give the same tokens, whatever form they come in. Binary files are passed over; invalid UTF-8 \
              is replaced and counted; what is broken is named and skipped. A plain text of more than 16 \
              MiB is cut, where lines end, into documents of about 1 MiB; a longer row or line is broken.",
        example: "kind = \"text\"\npath = \"~/.cargo/registry/src\"\ninclude = [\"**/*.rs\"]",
        keys: &[
            Key { name: "path", ty: Type::Path, default: Default::Required, doc: "a file or a folder" },
            Key {
                name: "include",
                ty: Type::List(&Type::Text, 0, 1000),
                default: Default::Value("[]"),
                doc: "patterns of the files to read; none: prose and source code, by ending",
            },
            MAX_BYTES,
            FIELD,
            MAX_SKIPPED,
            UNWRAP_LINES,
            VALIDATION_FRACTION,
        ],
        traits: &[Trait::ReadsText, Trait::HasPassages],
        check,
    },
    source: Source::Documents(open),
};

/// Shared by the datasets of files.
pub const MAX_BYTES: Key = Key {
    name: "max_bytes",
    ty: Type::Integer(1, i64::MAX),
    default: Default::Value("64_000_000"),
    doc: "read no further: bytes of plain files, and of the texts in all others",
};

/// Shared by the datasets of files.
pub const FIELD: Key = Key {
    name: "field",
    ty: Type::Text,
    default: Default::Value("\"text\""),
    doc: "the field, or column, that holds the text where a document has several",
};

/// Shared by the datasets of files.
pub const MAX_SKIPPED: Key = Key {
    name: "max_skipped",
    ty: Type::Number(Range::SHARE),
    default: Default::Value("0.05"),
    doc: "share of the documents, and of the bytes of their files, that may be broken: each is named and skipped; \
          one document may be in any case, but for 0, which allows none",
};

/// Shared by the datasets of files.
pub const UNWRAP_LINES: Key = Key {
    name: "unwrap_lines",
    ty: Type::Flag,
    default: Default::Value("false"),
    doc: "join the hard-wrapped lines of prose",
};

/// Shared by the datasets of text.
pub const VALIDATION_FRACTION: Key = Key {
    name: "validation_fraction",
    ty: Type::Number(Range { min: 0.0, max: 0.5, min_included: false }),
    default: Default::Value("0.02"),
    doc: "share of the documents that is held out, by a digest of their text",
};

/// How files become documents: the keys that all datasets of files have.
#[derive(Debug, Deserialize)]
pub struct Settings {
    max_bytes: u64,
    field: String,
    max_skipped: f64,
    unwrap_lines: bool,
    validation_fraction: f64,
}

#[derive(Debug, Deserialize)]
struct Config {
    path: String,
    include: Vec<String>,
}

fn open(chosen: &Chosen, _: u64, events: &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>> {
    let Config { path, include } = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let unset = |variable| Error::message(format!("the variable `{variable}` is not set"));
    let root = expand(&path).map_err(unset)?;
    Listing { root, include, named: None }.open(chosen, events)
}

fn check(cx: &mut Checking<'_>) {
    let patterns = patterns(cx, "include");
    let Some(written) = cx.text("path").map(str::to_string) else { return };
    match expand(&written) {
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
        Ok(path) => enough_text(cx, &path, patterns.as_deref(), ("path", "include")),
    }
}

/// The patterns of a key; those that are none are reported.
pub fn patterns(cx: &mut Checking<'_>, key: &str) -> Option<Vec<String>> {
    let patterns: Option<Vec<String>> = cx.config.get(key).and_then(|list| list.clone().try_into().ok());
    for (i, pattern) in patterns.iter().flatten().enumerate() {
        if let Err(error) = Glob::new(pattern) {
            let message = format!("{pattern:?} is not a pattern: {}", error.kind());
            cx.error(&format!("{key}.{i}"), message, "for example \"**/*.rs\"");
        }
    }
    patterns
}

/// Reports a path without text, or with less than a training and a held-out window: a token is at
/// least a byte, and a start token stands before every file. The keys are those of the path and of the
/// patterns.
pub fn enough_text(
    cx: &mut Checking<'_>,
    root: &Path,
    patterns: Option<&[String]>,
    (at, by): (&'static str, &'static str),
) {
    let Some(wanted) = patterns.and_then(|patterns| wanted(patterns).ok()) else { return };
    let tokens = cx.facts.n_ctx.map_or(0, |n_ctx| 2 * (n_ctx as u64 + 1));
    let (mut files, mut bytes, mut first) = (0, 0u64, None);
    for entry in WalkDir::new(root).follow_links(true).into_iter().flatten() {
        if files > 0 && bytes.saturating_add(files) >= tokens {
            break;
        }
        if !is_to_be_read(&entry, root, &wanted) {
            continue;
        }
        if let Some(why) = wrong_with(entry.path()) {
            first.get_or_insert((entry.into_path(), why));
            continue;
        }
        // How much text there is in an archive only reading it tells.
        let size = entry.metadata().map_or(0, |m| m.len());
        let size = if is_plain(&entry.path().to_string_lossy()) { size } else { u64::MAX };
        (files, bytes) = (files + 1, bytes.saturating_add(size));
    }
    let is_file = root.is_file();
    if files == 0 {
        let message = format!("there is no text in {}", root.display());
        let (key, help) = match (patterns, first) {
            (_, Some((_, why))) if is_file => (at, format!("the file is {why}")),
            (_, Some((path, why))) => (at, format!("{} is {why}", path.display())),
            (Some([_, ..]), None) => (by, "no file there is of these patterns".to_string()),
            _ => {
                (at, format!("files of prose and source code are known by their ending; `{by}` takes others"))
            }
        };
        return cx.error(key, message, help);
    }
    let most = cx.integer("max_bytes").map_or(u64::MAX, |max| max as u64);
    if bytes.min(most).saturating_add(files) < tokens {
        let key = if most < bytes { "max_bytes" } else { at };
        let held = bytes.min(most);
        let message = format!("{held} bytes of text are less than a training and a held-out sequence");
        let help = format!("they take {tokens} tokens: read more text, or lower n_ctx");
        cx.clash(key, message, ("architecture.n_ctx", "positions in a sequence"), help);
    }
}

/// Why a file is not read, in words: it cannot be, is empty, or does not begin as its name says.
fn wrong_with(path: &Path) -> Option<String> {
    match read_at_most(path, HEAD as u64) {
        Ok(head) => unfit(&path.to_string_lossy(), &head),
        Err(error) => Some(format!("unreadable: {error}")),
    }
}

fn read_at_most(path: &Path, bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut read = Vec::new();
    std::fs::File::open(path)?.take(bytes).read_to_end(&mut read)?;
    Ok(read)
}
