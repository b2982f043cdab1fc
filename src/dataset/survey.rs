//! How much there is to read, before it is read.

use super::copies::Copies;
use super::documents::{Documents, Flow, total};
use super::store::{Facts, Store};
use crate::tokenizer::Tokenizer;
use std::cell::Cell;
use std::path::Path;

/// How much there is to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Documents; unknown where tokens were made elsewhere.
    pub documents: Option<u64>,
    /// Bytes: of text, or of the tokens that were made elsewhere.
    pub bytes: u64,
    /// Tokens, training and held out.
    pub tokens: u64,
    /// Whether that is counted, and not estimated.
    pub counted: bool,
    /// What there is to beware of, in words.
    pub warnings: Vec<String>,
}

impl Survey {
    /// Both together.
    pub fn and(self, other: Survey) -> Survey {
        Survey {
            documents: self.documents.zip(other.documents).map(|(a, b)| a + b),
            bytes: self.bytes + other.bytes,
            tokens: self.tokens + other.tokens,
            counted: self.counted && other.counted,
            warnings: [self.warnings, other.warnings].concat(),
        }
    }
}

/// Of how many archives the beginnings are looked at.
const LOOKED_AT: usize = 4;
/// How much of the text of each, in bytes.
const BEGINNING: u64 = 1 << 20;

/// How much text there is: what its token store says if that is there, else an estimate from the sizes of its files
/// and the beginnings of its archives. Without a tokenizer, as long as none was learned, there is no store either.
pub fn of_text(
    documents: &dyn Documents,
    tokenizer: Option<&Tokenizer>,
    cache: &Path,
    (window, d_vocab): (usize, usize),
) -> Survey {
    match tokenizer.and_then(|tokenizer| Store::find(documents, tokenizer, window, cache)) {
        Some(Store { facts: Facts { summary, .. }, windows, .. }) => Survey {
            documents: Some(summary.documents),
            bytes: summary.bytes,
            tokens: summary.tokens,
            counted: true,
            warnings: Copies::count(&windows, window, bytes_per_token(d_vocab))
                .warning()
                .into_iter()
                .collect(),
        },
        None => estimated(documents, d_vocab),
    }
}

fn estimated(documents: &dyn Documents, d_vocab: usize) -> Survey {
    let archives: Vec<usize> = (0..documents.files()).filter(|&i| !documents.single(i)).collect();
    let archived: u64 = archives.iter().map(|&i| documents.size(i)).sum();
    let (mut read, mut found, mut bytes) = (0, 0u64, 0u64);
    for &file in archives.iter().step_by(archives.len().div_ceil(LOOKED_AT).max(1)) {
        let (consumed, mut here) = (Cell::new(0), 0);
        documents.read(file, BEGINNING, &consumed, &mut |item| {
            here += item.map_or(0, |document| document.text.len() as u64);
            found += 1;
            Flow::Continue(())
        });
        read += consumed.get().min(documents.size(file));
        bytes += here;
    }
    let per_byte = |n: u64| if read == 0 { 0.0 } else { n as f64 / read as f64 };
    let plain = (documents.files() - archives.len()) as f64;
    let count = plain + per_byte(found) * archived as f64;
    let all = (total(documents) - archived) as f64 + per_byte(bytes) * archived as f64;
    // The budget ends the reading.
    let share = (documents.budget() as f64 / all.max(1.0)).min(1.0);
    let (count, bytes) = (count * share, all * share);
    Survey {
        documents: Some(count.ceil() as u64),
        bytes: bytes as u64,
        tokens: (count + bytes / bytes_per_token(d_vocab)) as u64,
        counted: false,
        warnings: Vec::new(),
    }
}

/// About how many bytes of English a token of byte-pair encoding has: 2.5 at 1024 tokens, 3.9 at GPT-2's.
pub fn bytes_per_token(d_vocab: usize) -> f64 {
    if d_vocab <= 257 { 1.0 } else { (d_vocab as f64).log2() / 4.0 }
}
