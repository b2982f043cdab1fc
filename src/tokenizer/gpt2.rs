//! GPT-2's tokenizer, built in.

use super::{Make, START, TokenizerKind, byte_level, json};
use crate::error::Result;
use crate::spec::check::nothing;
use crate::spec::{Default, Key, Kind, Trait, Type};

/// The registry's entry.
pub const KIND: TokenizerKind = TokenizerKind {
    kind: Kind {
        name: "gpt2",
        doc: "GPT-2's byte-level byte-pair encoding (Radford et al. 2019), built in: the bytes are tokens 0 \
              to 255, then come 50 000 merges; `<|endoftext|>`, token 50256, starts every document.",
        example: "kind = \"gpt2\"",
        keys: &[Key {
            name: "d_vocab",
            ty: Type::Integer(50257, 50257),
            default: Default::Value("50257"),
            doc: "size of the vocabulary: 256 bytes, the merges and `<|endoftext|>`",
        }],
        traits: &[Trait::TokenizesText],
        check: nothing,
    },
    make: Make::FromKeys(|_| make()),
};

/// For every merge the two tokens that it joins, u16, little-endian. This is half of what the list of
/// tokens itself takes, needs no decompressor, and leaves out of a build what only its test needs:
/// `tiktoken-rs`, with the vocabularies of other models and a regular-expression engine of its own.
const MERGES: &[u8] = include_bytes!("../../assets/gpt2/merges.bin");

fn make() -> Result<Vec<u8>> {
    let mut stand_ins: Vec<char> = (0..=255).map(byte_level::character).collect();
    stand_ins.sort_unstable();
    let mut tokens: Vec<String> = stand_ins.into_iter().map(String::from).collect();
    let mut merges = Vec::with_capacity(MERGES.len() / 4);
    for pair in MERGES.chunks_exact(4) {
        let [left, right] =
            [&pair[..2], &pair[2..]].map(|id| usize::from(u16::from_le_bytes([id[0], id[1]])));
        tokens.push(format!("{}{}", tokens[left], tokens[right]));
        merges.push((left, right));
    }
    tokens.push(START.to_string());
    json::byte_level_bpe(&tokens, &merges, true)
}
