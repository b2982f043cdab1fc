//! Documents of text, read one at a time and in a fixed order.

use super::Event;
use crate::error::Result;
use rayon::prelude::*;

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its text.
    pub text: String,
    /// Whether invalid UTF-8 was replaced.
    pub replaced: bool,
}

/// A source of documents.
pub trait Documents: Sync {
    /// Names the documents without reading them: another digest means other documents.
    fn identity(&self) -> blake3::Hash;

    /// How many there are.
    fn count(&self) -> usize;

    /// About how many bytes a document has, before it is read.
    fn size(&self, index: usize) -> u64;

    /// Reads one; in its place why it is passed over.
    fn read(&self, index: usize) -> std::result::Result<Document, String>;

    /// Share of the documents that is held out.
    fn validation_fraction(&self) -> f64;

    /// What to say if nothing could be read.
    fn nothing(&self) -> String;
}

/// Bytes read together: what is in memory at once.
const GROUP: u64 = 8 << 20;

/// Groups of neighbouring documents, so that memory does not grow with the corpus.
pub fn groups(documents: &dyn Documents) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for index in 0..documents.count() {
        bytes += documents.size(index);
        if bytes >= GROUP {
            groups.push(start..index + 1);
            (start, bytes) = (index + 1, 0);
        }
    }
    if start < documents.count() {
        groups.push(start..documents.count());
    }
    groups
}

/// About so many bytes of text, spread evenly over the documents.
///
/// # Errors
/// Never: documents that cannot be read are passed over.
pub fn sample(documents: &dyn Documents, bytes: u64, events: &mut dyn FnMut(Event)) -> Result<Vec<String>> {
    let total: u64 = (0..documents.count()).map(|i| documents.size(i)).sum();
    let share = if total <= bytes { 1.0 } else { bytes as f64 / total as f64 };
    // Document i is in the sample where the running share passes a whole number.
    let whole = |n: usize| (n as f64 * share) as u64;
    let chosen: Vec<usize> = (0..documents.count()).filter(|&i| whole(i + 1) > whole(i)).collect();
    let mut texts = Vec::new();
    let mut done = 0;
    for group in chosen.chunks(1024) {
        let read: Vec<String> =
            group.par_iter().filter_map(|&i| Some(documents.read(i).ok()?.text)).collect();
        for mut text in read {
            // One enormous document must not be the whole sample.
            let mut end = text.len().min((bytes / 4).max(1 << 16) as usize);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
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
