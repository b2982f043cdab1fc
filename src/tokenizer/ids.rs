//! Tokens that are nothing but numbers.

use super::{Make, TokenizerKind, json};
use crate::error::{Error, Result};
use crate::plan::Chosen;
use crate::spec::check::nothing;
use crate::spec::{Default, Key, Kind, Type};
use serde_json::{Value, json};

/// The registry's entry.
pub const KIND: TokenizerKind = TokenizerKind {
    kind: Kind {
        name: "ids",
        doc: "Tokens that are nothing but numbers, for datasets that are not text: token 17 reads \"17\". \
              Token 0 is the start token.",
        example: "kind = \"ids\"\nd_vocab = 128",
        keys: &[Key {
            name: "d_vocab",
            ty: Type::Integer(2, 1 << 20),
            default: Default::Required,
            doc: "size of the vocabulary, the start token included",
        }],
        traits: &[],
        check: nothing,
    },
    make: Make::FromKeys(make),
};

fn make(chosen: &Chosen) -> Result<Vec<u8>> {
    let size = chosen.config.get("d_vocab").and_then(toml::Value::as_integer);
    let size = size.ok_or_else(|| Error::message("the tokenizer `ids` has no `d_vocab`"))?;
    let vocabulary: serde_json::Map<String, Value> = (0..size).map(|i| (i.to_string(), i.into())).collect();
    let model = json!({"type": "WordLevel", "vocab": vocabulary, "unk_token": "0"});
    json::file((0, "0"), json!({"type": "WhitespaceSplit"}), Value::Null, model)
}

#[cfg(test)]
mod tests {
    use super::super::Tokenizer;
    use super::*;

    #[test]
    fn a_number_is_a_token() {
        let config = toml::from_str("d_vocab = 128").unwrap();
        let tokenizer = Tokenizer::from_json(&make(&Chosen { kind: "ids".into(), config }).unwrap()).unwrap();
        assert_eq!((tokenizer.d_vocab(), tokenizer.start(), tokenizer.reads_text()), (128, 0, false));
        assert_eq!(tokenizer.strings(&[0, 17, 127, 128]), ["0", "17", "127", "<128>"]);
        assert_eq!(tokenizer.encode("17 3\n127 128 x -1").unwrap(), [17, 3, 127]);
    }
}
