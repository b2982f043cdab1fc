//! What a look at every token id on disk tells; of large files it is remembered.

use super::windows::Windows;
use super::{Event, ids::Ids};
use crate::error::{Error, Result};
use crate::files;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;

/// Counts up whenever the same ids give other counts.
const VERSION: u32 = 1;

/// Ids looked at together by one thread; what the digest is made of.
const CHUNK: usize = 1 << 20;

/// Ids from which on counts are remembered: fewer are counted in no time.
const LARGE: usize = 1 << 22;

/// What the ids come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How often each occurs in the training part, `[d_vocab]`.
    pub frequencies: Vec<u64>,
    /// How often the start token occurs, in both parts.
    pub starts: u64,
    /// blake3 of the ids of both parts, of whatever width and in however many files.
    pub digest: String,
}

/// Counts the ids of both parts. `identity` names the files; under it counts of many are kept in the
/// cache.
///
/// # Errors
/// If an id is beyond the vocabulary: its file, its place there, and what it is.
pub fn count(
    windows: &Windows,
    (d_vocab, start): (usize, u32),
    identity: blake3::Hash,
    cache: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<Counts> {
    let parts = windows.parts();
    let total: usize = parts.iter().map(|(_, range)| range.len()).sum();
    let key =
        format!("{VERSION} {identity} {d_vocab} {start} {:?}", parts.each_ref().map(|(_, range)| range));
    let name = blake3::hash(key.as_bytes()).to_hex()[..32].to_string();
    let path = cache.join("counts").join(name).with_extension("json");
    if total >= LARGE
        && let Some(known) = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
    {
        return Ok(known);
    }
    let bytes = parts.iter().map(|(ids, range)| ids.bytes(range)).sum();
    let mut counts = Counts { frequencies: Vec::new(), starts: 0, digest: String::new() };
    let (mut digest, mut done) = (blake3::Hasher::new(), 0);
    for (ids, range) in parts {
        digest.update(&(range.len() as u64).to_le_bytes());
        let mut frequencies = vec![0; d_vocab];
        for group in in_chunks(&range, CHUNK * rayon::current_num_threads()) {
            let chunks: Vec<Range<usize>> = in_chunks(&group, CHUNK).collect();
            let looked: Vec<_> = chunks.into_par_iter().map(|chunk| look(ids, chunk, d_vocab)).collect();
            for chunk in looked {
                let (counted, hash) = chunk?;
                frequencies.iter_mut().zip(counted).for_each(|(all, more)| *all += u64::from(more));
                digest.update(hash.as_bytes());
            }
            done += ids.bytes(&group);
            events(Event::Progress { what: "counting tokens", done, total: bytes });
        }
        counts.starts += frequencies.get(start as usize).copied().unwrap_or(0);
        if counts.frequencies.is_empty() {
            counts.frequencies = frequencies;
        }
    }
    counts.digest = digest.finalize().to_hex().to_string();
    if total >= LARGE {
        let bytes = serde_json::to_vec(&counts).map_err(|e| Error::message(e.to_string()))?;
        files::write(&path, &bytes).map_err(Error::write(&path))?;
    }
    Ok(counts)
}

fn in_chunks(range: &Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = range.end;
    range.clone().step_by(size).map(move |start| start..end.min(start + size))
}

/// How often each id occurs in a range, and the digest of its ids.
fn look(ids: &Ids, range: Range<usize>, d_vocab: usize) -> Result<(Vec<u32>, blake3::Hash)> {
    let (mut counted, mut bytes) = (vec![0; d_vocab], Vec::with_capacity(4 * range.len()));
    let (mut index, mut beyond) = (range.start, None);
    ids.each(range, |id| {
        match counted.get_mut(id) {
            Some(count) => *count += 1,
            None => _ = beyond.get_or_insert((index, id)),
        }
        bytes.extend_from_slice(&(id as u32).to_le_bytes());
        index += 1;
    });
    match beyond {
        None => Ok((counted, blake3::hash(&bytes))),
        Some((index, id)) => {
            let (path, place) = ids.place(index).unwrap_or((Path::new(""), index));
            Err(Error::message(format!(
                "{}: token {place}, counted from 0, is {id}, and the tokenizer has {d_vocab} tokens: these ids \
                 are another tokenizer's",
                path.display()
            )))
        }
    }
}
