//! Bytes as tokens.

use super::{Make, START, TokenizerKind, byte_level, json};
use crate::spec::check::nothing;
use crate::spec::{Default, Key, Kind, Trait, Type};

/// The registry's entry.
pub const KIND: TokenizerKind = TokenizerKind {
    kind: Kind {
        name: "bytes",
        doc: "Every byte of UTF-8 is a token: token 0 is `<|endoftext|>`, token 1 + b the byte b. Nothing \
              is learned.",
        example: "kind = \"bytes\"",
        keys: &[Key {
            name: "d_vocab",
            ty: Type::Integer(257, 257),
            default: Default::Value("257"),
            doc: "size of the vocabulary: `<|endoftext|>` and 256 bytes",
        }],
        traits: &[Trait::TokenizesText],
        check: nothing,
    },
    make: Make::FromKeys(|_| {
        let bytes = (0..=255).map(|b| byte_level::character(b).to_string());
        let tokens: Vec<String> = std::iter::once(START.to_string()).chain(bytes).collect();
        json::byte_level_bpe(&tokens, &[], false)
    }),
};

#[cfg(test)]
mod tests {
    use super::super::Tokenizer;
    use super::*;

    #[test]
    fn a_byte_is_a_token() {
        let Make::FromKeys(make) = KIND.make else { panic!() };
        let chosen = crate::plan::Chosen { kind: "bytes".into(), config: toml::Table::new() };
        let json = make(&chosen).unwrap();
        let tokenizer = Tokenizer::from_json(&json).unwrap();
        assert_eq!((tokenizer.d_vocab(), tokenizer.start()), (257, 0));
        assert_eq!(tokenizer.encode("\0Aé").unwrap(), [1, 66, 1 + 0xc3, 1 + 0xa9]);
        assert_eq!(tokenizer.strings(&[66, 1 + 0xc3, 1, 33, 999]), ["A", "<0xC3>", "\0", " ", "<999>"]);
        let theirs = tokenizers::Tokenizer::from_bytes(&json).unwrap();
        let text = "Any text, é一 \n\n 's";
        assert_eq!(theirs.encode(text, false).unwrap().get_ids(), tokenizer.encode(text).unwrap());
    }
}
