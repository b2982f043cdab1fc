//! What is written of an unfinished store, so that a process that was killed can be followed by another.

use super::{Event, Facts};
use crate::dataset::documents::Place;
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

/// The journal's file.
pub const NAME: &str = "journal.json";

/// What of the files has been flushed to the disk, and what it was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Journal {
    /// How far reading had come.
    pub place: Place,
    /// Documents.
    pub documents: u64,
    /// Tokens of the training part.
    pub training: u64,
    /// Tokens of the held-out part.
    pub held_out: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// What was skipped, broken or not.
    pub skipped: u64,
    /// What was broken.
    pub broken: u64,
    /// Bytes of files that could not be read.
    pub lost: u64,
    /// Documents with bytes that were replaced.
    pub replaced: u64,
    /// The first of what was skipped, in words.
    pub first: Vec<String>,
    /// blake3 of all this without it, once it is written.
    pub seal: String,
}

impl Journal {
    /// The journal of a folder in which ids have `width` bytes; an empty one where nothing was begun.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn find(folder: &Path, width: usize) -> Result<Journal> {
        fs::create_dir_all(folder).map_err(Error::write(folder))?;
        let bytes = fs::read(folder.join(NAME)).unwrap_or_default();
        let journal: Journal = serde_json::from_slice(&bytes).unwrap_or_default();
        // As after a disk that filled up, or lost what it was told to keep.
        let whole = journal.sealed()? == journal && journal.is_backed(folder, width as u64);
        Ok(if whole { journal } else { Journal::default() })
    }

    fn sealed(&self) -> Result<Journal> {
        let open = Journal { seal: String::new(), ..self.clone() };
        let seal = blake3::hash(&json(&open)?).to_hex().to_string();
        Ok(Journal { seal, ..open })
    }

    fn is_backed(&self, folder: &Path, width: u64) -> bool {
        let has = |name: &str, least: u64| fs::metadata(folder.join(name)).map_or(0, |f| f.len()) >= least;
        has("training.bin", width * self.training)
            && has("validation.bin", width * self.held_out)
            && has("documents.bin", 8 * self.documents)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(NAME);
        files::write(&path, &json(&self.sealed()?)?).map_err(Error::write(&path))
    }

    /// Counts again what was written before: the digest of its documents, and the frequencies. Says whether the
    /// documents come to what the journal says.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn recount(
        &self,
        folder: &Path,
        facts: &mut Facts,
        digest: &mut blake3::Hasher,
        events: &mut dyn FnMut(Event),
    ) -> Result<bool> {
        let open = |name: &str| {
            let path = folder.join(name);
            File::open(&path).map(BufReader::new).map_err(Error::read(&path))
        };
        let mut parts = [open("training.bin")?, open("validation.bin")?];
        let mut documents = open("documents.bin")?;
        let (total, mut done) = (self.training + self.held_out, 0);
        let mut left = [self.training, self.held_out];
        let mut ids = Vec::new();
        for number in 0..self.documents {
            let mut entry = [0; 8];
            documents.read_exact(&mut entry).map_err(Error::read(folder))?;
            let entry = u64::from_le_bytes(entry);
            let (tokens, held_out) = (entry >> 1, entry & 1 == 1);
            // One is the start token.
            match left[usize::from(held_out)].checked_sub(tokens) {
                Some(rest) if tokens > 0 => left[usize::from(held_out)] = rest,
                _ => return Ok(false),
            }
            let bytes = tokens * facts.width as u64;
            let mut document = (&mut parts[usize::from(held_out)]).take(bytes);
            digest.update(&(tokens - 1).to_le_bytes());
            ids.resize((1 << 14) * facts.width, 0);
            loop {
                let read = read_full(&mut document, &mut ids).map_err(Error::read(folder))?;
                if read == 0 {
                    break;
                }
                count(&ids[..read], held_out, facts, digest);
            }
            done += tokens;
            if number % 4096 == 0 {
                events(Event::Progress { what: "finding the place", done, total });
            }
        }
        Ok(left == [0, 0])
    }
}

/// Whether a folder's documents, with so many bytes of ids for training and held out, come to what is said of them.
pub fn comes_to(facts: &Facts, [training, held_out]: [u64; 2], folder: &Path) -> bool {
    let (width, documents) = (facts.width as u64, facts.summary.documents);
    let journal =
        Journal { documents, training: training / width, held_out: held_out / width, ..Journal::default() };
    let mut counted = Facts { frequencies: vec![0; facts.frequencies.len()], ..facts.clone() };
    let mut digest = blake3::Hasher::new();
    let whole = journal.recount(folder, &mut counted, &mut digest, &mut |_| {});
    let same = digest.finalize().to_hex().as_str() == facts.summary.digest && counted == *facts;
    whole.is_ok_and(|whole| whole && same)
}

fn json(journal: &Journal) -> Result<Vec<u8>> {
    serde_json::to_vec(journal).map_err(|e| Error::message(e.to_string()))
}

/// Takes ids, as they stand in a file, into account.
pub fn count(ids: &[u8], held_out: bool, facts: &mut Facts, digest: &mut blake3::Hasher) {
    const TOGETHER: usize = 1 << 12;
    let mut all = Vec::with_capacity(4 * TOGETHER);
    for some in ids.chunks(TOGETHER * facts.width) {
        all.clear();
        for id in some.chunks_exact(facts.width) {
            let mut wide = [0; 4];
            wide[..id.len()].copy_from_slice(id);
            all.extend(wide);
            if !held_out && let Some(count) = facts.frequencies.get_mut(u32::from_le_bytes(wide) as usize) {
                *count += 1;
            }
        }
        digest.update(&all);
    }
}

/// Fills a buffer as far as there is something.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match input.read(&mut buffer[read..])? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}
