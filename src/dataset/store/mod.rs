//! Tokens on disk, mapped into memory: text is tokenised once.
//!
//! A store is a folder with `training.bin` and `validation.bin` (ids, little-endian, u16 where the
//! vocabulary allows, else u32), `documents.bin` (of each document in order, a little-endian u64: twice
//! its tokens, and one more if it is held out) and `store.json`. `<|endoftext|>` stands before every
//! document. The folder appears by one rename and is named by what is in it; a file beside it, named
//! by the sources and the tokenizer, says which store is theirs, without anything being read again.

mod abandoned;
mod journal;
mod keeper;
mod lock;
mod write;

use super::documents::Documents;
use super::ids::Ids;
use super::windows::Windows;
use super::{Event, Summary};
use crate::error::{Error, Result};
use crate::files;
use crate::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Counts up whenever the same documents and tokenizer give other files.
const VERSION: u32 = 3;

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
    /// Its ids.
    pub windows: Windows,
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
        let found = |folder: &Path| found(folder, &key, documents, tokenizer);
        if let Some((path, facts)) = found(&folder) {
            return Store::read(path, facts, documents, window);
        }
        let _alone = lock::hold(&folder.join(format!("{key}.lock")), events)?;
        // Another process may have made it by now.
        let (path, facts) = match found(&folder) {
            Some(found) => found,
            None => {
                let working = folder.join(format!(".working-{key}"));
                if let Some(place) = documents.place() {
                    let place = hash(&[place.as_bytes(), tokenizer.digest().as_bytes()]);
                    abandoned::remove(&folder, &key, &place)?;
                }
                let facts = write::make(documents, tokenizer, &working, events)?;
                let name = name(&facts, documents, tokenizer)?;
                // First its name, which leads nowhere yet: with the folder's last rename all is there.
                let named = folder.join(&key).with_extension("name");
                files::write(&named, name.as_bytes()).map_err(Error::write(&named))?;
                let path = keep(&working, &folder.join(&name), &facts)?;
                // Nothing reads it any more: it need not go at once.
                let _ = fs::remove_file(path.join(journal::NAME));
                abandoned::forget(&folder, &key);
                (path, facts)
            }
        };
        Store::read(path, facts, documents, window)
    }

    /// The store of these documents and this tokenizer, if there is one.
    pub fn find(
        documents: &dyn Documents,
        tokenizer: &Tokenizer,
        window: usize,
        cache: &Path,
    ) -> Option<Store> {
        let key = key(documents, tokenizer);
        let (path, facts) = found(&cache.join("stores"), &key, documents, tokenizer)?;
        Store::read(path, facts, documents, window).ok()
    }

    fn read(path: PathBuf, facts: Facts, documents: &dyn Documents, window: usize) -> Result<Store> {
        let training = Ids::open(&path.join("training.bin"), facts.width)?;
        let validation = Ids::open(&path.join("validation.bin"), facts.width)?;
        let windows = Windows::held_out(training, validation, documents.validation_fraction(), window)?;
        Ok(Store { path, facts, windows })
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
fn found(
    folder: &Path,
    key: &str,
    documents: &dyn Documents,
    tokenizer: &Tokenizer,
) -> Option<(PathBuf, Facts)> {
    let written = fs::read_to_string(folder.join(key).with_extension("name")).ok()?;
    let path = folder.join(written.trim());
    let facts: Facts = serde_json::from_slice(&fs::read(path.join("store.json")).ok()?).ok()?;
    // The name is a digest of the facts: others are damaged.
    let named = name(&facts, documents, tokenizer).ok()? == written.trim();
    (named && is_whole(&path, &facts)).then_some((path, facts))
}

/// Bytes of ids up to which a store is read through whenever it is opened: a fraction of a second.
const READ_THROUGH: u64 = 128 << 20;

/// Whether all tokens of a store are there, and, where there are not too many of them, are those that were written.
fn is_whole(path: &Path, facts: &Facts) -> bool {
    let length = |name: &str| fs::metadata(path.join(name)).map_or(0, |file| file.len());
    let bytes @ [training, held_out] = [length("training.bin"), length("validation.bin")];
    let (width, summary) = (facts.width as u64, &facts.summary);
    let tokens: u64 = bytes.iter().sum();
    let all = tokens == summary.tokens * width && length("documents.bin") == summary.documents * 8;
    all && (tokens > READ_THROUGH || journal::comes_to(facts, [training, held_out], path))
}

/// Gives a finished folder its name, unless the same store is there already.
fn keep(working: &Path, path: &Path, facts: &Facts) -> Result<PathBuf> {
    let discard = |folder: &Path| fs::remove_dir_all(folder).map_err(Error::write(folder));
    let same = |bytes: Vec<u8>| json(facts).is_ok_and(|facts| facts == bytes);
    let is_there = || fs::read(path.join("store.json")).is_ok_and(same) && is_whole(path, facts);
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
