//! Byte-level BPE, learned from the dataset.

use super::{Learn, Make, START, TokenizerKind};
use crate::error::{Error, Result};
use crate::plan::Chosen;
use crate::spec::check::nothing;
use crate::spec::{Default, Key, Kind, Trait, Type};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, DecoderWrapper, PreTokenizerWrapper, Tokenizer};

/// The registry's entry.
pub const KIND: TokenizerKind = TokenizerKind {
    kind: Kind {
        name: "bpe",
        doc: "Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019), learned from a \
              sample spread over the dataset. Token 0 is `<|endoftext|>`; then come the bytes and the \
              merges, most frequent first. The vocabulary has `d_vocab` tokens even where the text is too \
              small to fill it.",
        example: "kind = \"bpe\"\nd_vocab = 1024",
        keys: &[
            Key {
                name: "d_vocab",
                ty: Type::Integer(257, 1 << 20),
                default: Default::Value("1024"),
                doc: "size of the vocabulary: `<|endoftext|>`, 256 bytes and the merges",
            },
            Key {
                name: "sample_bytes",
                ty: Type::Integer(1, i64::MAX),
                default: Default::Value("8_000_000"),
                doc: "how much text it is learned from",
            },
        ],
        traits: &[Trait::TokenizesText, Trait::LearnsFromText],
        check: nothing,
    },
    make: Make::FromText(Learn { bytes: |chosen| integer(chosen, "sample_bytes"), make }),
};

fn integer(chosen: &Chosen, key: &str) -> u64 {
    let value = chosen.config.get(key).and_then(toml::Value::as_integer);
    value.and_then(|i| u64::try_from(i).ok()).unwrap_or(0)
}

fn make(chosen: &Chosen, sample: &[String]) -> Result<Vec<u8>> {
    train(sample, integer(chosen, "d_vocab") as usize)
}

/// Learns a vocabulary of `d_vocab` tokens; the same sample gives the same bytes.
///
/// # Errors
/// What the `tokenizers` crate says.
pub fn train(sample: &[String], d_vocab: usize) -> Result<Vec<u8>> {
    let trainer = BpeTrainer::builder()
        .vocab_size(d_vocab)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(START, true)])
        .build();
    let byte_level = ByteLevel::new(false, true, true);
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(byte_level)));
    tokenizer.with_decoder(Some(DecoderWrapper::ByteLevel(byte_level)));
    let mut trainer = TrainerWrapper::BpeTrainer(trainer);
    tokenizer.train(&mut trainer, sample.iter().map(String::as_str)).map_err(failed)?;
    // The model's size is the plan's, whatever the text gave.
    let missing = tokenizer.get_vocab_size(true)..d_vocab;
    let unused: Vec<AddedToken> =
        missing.map(|id| AddedToken::from(format!("<unused {id}>"), true)).collect();
    tokenizer.add_special_tokens(unused).map_err(failed)?;
    Ok(tokenizer.to_string(true).map_err(failed)?.into_bytes())
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::message(format!("the tokenizer cannot be learned: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::Tokenizer;
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_bytes() {
        let sample = vec![include_str!("bpe.rs").repeat(2), include_str!("mod.rs").to_string()];
        let json = train(&sample, 600).unwrap();
        for _ in 0..3 {
            assert!(train(&sample, 600).unwrap() == json);
        }
        let tokenizer = Tokenizer::from_json(&json).unwrap();
        assert_eq!((tokenizer.d_vocab(), tokenizer.start()), (600, 0));
        assert_eq!(tokenizer.strings(&[0]), ["<|endoftext|>"]);
    }

    #[test]
    fn text_survives_and_special_tokens_in_it_are_text() {
        let tokenizer = Tokenizer::from_json(&train(&["the theme then".repeat(9)], 270).unwrap()).unwrap();
        let text = "the then <|endoftext|>\n\0é一 them";
        let ids = tokenizer.encode(text).unwrap();
        assert!(!ids.contains(&0));
        let back = tokenizer.strings(&ids).concat();
        assert_eq!(back.replace("<0xE4><0xB8><0x80>", "一").replace("<0xC3><0xA9>", "é"), text);
        assert!(ids.len() < text.len());
    }

    #[test]
    fn too_little_text_still_fills_the_vocabulary() {
        for text in ["", "ab", "ab ab"] {
            let tokenizer = Tokenizer::from_json(&train(&[text.to_string()], 300).unwrap()).unwrap();
            assert_eq!(tokenizer.d_vocab(), 300);
            let ids = tokenizer.encode("ab ab <unused 299>").unwrap();
            assert_eq!(tokenizer.strings(&ids).concat(), "ab ab <unused 299>");
        }
    }
}
