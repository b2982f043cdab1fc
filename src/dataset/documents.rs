//! Documents of text, streamed file by file in a fixed order.

use super::Event;
use crate::error::Result;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::ops::ControlFlow;

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its text.
    pub text: String,
    /// Whether invalid UTF-8 was replaced.
    pub replaced: bool,
}

/// What stood where a document could have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where, path inside path, and why it is not read.
    pub why: String,
    /// Whether it should have been a document: what is only binary or empty was none.
    pub broken: bool,
    /// Bytes of its file that could not be read because of it.
    pub lost: u64,
}

/// A document, or what stood in its place.
pub type Found = std::result::Result<Document, Skipped>;

/// Whether to read on.
pub type Flow = ControlFlow<()>;

/// Takes what is found, in order.
pub type Take<'a> = dyn FnMut(Found) -> Flow + 'a;

/// A source of documents: files in a fixed order, each of one document or of many.
pub trait Documents: Sync {
    /// Names the documents without reading them: another digest means other documents.
    fn identity(&self) -> blake3::Hash;

    /// Names where they come from and how they are read, whatever is there now; nothing if that never changes.
    fn place(&self) -> Option<blake3::Hash> {
        None
    }

    /// How many files there are.
    fn files(&self) -> usize;

    /// How many bytes a file has.
    fn size(&self, file: usize) -> u64;

    /// Whether a file is one document of about its size, and not many of which nothing is known.
    fn single(&self, _file: usize) -> bool {
        true
    }

    /// Bytes after which nothing more is read.
    fn budget(&self) -> u64 {
        u64::MAX
    }

    /// Reads a file's documents until `take` or a budget of `left` bytes ends it; returns how much of
    /// the budget it took. `consumed` is told how far into the file it is, in bytes.
    fn read(&self, file: usize, left: u64, consumed: &Cell<u64>, take: &mut Take<'_>) -> u64;

    /// Share of the documents that is held out.
    fn validation_fraction(&self) -> f64;

    /// Share of the documents, and of the bytes of all files, that may be broken.
    fn max_skipped(&self) -> f64 {
        1.0
    }

    /// What they are, of which version, where they have a name apart from the path in the spec.
    fn named(&self) -> Option<String> {
        None
    }

    /// What to say if nothing could be read.
    fn nothing(&self) -> String;
}

/// Bytes in all files.
pub fn total(documents: &dyn Documents) -> u64 {
    (0..documents.files()).map(|file| documents.size(file)).sum()
}

/// How far reading has come: all before it has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file.
    pub file: usize,
    /// How much of it, in documents and what was skipped.
    pub item: u64,
    /// Budget spent on the files before.
    pub spent: u64,
}

/// Reads on from a place. `take` is given what is found, the place after it, and how many bytes of
/// all files lie before that.
pub fn read_from(
    documents: &dyn Documents,
    from: Place,
    take: &mut dyn FnMut(Found, Place, u64) -> Flow,
) -> Flow {
    let mut before: u64 = (0..from.file).map(|file| documents.size(file)).sum();
    let mut spent = from.spent;
    for file in from.file..documents.files() {
        let left = documents.budget().saturating_sub(spent);
        if left == 0 {
            break;
        }
        let known = if file == from.file { from.item } else { 0 };
        let (size, consumed) = (documents.size(file), Cell::new(0));
        let (mut item, mut flow) = (0, Flow::Continue(()));
        let took = documents.read(file, left, &consumed, &mut |found| {
            item += 1;
            if item > known {
                let place = Place { file, item, spent };
                flow = take(found, place, before + consumed.get().min(size));
            }
            flow
        });
        flow?;
        spent = spent.saturating_add(took);
        before += size;
    }
    Flow::Continue(())
}

/// About so many bytes of text, spread evenly over the files; of a file of many documents, from its
/// beginning.
///
/// # Errors
/// Never: documents that cannot be read are passed over.
pub fn sample(documents: &dyn Documents, bytes: u64, events: &mut dyn FnMut(Event)) -> Result<Vec<String>> {
    let total = total(documents);
    let share = if total <= bytes { 1.0 } else { bytes as f64 / total as f64 };
    // File i is in the sample where the running share passes a whole number.
    let whole = |n: usize| (n as f64 * share) as u64;
    let single = |i: usize| documents.single(i);
    let chosen: Vec<usize> =
        (0..documents.files()).filter(|&i| !single(i) || whole(i + 1) > whole(i)).collect();
    // Files of many documents are read one at a time: what is in memory at once is bounded.
    let together = if chosen.iter().all(|&i| single(i)) { 1024 } else { 1 };
    // What of the budget is left for each, as `read_from` counts where all files are single documents.
    let mut spent = 0;
    let left = (0..documents.files()).map(|i| {
        let left = documents.budget().saturating_sub(spent);
        spent += if single(i) { documents.size(i) } else { 0 };
        left
    });
    let left: Vec<u64> = left.collect();
    let mut texts = Vec::new();
    let mut done = 0;
    for group in chosen.chunks(together) {
        let wanted = |i: usize| match single(i) || share == 1.0 {
            true => bytes - done,
            false => ((documents.size(i) as f64 * share) as u64).max(1 << 16),
        };
        let beginning = |&i: &usize| beginning(documents, i, left[i], wanted(i), bytes);
        let read: Vec<Vec<String>> = group.par_iter().map(beginning).collect();
        for text in read.into_iter().flatten() {
            done += text.len() as u64;
            texts.push(text);
        }
        events(Event::Progress { what: "reading a sample", done: done.min(bytes), total: bytes.min(total) });
        if done >= bytes {
            break;
        }
    }
    Ok(texts)
}

/// Documents of a file's beginning, `wanted` bytes of a sample of `bytes`.
fn beginning(documents: &dyn Documents, file: usize, left: u64, wanted: u64, bytes: u64) -> Vec<String> {
    let (mut texts, mut read) = (Vec::new(), 0);
    documents.read(file, left, &Cell::new(0), &mut |found| {
        let Ok(Document { mut text, .. }) = found else { return Flow::Continue(()) };
        // One enormous document must not be the whole sample.
        let mut end = text.len().min((bytes / 4).max(1 << 16) as usize);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        read += text.len() as u64;
        texts.push(text);
        if read >= wanted { Flow::Break(()) } else { Flow::Continue(()) }
    });
    texts
}
