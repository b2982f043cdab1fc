//! Tokens on disk, mapped into memory: text is tokenised once.
//!
//! A store is a folder `<digest>` with `training.bin` and `validation.bin` (ids, little-endian, u16
//! where the vocabulary allows, else u32) and `store.json`. `<|endoftext|>` stands before every
//! document. The folder appears by one rename; its name is the digest of the texts and the tokenizer.

use super::documents::{Document, Documents, groups};
use super::ids::Ids;
use super::windows::Windows;
use super::{Event, Summary};
use crate::error::{Error, Result};
use crate::files;
use crate::tokenizer::Tokenizer;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Counts up whenever the same texts and tokenizer give other files.
const VERSION: u32 = 1;

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
    /// What it says of itself.
    pub facts: Facts,
    /// Its ids.
    pub windows: Windows,
}

impl Store {
    /// Finds the store of these documents and this tokenizer, or makes it.
    ///
    /// # Errors
    /// If nothing could be read, the disk refuses, or there is less than two windows of tokens.
    pub fn open(
        documents: &dyn Documents,
        tokenizer: &Tokenizer,
        window: usize,
        cache: &Path,
        events: &mut dyn FnMut(Event),
    ) -> Result<Store> {
        if documents.count() == 0 {
            return Err(Error::message(documents.nothing()));
        }
        let folder = cache.join("stores");
        let shortcut = folder.join(key(documents.identity().as_bytes(), tokenizer)).with_extension("name");
        let named = fs::read_to_string(&shortcut).ok().map(|name| folder.join(name.trim()));
        if let Some(store) = named.and_then(|path| Store::read(&path, documents, window).ok()) {
            return Ok(store);
        }
        let name = key(contents(documents, events).as_bytes(), tokenizer);
        let path = folder.join(&name);
        if !path.join("store.json").exists() {
            write(documents, tokenizer, &path, events)?;
        }
        let store = Store::read(&path, documents, window)?;
        files::write(&shortcut, name.as_bytes()).map_err(Error::write(&shortcut))?;
        Ok(store)
    }

    fn read(path: &Path, documents: &dyn Documents, window: usize) -> Result<Store> {
        let json = path.join("store.json");
        let bytes = fs::read(&json).map_err(Error::read(&json))?;
        let damaged = |e| Error::message(format!("{} is damaged: {e}", json.display()));
        let facts: Facts = serde_json::from_slice(&bytes).map_err(damaged)?;
        let training = Ids::open(&path.join("training.bin"), facts.width)?;
        let validation = Ids::open(&path.join("validation.bin"), facts.width)?;
        let windows = Windows::held_out(training, validation, documents.validation_fraction(), window)?;
        Ok(Store { facts, windows })
    }
}

fn key(documents: &[u8; 32], tokenizer: &Tokenizer) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&VERSION.to_le_bytes());
    hasher.update(documents);
    hasher.update(tokenizer.digest().as_bytes());
    hasher.finalize().to_hex()[..32].to_string()
}

/// The digest of all texts.
fn contents(documents: &dyn Documents, events: &mut dyn FnMut(Event)) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&documents.validation_fraction().to_le_bytes());
    let total: u64 = (0..documents.count()).map(|i| documents.size(i)).sum();
    let mut done = 0;
    for group in groups(documents) {
        let digest =
            |i: usize| documents.read(i).ok().map(|d| (blake3::hash(d.text.as_bytes()), d.text.len()));
        let digests: Vec<_> = group.into_par_iter().map(digest).collect();
        for (digest, length) in digests.into_iter().flatten() {
            hasher.update(digest.as_bytes());
            done += length as u64;
        }
        events(Event::Progress { what: "reading", done, total });
    }
    hasher.finalize()
}

fn write(
    documents: &dyn Documents,
    tokenizer: &Tokenizer,
    path: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Error::write(folder))?;
    let temporary = tempfile::Builder::new().prefix(".writing-").tempdir_in(folder);
    let temporary = temporary.map_err(Error::write(folder))?;
    let facts = Writer::new(temporary.path(), documents, tokenizer)?.write(events)?;
    let bytes = serde_json::to_vec(&facts).map_err(|e| Error::message(e.to_string()))?;
    let json = temporary.path().join("store.json");
    files::write(&json, &bytes).map_err(Error::write(&json))?;
    // If another process was faster its store is as good: the rename fails and nothing is lost.
    match fs::rename(temporary.path(), path) {
        Ok(()) => {
            // The folder has its new name: there is nothing left to remove.
            let _ = temporary.keep();
            files::sync_folder(folder).map_err(Error::write(folder))
        }
        Err(_) if path.join("store.json").exists() => Ok(()),
        Err(error) => Err(Error::write(path)(error)),
    }
}

struct Writer<'a> {
    documents: &'a dyn Documents,
    tokenizer: &'a Tokenizer,
    training: BufWriter<File>,
    validation: BufWriter<File>,
    digest: blake3::Hasher,
    facts: Facts,
}

impl<'a> Writer<'a> {
    fn new(folder: &Path, documents: &'a dyn Documents, tokenizer: &'a Tokenizer) -> Result<Self> {
        let create = |name: &str| {
            let path = folder.join(name);
            File::create(&path).map(BufWriter::new).map_err(Error::write(&path))
        };
        let d_vocab = tokenizer.d_vocab();
        let width = if d_vocab <= 1 << 16 { 2 } else { 4 };
        Ok(Writer {
            documents,
            tokenizer,
            training: create("training.bin")?,
            validation: create("validation.bin")?,
            digest: blake3::Hasher::new(),
            facts: Facts { summary: Summary::default(), width, frequencies: vec![0; d_vocab] },
        })
    }

    fn write(mut self, events: &mut dyn FnMut(Event)) -> Result<Facts> {
        let documents = self.documents;
        let total: u64 = (0..documents.count()).map(|i| documents.size(i)).sum();
        let (mut done, mut passed_over) = (0, None);
        for group in groups(documents) {
            done += group.clone().map(|i| documents.size(i)).sum::<u64>();
            let read = |i: usize| match documents.read(i) {
                Ok(document) => Ok((self.tokenizer.encode(&document.text)?, document)),
                Err(why) => Err(Error::message(why)),
            };
            let encoded: Vec<Result<(Vec<u32>, Document)>> = group.into_par_iter().map(read).collect();
            for document in encoded {
                match document {
                    Ok((ids, document)) => self.document(&ids, &document)?,
                    Err(why) => {
                        self.facts.summary.skipped += 1;
                        passed_over.get_or_insert(why);
                    }
                }
            }
            events(Event::Progress { what: "tokenising", done, total });
        }
        if let Some(why) = passed_over {
            let count = self.facts.summary.skipped;
            events(Event::Warning(format!(
                "passed over {count} of {} files, first {why}",
                documents.count()
            )));
        }
        if self.facts.summary.documents == 0 {
            return Err(Error::message(documents.nothing()));
        }
        for file in [self.training, self.validation] {
            let file = file.into_inner().map_err(|e| Error::message(e.to_string()))?;
            file.sync_all().map_err(|e| Error::message(format!("cannot write the token store: {e}")))?;
        }
        self.facts.summary.digest = self.digest.finalize().to_hex().to_string();
        Ok(self.facts)
    }

    fn document(&mut self, ids: &[u32], document: &Document) -> Result<()> {
        self.digest.update(&(ids.len() as u64).to_le_bytes());
        // By a digest of the text: the same document is held out whatever stands beside it.
        let hash = blake3::hash(document.text.as_bytes());
        let bits: u64 = hash.as_bytes().iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b));
        let held_out = (bits as f64 / 2f64.powi(64)) < self.documents.validation_fraction();
        let file = if held_out { &mut self.validation } else { &mut self.training };
        let fail = |e| Error::message(format!("cannot write the token store: {e}"));
        for id in std::iter::once(&self.tokenizer.start()).chain(ids) {
            let bytes = id.to_le_bytes();
            file.write_all(&bytes[..self.facts.width]).map_err(fail)?;
            self.digest.update(&bytes);
            if !held_out && let Some(count) = self.facts.frequencies.get_mut(*id as usize) {
                *count += 1;
            }
        }
        let summary = &mut self.facts.summary;
        summary.documents += 1;
        summary.bytes += document.text.len() as u64;
        summary.tokens += ids.len() as u64 + 1;
        summary.replaced += u64::from(document.replaced);
        Ok(())
    }
}
