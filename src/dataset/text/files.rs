//! The files below a folder, in reading order.

use super::Settings;
use crate::dataset::Event;
use crate::dataset::documents::{Documents, Skipped, Take};
use crate::dataset::formats::{self, Name, Options, Reading};
use crate::error::{Error, Result, printable};
use crate::plan::Chosen;
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use walkdir::{DirEntry, WalkDir};

/// Which files are read.
#[derive(Debug)]
pub struct Listing {
    /// A file, or a folder.
    pub root: PathBuf,
    /// Patterns of the files below it; none: those with a known ending.
    pub include: Vec<String>,
    /// What is there, of which version, if that has a name of its own.
    pub named: Option<String>,
}

#[derive(Debug)]
struct Files {
    settings: Settings,
    listing: Listing,
    /// In reading order.
    files: Vec<Listed>,
    place: blake3::Hash,
    identity: blake3::Hash,
    passed_over: usize,
}

#[derive(Debug)]
struct Listed {
    path: PathBuf,
    size: u64,
    /// Whether it is plain text.
    plain: bool,
}

impl Listing {
    /// Lists the files, to be read as the dataset's keys say.
    ///
    /// # Errors
    /// If a key or a pattern is not one.
    pub fn open(self, chosen: &Chosen, events: &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>> {
        let settings: Settings = chosen.config().map_err(|e| Error::message(e.to_string()))?;
        let (root, wanted) = (&self.root, wanted(&self.include)?);
        let (mut found, mut passed_over) = (Vec::new(), 0);
        for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    events(Event::Warning(printable(&format!("passed over: {error}"))));
                    passed_over += 1;
                    continue;
                }
            };
            if !entry.file_type().is_file() {
                continue;
            }
            if !is_to_be_read(&entry, root, &wanted) {
                passed_over += 1;
                continue;
            }
            let relative = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_path_buf();
            let Ok(metadata) = entry.metadata() else { continue };
            let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            let order = *blake3::hash(relative.to_string_lossy().as_bytes()).as_bytes();
            found.push((order, entry.into_path(), metadata.len(), modified.map_or(0, |d| d.as_nanos())));
        }
        found.sort();
        let mut hasher = blake3::Hasher::new();
        let Settings { unwrap_lines, validation_fraction, max_bytes, max_skipped, field } = &settings;
        let options = format!("{unwrap_lines}|{validation_fraction}|{max_bytes}|{max_skipped}|{field}");
        hasher.update(options.as_bytes());
        hasher.update(self.named.as_deref().unwrap_or_default().as_bytes());
        let mut place = hasher.clone();
        place.update(format!("{:?}", (root, &self.include)).as_bytes());
        let (mut files, mut bytes) = (Vec::new(), 0);
        for (_, path, size, modified) in found {
            if bytes >= *max_bytes {
                break;
            }
            let plain = formats::is_plain(&path.to_string_lossy());
            // How much text there is in an archive shows when it is read.
            bytes += if plain { size } else { 0 };
            hasher.update(path.to_string_lossy().as_bytes());
            hasher.update(&size.to_le_bytes());
            hasher.update(&modified.to_le_bytes());
            files.push(Listed { path, size, plain });
        }
        let (place, identity) = (place.finalize(), hasher.finalize());
        Ok(Box::new(Files { settings, listing: self, files, place, identity, passed_over }))
    }
}

/// A file that is named outright is read whatever its ending.
pub fn is_to_be_read(entry: &DirEntry, root: &Path, wanted: &impl Fn(&Path) -> bool) -> bool {
    let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
    entry.file_type().is_file() && (entry.depth() == 0 || wanted(relative))
}

/// Whether a path below the root is to be read.
///
/// # Errors
/// If a pattern is none.
pub fn wanted(include: &[String]) -> Result<impl Fn(&Path) -> bool + use<>> {
    let bad = |e: globset::Error| Error::message(e.to_string());
    let mut builder = GlobSetBuilder::new();
    for pattern in include {
        builder.add(Glob::new(pattern).map_err(bad)?);
    }
    let patterns: GlobSet = builder.build().map_err(bad)?;
    Ok(move |path: &Path| match patterns.is_empty() {
        true => formats::known(&path.to_string_lossy()),
        false => patterns.is_match(path),
    })
}

impl Documents for Files {
    fn identity(&self) -> blake3::Hash {
        self.identity
    }

    fn place(&self) -> Option<blake3::Hash> {
        Some(self.place)
    }

    fn files(&self) -> usize {
        self.files.len()
    }

    fn size(&self, file: usize) -> u64 {
        self.files[file].size
    }

    fn single(&self, file: usize) -> bool {
        self.files[file].plain
    }

    fn budget(&self) -> u64 {
        self.settings.max_bytes
    }

    fn read(&self, file: usize, left: u64, consumed: &Cell<u64>, take: &mut Take<'_>) -> u64 {
        let Listed { path, size, plain } = &self.files[file];
        let shown = printable(&path.display().to_string());
        let opened = match File::open(path) {
            Ok(opened) => opened,
            Err(error) => {
                let _ = take(Err(Skipped { why: format!("{shown}: {error}"), broken: true, lost: *size }));
                return if *plain { *size } else { 0 };
            }
        };
        let name = Name { ending: path.to_string_lossy().into_owned(), shown };
        let transform = self.settings.unwrap_lines.then_some(unwrapped as fn(&str) -> String);
        let options = Options { field: &self.settings.field, transform };
        let mut reading = Reading::new(options, left, consumed, take);
        // What decodes is written by others, and is given what strangers made.
        let read = catch_unwind(AssertUnwindSafe(|| reading.file(&name, &opened)));
        if read.is_err() {
            let _ = reading.cut(&name, "it is damaged: reading it failed");
            let _ = reading.tell_cut(*size);
        }
        // A plain file counts as it lies there, whether it is text or not.
        if *plain { *size } else { left - reading.left }
    }

    fn validation_fraction(&self) -> f64 {
        self.settings.validation_fraction
    }

    fn max_skipped(&self) -> f64 {
        self.settings.max_skipped
    }

    fn named(&self) -> Option<String> {
        self.listing.named.clone()
    }

    fn nothing(&self) -> String {
        let looked = match self.listing.include.as_slice() {
            [] => "files with a known ending of prose or source code, or archives of them".to_string(),
            patterns => format!("files that match {}", patterns.join(", ")),
        };
        let (root, passed) = (self.listing.root.display(), self.passed_over);
        format!("there is no text in {root}: looked for {looked}; {passed} other files were passed over")
    }
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
