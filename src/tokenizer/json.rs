//! Reads and writes `tokenizer.json`.

use super::encode::Encoder;
use super::{START, byte_level};
use crate::error::{Error, Result};
use serde_json::{Value, json};
use tokenizers::DecoderWrapper;

/// Special tokens that can start a document, best first.
const STARTS: [&str; 9] =
    [START, "<|begin_of_text|>", "<s>", "<bos>", "[BOS]", "</s>", "<eos>", "<|end_of_text|>", "[CLS]"];

/// More tokens than any vocabulary has: a file that says so is broken.
const MOST: usize = 1 << 24;

/// What a file says.
pub struct Read {
    pub encoder: Encoder,
    pub texts: Vec<String>,
    pub start: u32,
}

/// Reads a file.
pub fn read(bytes: &[u8]) -> Result<Read> {
    let fail = |e: &dyn std::fmt::Display| Error::message(format!("this is not a tokenizer.json: {e}"));
    let value: Value = serde_json::from_slice(bytes).map_err(|e| fail(&e))?;
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| fail(&e))?;
    // Text is text: nothing in it is a special token, nothing is cut off or filled up.
    inner.set_encode_special_tokens(true);
    inner.with_truncation(None).map_err(|e| fail(&e))?;
    inner.with_padding(None);
    let vocabulary = inner.get_vocab(true);
    let size = vocabulary.values().max().map_or(0, |id| *id as usize + 1);
    if !(2..=MOST).contains(&size) {
        return Err(Error::message(format!("this tokenizer.json has {size} tokens")));
    }
    let is_ids = is_ids(&value, size);
    let start = match is_ids {
        true => Some(0),
        false => STARTS.iter().find_map(|name| vocabulary.get(*name).copied()),
    };
    let start = start.ok_or_else(|| {
        let names = STARTS[..8].join(", ");
        Error::message(format!("this tokenizer.json has no token to start documents with: none of {names}"))
    })?;
    let texts = texts(&inner, size);
    let encoder = match is_ids {
        true => Encoder::Ids(size as u32),
        false => Encoder::Text(Box::new(inner)),
    };
    // A private character that no vocabulary lists: what can write it can write everything.
    if let Err(error) = encoder.encode("\u{10fffd}") {
        return Err(Error::message(format!(
            "this tokenizer.json cannot write every text, because it has no unknown token: {error}"
        )));
    }
    Ok(Read { encoder, texts, start })
}

/// Whether the tokens are the names of their own ids.
fn is_ids(value: &Value, size: usize) -> bool {
    let Some(vocabulary) = value["model"]["vocab"].as_object() else { return false };
    let named = |(name, id): (&String, &Value)| id.as_u64().is_some_and(|id| id.to_string() == *name);
    value["model"]["type"] == "WordLevel" && vocabulary.len() == size && vocabulary.iter().all(named)
}

fn texts(inner: &tokenizers::Tokenizer, size: usize) -> Vec<String> {
    let in_bytes = matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
    let added = inner.get_added_tokens_decoder();
    let text = |id: u32| match inner.id_to_token(id) {
        None => format!("<unused {id}>"),
        Some(token) if added.contains_key(&id) => token,
        Some(token) if in_bytes => byte_level::decode(&token),
        // SentencePiece writes spaces so.
        Some(token) => token.replace('\u{2581}', " "),
    };
    (0..size as u32).map(text).collect()
}

/// Writes a byte-level BPE: the tokens by id, in stand-ins but for `<|endoftext|>`, and the two tokens
/// of each merge, in order; `words` cuts text into GPT-2's words first.
pub fn byte_level_bpe(tokens: &[String], merges: &[(usize, usize)], words: bool) -> Result<Vec<u8>> {
    let start = tokens.iter().position(|token| token == START).unwrap_or(0);
    let vocabulary: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    // A stand-in is never a space.
    let merges: Vec<String> =
        merges.iter().map(|&(left, right)| format!("{} {}", tokens[left], tokens[right])).collect();
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": words});
    let model = json!({
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": vocabulary, "merges": merges,
    });
    file((start, START), byte_level.clone(), byte_level, model)
}

/// Writes a whole file around a model; the start token has an id and a name.
pub fn file(
    (id, start): (usize, &str),
    pre_tokenizer: Value,
    decoder: Value,
    model: Value,
) -> Result<Vec<u8>> {
    let added = json!([{
        "id": id, "content": start, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    }]);
    let whole = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": pre_tokenizer, "post_processor": null,
        "decoder": decoder, "model": model,
    });
    serde_json::to_vec_pretty(&whole).map_err(|e| Error::message(e.to_string()))
}
