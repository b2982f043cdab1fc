//! Makes a tokenizer, or finds the one that was learned before.

use super::{Event, Make, Tokenizer, kind};
use crate::error::{Error, Result};
use crate::files;
use crate::plan::Chosen;
use std::fs;
use std::path::Path;

/// Gives about so many bytes of a dataset's text.
pub type Sample<'a> = dyn FnMut(u64, &mut dyn FnMut(Event)) -> Result<Vec<String>> + 'a;

/// The tokenizer of a plan. A learned one is kept in the cache under what it was learned from;
/// `identity` names the dataset without its text having been read, so that a tokenizer that is
/// there already needs no sample.
///
/// # Errors
/// If the sample, or a file, cannot be read or written.
pub fn learned(
    chosen: &Chosen,
    cache: &Path,
    identity: blake3::Hash,
    sample: &mut Sample<'_>,
    events: &mut dyn FnMut(Event),
) -> Result<Tokenizer> {
    let learn = match kind(chosen)?.make {
        Make::FromKeys(_) => return Tokenizer::from_keys(chosen),
        Make::FromText(learn) => learn,
    };
    let keys = chosen.config.to_string();
    let folder = cache.join("tokenizers");
    let shortcut = folder.join(key(&keys, identity.as_bytes())).with_extension("name");
    let named = fs::read_to_string(&shortcut).ok().map(|name| folder.join(name.trim()));
    if let Some(tokenizer) = named.and_then(|path| Tokenizer::load(&path).ok()) {
        return Ok(tokenizer);
    }
    let texts = sample((learn.bytes)(chosen), events)?;
    let mut hasher = blake3::Hasher::new();
    for text in &texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let name = format!("{}.json", key(&keys, hasher.finalize().as_bytes()));
    let path = folder.join(&name);
    let tokenizer = match Tokenizer::load(&path) {
        Ok(tokenizer) => tokenizer,
        Err(_) => {
            let total = texts.iter().map(|t| t.len() as u64).sum();
            events(Event::Progress { what: "learning the tokenizer", done: 0, total });
            let json = (learn.make)(chosen, &texts)?;
            files::write(&path, &json).map_err(Error::write(&path))?;
            events(Event::Progress { what: "learning the tokenizer", done: total, total });
            Tokenizer::from_json(&json)?
        }
    };
    files::write(&shortcut, name.as_bytes()).map_err(Error::write(&shortcut))?;
    Ok(tokenizer)
}

/// Counts up whenever the same text and keys give another tokenizer.
const VERSION: u32 = 1;

fn key(keys: &str, text: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&VERSION.to_le_bytes());
    hasher.update(&(keys.len() as u64).to_le_bytes());
    hasher.update(keys.as_bytes());
    hasher.update(text);
    hasher.finalize().to_hex().to_string()
}
