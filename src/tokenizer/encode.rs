//! Text to ids.

use crate::error::{Error, Result};
use tokenizers::Tokenizer;

/// How text becomes ids.
#[derive(Debug)]
pub enum Encoder {
    /// Numbers below this are their own ids.
    Ids(u32),
    /// As the `tokenizers` crate does it.
    Text(Box<Tokenizer>),
}

impl Encoder {
    /// The ids of a text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        match self {
            Encoder::Ids(size) => {
                let id = |word: &str| word.parse().ok().filter(|id| id < size);
                Ok(text.split_whitespace().filter_map(id).collect())
            }
            Encoder::Text(inner) => {
                let failed = |e| Error::message(format!("the tokenizer failed on a text: {e}"));
                let mut ids = Vec::with_capacity(text.len() / 2);
                for piece in pieces(text) {
                    let encoding = inner.encode_fast(piece, false).map_err(failed)?;
                    ids.extend_from_slice(encoding.get_ids());
                }
                Ok(ids)
            }
        }
    }
}

/// About how many bytes are encoded at once: the crate keeps several words for every character.
const PIECE: usize = 1 << 18;

/// A text in pieces that end where a single line feed stands between two characters that are not white
/// space: there every tokenizer of this project cuts words anyway. After several, GPT-2 would not: of
/// white space before a word the last character is a word of its own.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(cut(rest));
        rest = after;
        Some(piece)
    })
}

fn cut(text: &str) -> usize {
    if text.len() <= PIECE {
        return text.len();
    }
    let bytes = text.as_bytes();
    let ends_line =
        |&i: &usize| bytes[i - 2].is_ascii_graphic() && bytes[i - 1] == b'\n' && bytes[i].is_ascii_graphic();
    (PIECE..text.len()).find(ends_line).unwrap_or(text.len())
}
