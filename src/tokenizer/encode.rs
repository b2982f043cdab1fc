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

/// About how many bytes are encoded at once: the crate keeps more than a hundred for every one of them.
const PIECE: usize = 1 << 18;
/// A text in which nothing ends for so many bytes is cut where it is.
const LONGEST: usize = 1 << 20;

/// A text in pieces that end where GPT-2's words do, and those of every tokenizer of this project: after a single line
/// feed, or before a single space, between two characters that are not white space. After several they would not: of white
/// space before a word the last character belongs to the word.
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
    let ends = |&i: &usize| {
        let line = bytes[i - 1] == b'\n' && bytes[i - 2].is_ascii_graphic() && bytes[i].is_ascii_graphic();
        let word = bytes[i] == b' '
            && bytes[i - 1].is_ascii_graphic()
            && bytes.get(i + 1).is_some_and(u8::is_ascii_graphic);
        line || word
    };
    let within = text.len().min(LONGEST);
    let whole = |i: &usize| text.is_char_boundary(*i);
    (PIECE..within).find(ends).or_else(|| (0..=within).rev().find(whole)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_between_words_and_are_the_text() {
        let words = "word 'tis 12, (a)\n\n  b\nc  d ".repeat(60_000);
        let lengths: Vec<usize> = pieces(&words).map(str::len).collect();
        assert!(lengths.len() > 3 && lengths.iter().all(|length| *length < PIECE + 64), "{lengths:?}");
        assert_eq!(pieces(&words).collect::<String>(), words);
        let ends = |piece: &str| piece.ends_with("b\n") || piece.ends_with(|c: char| c.is_ascii_graphic());
        let whole: Vec<&str> = pieces(&words).collect();
        assert!(whole[..whole.len() - 1].iter().all(|piece| ends(piece)));
        let endless = "é".repeat(LONGEST);
        assert!(pieces(&endless).all(|piece| piece.len() <= LONGEST));
        assert_eq!(pieces(&endless).collect::<String>(), endless);
    }
}
