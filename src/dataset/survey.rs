//! How much there is to read, before it is read.

use super::documents::{Documents, Flow, total};
use super::store::Store;
use super::{Source, kind};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::tokenizer::learned;
use std::cell::Cell;
use std::path::Path;

/// How much there is to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Documents.
    pub documents: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Tokens, training and held out.
    pub tokens: u64,
    /// Whether that is counted in the token store, and not estimated.
    pub counted: bool,
}

/// Of how many archives the beginnings are looked at.
const LOOKED_AT: usize = 4;
/// How much of the text of each, in bytes.
const BEGINNING: u64 = 1 << 20;

/// How much a plan has to read: what its token store says if that is there, else an estimate from the
/// sizes of its files and the beginnings of its archives. Nothing where sequences are made on the spot.
///
/// # Errors
/// If the documents cannot be listed.
pub fn survey(plan: &Plan, cache: &Path) -> Result<Option<Survey>> {
    let Source::Documents(open) = kind(&plan.dataset)?.source else { return Ok(None) };
    let documents = open(&plan.dataset, plan.seed, &mut |_| {})?;
    // Nothing is learned for this: a tokenizer that is not there has no store either.
    let mut refuse = |_, _: &mut dyn FnMut(_)| Err(Error::message("there is no tokenizer yet"));
    let tokenizer = learned(&plan.tokenizer, cache, documents.identity(), &mut refuse, &mut |_| {});
    let facts = tokenizer.ok().and_then(|tokenizer| Store::facts(&*documents, &tokenizer, cache));
    Ok(Some(match facts {
        Some(facts) => Survey {
            documents: facts.summary.documents,
            bytes: facts.summary.bytes,
            tokens: facts.summary.tokens,
            counted: true,
        },
        None => estimated(&*documents, plan.d_vocab()),
    }))
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
        documents: count.ceil() as u64,
        bytes: bytes as u64,
        tokens: (count + bytes / bytes_per_token(d_vocab)) as u64,
        counted: false,
    }
}

/// About how many bytes of English a token of byte-pair encoding has: 2.5 at 1024 tokens, 3.9 at GPT-2's.
fn bytes_per_token(d_vocab: usize) -> f64 {
    if d_vocab <= 257 { 1.0 } else { (d_vocab as f64).log2() / 4.0 }
}
