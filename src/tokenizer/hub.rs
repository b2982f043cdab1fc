//! A tokenizer of the Hugging Face Hub.

use super::file::{self, D_VOCAB};
use super::{Make, TokenizerKind};
use crate::error::{Error, Result};
use crate::files::{self, hub};
use crate::plan::Chosen;
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use std::path::PathBuf;

/// The registry's entry.
pub const KIND: TokenizerKind = TokenizerKind {
    kind: Kind {
        name: "hub",
        doc: "The `tokenizer.json` of a model on the Hugging Face Hub, from the cache that `transformers`, \
              `hf download` and others fill. A build with the feature `hub` downloads it if it is not there. \
              It starts documents as `file` does.",
        example: "kind = \"hub\"\nrepo = \"EleutherAI/pythia-70m\"",
        keys: &[
            Key {
                name: "repo",
                ty: Type::Text,
                default: Default::Required,
                doc: "the model, as \"owner/name\"",
            },
            REVISION,
            CACHE,
            D_VOCAB,
        ],
        traits: &[Trait::TokenizesText],
        check,
    },
    make: Make::FromKeys(make),
};

/// Shared by all that is on the Hub.
pub const REVISION: Key = Key {
    name: "revision",
    ty: Type::Text,
    default: Default::Value("\"main\""),
    doc: "a branch, a tag or a commit",
};

/// Shared by all that is on the Hub.
pub const CACHE: Key = Key {
    name: "cache",
    ty: Type::Path,
    default: Default::Computed("$HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub"),
    doc: "the folder of the cache",
};

const FILE: &str = "tokenizer.json";

/// What is looked for, and in which cache.
fn sought(config: &toml::Table) -> std::result::Result<(hub::Repository, PathBuf), (&'static str, String)> {
    let text = |key: &str| config.get(key).and_then(toml::Value::as_str).unwrap_or_default();
    let repository = hub::Repository::new(hub::Of::Model, text("repo"), text("revision"))?;
    let cache = files::expand(text("cache"));
    let cache = cache.map_err(|variable| ("cache", format!("the variable `{variable}` is not set")))?;
    Ok((repository, cache))
}

fn check(cx: &mut Checking<'_>) {
    cx.default("cache", hub::cache());
    if ["repo", "revision", "cache"].iter().any(|key| cx.text(key).is_none()) {
        return;
    }
    let (repository, cache) = match sought(cx.config) {
        Ok(sought) => sought,
        Err((key, why)) => {
            return cx.error(key, why, "for example repo = \"EleutherAI/pythia-70m\", revision = \"main\"");
        }
    };
    match repository.file(&cache, FILE) {
        Ok(path) => file::check_file(cx, "repo", &path),
        Err(why) => {
            let message = format!("the Hugging Face cache does not have this tokenizer: {why}");
            let command = repository.command(&[FILE], &[]);
            let help = match cfg!(feature = "hub") {
                true => format!("`{command}` brings it there, on a machine that can reach the Hub"),
                false => format!("`{command}` brings it there; so does a build with `--features hub`"),
            };
            // Its size is all that a plan needs.
            if cx.written("d_vocab") {
                cx.not_here("repo", message, help)
            } else {
                cx.error("repo", message, help)
            }
        }
    }
}

fn make(chosen: &Chosen) -> Result<Vec<u8>> {
    let (repository, cache) = sought(&chosen.config).map_err(|(_, why)| Error::message(why))?;
    let path = repository.file(&cache, FILE).map_err(Error::message)?;
    std::fs::read(&path).map_err(Error::read(&path))
}
