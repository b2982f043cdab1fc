//! A tokenizer from a file.

use super::{Make, Tokenizer, TokenizerKind};
use crate::error::{Error, Result};
use crate::files;
use crate::plan::Chosen;
use crate::spec::{Checking, Default, Key, Kind, Trait, Type, nearest_file};
use std::path::{Path, PathBuf};

/// The registry's entry.
pub const KIND: TokenizerKind = TokenizerKind {
    kind: Kind {
        name: "file",
        doc: "A `tokenizer.json` in the form of Hugging Face. Its `<|endoftext|>`, or else its token for \
              the beginning or end of a text (`<s>`, `</s>` …), starts every document.",
        example: "kind = \"file\"\npath = \"tokenizer.json\"",
        keys: &[Key { name: "path", ty: Type::Path, default: Default::Required, doc: "the file" }, D_VOCAB],
        traits: &[Trait::TokenizesText],
        check,
    },
    make: Make::FromKeys(make),
};

/// Of every tokenizer that is a file.
pub const D_VOCAB: Key = Key {
    name: "d_vocab",
    ty: Type::Integer(2, 1 << 24),
    default: Default::Computed("what the file has, added tokens included"),
    doc: "size of the vocabulary; if it is written, the file must have it",
};

fn path(chosen: &toml::Table) -> std::result::Result<PathBuf, String> {
    files::expand(chosen.get("path").and_then(toml::Value::as_str).unwrap_or(""))
}

fn check(checking: &mut Checking<'_>) {
    if checking.text("path").is_none() {
        return;
    }
    let path = match path(checking.config) {
        Ok(path) => path,
        Err(variable) => {
            return checking.error(
                "path",
                format!("the variable `{variable}` is not set"),
                "set it, or write the path",
            );
        }
    };
    check_file(checking, "path", &path);
}

/// Reads the file that a key leads to: fills in the size of its vocabulary, or reports what is wrong.
pub fn check_file(checking: &mut Checking<'_>, key: &str, path: &Path) {
    match Tokenizer::load(path) {
        Ok(tokenizer) => {
            let size = tokenizer.d_vocab() as i64;
            if checking.integer("d_vocab").is_some_and(|written| written != size) {
                let message = format!("the file has a vocabulary of {size}");
                checking.error("d_vocab", message, "leave `d_vocab` out");
            }
            checking.default("d_vocab", size);
        }
        Err(error) => {
            let near = nearest_file(path, path.parent().unwrap_or(Path::new(".")));
            let near = near.filter(|_| !path.exists());
            let help = match near {
                Some(near) => format!("did you mean {near:?}?"),
                None => "a tokenizer is a tokenizer.json in the form of Hugging Face".to_string(),
            };
            checking.error(key, error.to_string(), help);
        }
    }
}

fn make(chosen: &Chosen) -> Result<Vec<u8>> {
    let unset = |variable| Error::message(format!("the variable `{variable}` is not set"));
    let path = path(&chosen.config).map_err(unset)?;
    std::fs::read(&path).map_err(Error::read(&path))
}
