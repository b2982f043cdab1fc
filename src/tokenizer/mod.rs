//! Text to tokens and back. Every tokenizer is its `tokenizer.json` in the form of Hugging Face:
//! what makes one makes that file, and reading the file gives the tokenizer again.

mod bpe;
mod byte_level;
mod bytes;
mod encode;
mod file;
mod gpt2;
mod hub;
mod ids;
mod json;
mod learned;

pub use bpe::train as train_bpe;
pub use hub::{CACHE, REVISION};
pub use learned::learned;

use crate::error::{Error, Result};
use crate::plan::Chosen;
use crate::spec::Kind;
use encode::Encoder;
use std::path::Path;

/// A way to make a tokenizer.
#[derive(Debug)]
pub struct TokenizerKind {
    /// Its entry in the language.
    pub kind: Kind,
    /// What makes its `tokenizer.json`.
    pub make: Make,
}

/// What makes a `tokenizer.json`.
#[derive(Debug, Clone, Copy)]
pub enum Make {
    /// Its keys alone.
    FromKeys(fn(&Chosen) -> Result<Vec<u8>>),
    /// Its keys and a sample of the dataset's text.
    FromText(Learn),
}

/// How a tokenizer is learned.
#[derive(Debug, Clone, Copy)]
pub struct Learn {
    /// How many bytes of text it wants.
    pub bytes: fn(&Chosen) -> u64,
    /// Makes the file from a sample.
    pub make: fn(&Chosen, &[String]) -> Result<Vec<u8>>,
}

/// The kinds of tokenizer.
pub const KINDS: &[&TokenizerKind] =
    &[&bpe::KIND, &bytes::KIND, &gpt2::KIND, &file::KIND, &hub::KIND, &ids::KIND];

/// The kind a plan has chosen.
pub fn kind(chosen: &Chosen) -> Result<&'static TokenizerKind> {
    let found = KINDS.iter().copied().find(|k| k.kind.name == chosen.kind);
    found.ok_or_else(|| Error::message(format!("there is no tokenizer {:?}", chosen.kind)))
}

/// The special token that starts every document.
pub const START: &str = "<|endoftext|>";

/// Something that takes a while, or goes wrong without stopping anything: for a display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// So much of something is done.
    Progress {
        /// What is being done: `reading`, `tokenising` …
        what: &'static str,
        /// How much of it is done, in bytes.
        done: u64,
        /// How much there is, as far as is known.
        total: u64,
    },
    /// Something that was passed over, in words.
    Warning(String),
}

/// Text to tokens and back.
#[derive(Debug)]
pub struct Tokenizer {
    json: Vec<u8>,
    encoder: Encoder,
    texts: Vec<String>,
    start: u32,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// In words, if it is none, has no token to start documents with, or cannot write every text.
    pub fn from_json(json: &[u8]) -> Result<Tokenizer> {
        let read = json::read(json)?;
        Ok(Tokenizer { json: json.to_vec(), encoder: read.encoder, texts: read.texts, start: read.start })
    }

    /// Makes a tokenizer that learns nothing from text.
    ///
    /// # Errors
    /// If it is of a kind that does, or its file cannot be read.
    pub fn from_keys(chosen: &Chosen) -> Result<Tokenizer> {
        match kind(chosen)?.make {
            Make::FromKeys(make) => Tokenizer::from_json(&make(chosen)?),
            Make::FromText(_) => {
                Err(Error::message(format!("the tokenizer {:?} is learned from text", chosen.kind)))
            }
        }
    }

    /// Reads a `tokenizer.json` from a file.
    ///
    /// # Errors
    /// If the file cannot be read, or as [`Tokenizer::from_json`].
    pub fn load(path: &Path) -> Result<Tokenizer> {
        let json = std::fs::read(path).map_err(Error::read(path))?;
        Tokenizer::from_json(&json).map_err(|e| Error::message(format!("{}: {e}", path.display())))
    }

    /// The tokens of a text. What looks like a special token in it is text; no start token is added.
    ///
    /// # Errors
    /// What the `tokenizers` crate says.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encoder.encode(text)
    }

    /// Each token's text, as it stands in a text: spaces are spaces. Bytes that are not a whole
    /// character read `<0xE2>`.
    pub fn strings(&self, ids: &[u32]) -> Vec<String> {
        let text = |id: &u32| match self.texts.get(*id as usize) {
            Some(text) => text.clone(),
            None => format!("<{id}>"),
        };
        ids.iter().map(text).collect()
    }

    /// Size of the vocabulary.
    pub fn d_vocab(&self) -> usize {
        self.texts.len()
    }

    /// The token that starts every document.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// Whether it reads text, rather than numbers.
    pub fn reads_text(&self) -> bool {
        !matches!(self.encoder, Encoder::Ids(_))
    }

    /// The file in the form of Hugging Face.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// BLAKE3 of the file, in hexadecimal.
    pub fn digest(&self) -> String {
        blake3::hash(&self.json).to_hex().to_string()
    }
}
