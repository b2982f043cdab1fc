//! Tokens on disk, mapped into memory: text is tokenised once.
//!
//! A store is a folder with `training.bin` and `validation.bin` (ids, little-endian, u16 where the
//! vocabulary allows, else u32), `documents.bin` (of each document in order, a little-endian u64: twice
//! its tokens, and one more if it is held out) and `store.json`. `<|endoftext|>` stands before every
//! document. The folder appears by one rename and is named by what is in it; a file beside it, named
//! by the sources and the tokenizer, says which store is theirs, without anything being read again.

mod journal;
mod lock;
mod write;

use super::documents::Documents;
use super::{Event, Summary};
use crate::error::{Error, Result};
use crate::files;
use crate::random::{self, Stream};
use crate::tokenizer::Tokenizer;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Counts up whenever the same documents and tokenizer give other files.
const VERSION: u32 = 2;

/// `store.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What was read.
    pub summary: Summary,
    /// Bytes of an id: 2 or 4.
    pub width: usize,
    /// How often each token occurs in the training part.
    pub frequencies: Vec<u64>,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    /// Its folder.
    pub path: PathBuf,
    /// What it says of itself.
    pub facts: Facts,
    training: Ids,
    /// The held-out ids, and which of them: all, or the end of the training part of a text that is
    /// one document.
    validation: Option<Ids>,
    training_range: Range<usize>,
    validation_range: Range<usize>,
}

#[derive(Debug)]
struct Ids {
    map: Option<Mmap>,
    width: usize,
}

impl Ids {
    fn open(path: &Path, width: usize) -> Result<Ids> {
        let file = File::open(path).map_err(Error::read(path))?;
        let length = file.metadata().map_err(Error::read(path))?.len();
        // SAFETY: stores are written once, under another name, and never changed afterwards.
        let map =
            if length == 0 { None } else { Some(unsafe { Mmap::map(&file) }.map_err(Error::read(path))?) };
        Ok(Ids { map, width })
    }

    fn len(&self) -> usize {
        self.map.as_ref().map_or(0, |m| m.len() / self.width)
    }

    fn window(&self, range: Range<usize>) -> Vec<usize> {
        let Some(map) = &self.map else { return Vec::new() };
        let bytes = &map[range.start * self.width..range.end * self.width];
        let id = |b: &[u8]| b.iter().rev().fold(0, |id, byte| id << 8 | usize::from(*byte));
        bytes.chunks_exact(self.width).map(id).collect()
    }
}

impl Store {
    /// Finds the store of these documents and this tokenizer, or makes it, or goes on making it.
    ///
    /// # Errors
    /// If nothing could be read, too much of it is broken, the disk refuses, or there is less than two
    /// windows of tokens.
    pub fn open(
        documents: &dyn Documents,
        tokenizer: &Tokenizer,
        window: usize,
        cache: &Path,
        events: &mut dyn FnMut(Event),
    ) -> Result<Store> {
        if documents.files() == 0 {
            return Err(Error::message(documents.nothing()));
        }
        let folder = cache.join("stores");
        let key = key(documents, tokenizer);
        let found = |folder: &Path| found(folder, &key);
        if let Some((path, facts)) = found(&folder) {
            return Store::read(path, facts, documents, window);
        }
        let _alone = lock::hold(&folder.join(format!("{key}.lock")), events)?;
        // Another process may have made it by now.
        let (path, facts) = match found(&folder) {
            Some(found) => found,
            None => {
                let working = folder.join(format!(".working-{key}"));
                let facts = write::make(documents, tokenizer, &working, events)?;
                let name = name(&facts, documents, tokenizer)?;
                // First its name, which leads nowhere yet: with the folder's last rename all is there.
                let named = folder.join(&key).with_extension("name");
                files::write(&named, name.as_bytes()).map_err(Error::write(&named))?;
                let path = keep(&working, &folder.join(&name), &facts)?;
                // Nothing reads it any more: it need not go at once.
                let _ = fs::remove_file(path.join(journal::NAME));
                (path, facts)
            }
        };
        Store::read(path, facts, documents, window)
    }

    /// What is known of the store of these documents and this tokenizer, if there is one.
    pub fn facts(documents: &dyn Documents, tokenizer: &Tokenizer, cache: &Path) -> Option<Facts> {
        found(&cache.join("stores"), &key(documents, tokenizer)).map(|(_, facts)| facts)
    }

    fn read(path: PathBuf, facts: Facts, documents: &dyn Documents, window: usize) -> Result<Store> {
        let training = Ids::open(&path.join("training.bin"), facts.width)?;
        let validation = Ids::open(&path.join("validation.bin"), facts.width)?;
        let (n, m) = (training.len(), validation.len());
        if m >= window && n >= window {
            let (training_range, validation_range) = (0..n, 0..m);
            return Ok(Store {
                path,
                facts,
                training,
                validation: Some(validation),
                training_range,
                validation_range,
            });
        }
        // Too few documents to hold some out whole: the end of the longer part is held out.
        let longer = if n >= m { training } else { validation };
        let total = longer.len();
        let held = ((total as f64 * documents.validation_fraction()) as usize).max(window);
        if total < held + window {
            let tokens = facts.summary.tokens;
            return Err(Error::message(format!(
                "the dataset has {tokens} tokens; a training and a held-out window need {}",
                2 * window
            )));
        }
        let (training_range, validation_range) = (0..total - held, total - held..total);
        Ok(Store { path, facts, training: longer, validation: None, training_range, validation_range })
    }

    /// A random window of the training part.
    pub fn training(&self, rng: &mut Stream, width: usize) -> Vec<usize> {
        let starts = self.training_range.len() + 1 - width;
        let start = self.training_range.start + random::below(rng, starts as u64) as usize;
        self.training.window(start..start + width)
    }

    /// At most `count` tokens of the training part: all of it, or 64 stretches, evenly spread.
    pub fn stretches(&self, count: usize) -> Vec<Vec<usize>> {
        const STRETCHES: usize = 64;
        let range = &self.training_range;
        if range.len() <= count {
            return vec![self.training.window(range.clone())];
        }
        let width = count / STRETCHES;
        let start = |i: usize| range.start + (range.len() - width) * i / (STRETCHES - 1);
        (0..STRETCHES).map(|i| self.training.window(start(i)..start(i) + width)).collect()
    }

    fn held_out(&self, start: usize, width: usize) -> Vec<usize> {
        let start = self.validation_range.start + start;
        self.validation.as_ref().unwrap_or(&self.training).window(start..start + width)
    }

    /// Held-out windows, evenly spread.
    pub fn validation(&self, count: usize, width: usize) -> Vec<Vec<usize>> {
        let length = self.validation_range.len();
        let count = count.min(length / width).max(1);
        let start = |i: usize| (length - width) * i / (count - 1).max(1);
        (0..count).map(|i| self.held_out(start(i), width)).collect()
    }

    /// Held-out passages without the start token.
    pub fn passages(&self, rng: &mut Stream, count: usize, length: usize, start: u32) -> Vec<Vec<usize>> {
        const TRIES: usize = 200;
        let starts = (self.validation_range.len() + 1).saturating_sub(length) as u64;
        if starts == 0 {
            return Vec::new();
        }
        let mut passage = || {
            let mut tries = (0..TRIES).map(|_| self.held_out(random::below(rng, starts) as usize, length));
            tries.find(|p| !p.contains(&(start as usize)))
        };
        (0..count).filter_map(|_| passage()).collect()
    }
}

/// Names the sources and the tokenizer.
fn key(documents: &dyn Documents, tokenizer: &Tokenizer) -> String {
    hash(&[documents.identity().as_bytes(), tokenizer.digest().as_bytes()])
}

/// Names what is in a store.
fn name(facts: &Facts, documents: &dyn Documents, tokenizer: &Tokenizer) -> Result<String> {
    let held_out = documents.validation_fraction().to_le_bytes();
    Ok(hash(&[&json(facts)?, &held_out, tokenizer.digest().as_bytes()]))
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&VERSION.to_le_bytes());
    parts.iter().for_each(|part| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    });
    hasher.finalize().to_hex()[..32].to_string()
}

fn json(facts: &Facts) -> Result<Vec<u8>> {
    serde_json::to_vec(facts).map_err(|e| Error::message(e.to_string()))
}

/// The whole store that a key leads to.
fn found(folder: &Path, key: &str) -> Option<(PathBuf, Facts)> {
    let name = fs::read_to_string(folder.join(key).with_extension("name")).ok()?;
    let path = folder.join(name.trim());
    let facts: Facts = serde_json::from_slice(&fs::read(path.join("store.json")).ok()?).ok()?;
    is_whole(&path, &facts).then_some((path, facts))
}

/// Whether all tokens of a store are there.
fn is_whole(path: &Path, facts: &Facts) -> bool {
    let length = |name: &str| fs::metadata(path.join(name)).map_or(0, |file| file.len());
    let tokens = length("training.bin") + length("validation.bin");
    let (width, summary) = (facts.width as u64, &facts.summary);
    tokens == summary.tokens * width && length("documents.bin") == summary.documents * 8
}

/// Gives a finished folder its name, unless the same store is there already.
fn keep(working: &Path, path: &Path, facts: &Facts) -> Result<PathBuf> {
    let discard = |folder: &Path| fs::remove_dir_all(folder).map_err(Error::write(folder));
    let is_there = || path.join("store.json").exists() && is_whole(path, facts);
    if path.exists() && !is_there() {
        discard(path)?;
    }
    if !is_there() {
        match fs::rename(working, path) {
            Ok(()) => {
                let folder = path.parent().unwrap_or(path);
                files::sync_folder(folder).map_err(Error::write(folder))?;
                return Ok(path.into());
            }
            // Another process has just read the same texts elsewhere.
            Err(_) if is_there() => {}
            Err(error) => return Err(Error::write(path)(error)),
        }
    }
    discard(working)?;
    Ok(path.into())
}
