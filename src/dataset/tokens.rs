//! Token ids as nanoGPT and llm.c write them.

use super::count::count;
use super::ids::Ids;
use super::token_files::{Found, TokenFile, find};
use super::windows::{Windows, share, too_few};
use super::{DatasetKind, Event, Source, Stored, Summary, Survey, Tokens};
use crate::error::{Error, Result};
use crate::files;
use crate::plan::{Chosen, Plan};
use crate::spec::{Checking, Default, Key, Kind, Range, Trait, Type, nearest_file};
use crate::tokenizer::Tokenizer;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "tokens",
        doc: "Token ids as nanoGPT and llm.c write them, of GPT-2 or any other tokenizer, known by their \
              content: nothing but u16, end-of-text after each document (nanoGPT), or behind a header of 256 \
              numbers, end-of-text before each document, u16 or u32 (llm.c). The files are mapped into \
              memory, and never copied; documents are told apart by the tokenizer's start token.",
        example: "kind = \"tokens\"\npath = \"train.bin\"",
        keys: &[
            Key {
                name: "path",
                ty: Type::Path,
                default: Default::Required,
                doc: "a file, or a folder with `train*.bin` and perhaps `val*.bin`, also as `fineweb_train_000001.bin`",
            },
            Key {
                name: "validation",
                ty: Type::Path,
                default: Default::Computed(
                    "the folder's `val*.bin`; without one, the end of what is trained on",
                ),
                doc: "the file that is held out",
            },
            Key {
                name: "validation_fraction",
                ty: Type::Number(Range { min: 0.0, max: 0.5, min_included: false }),
                default: Default::Value("0.02"),
                doc: "share of the tokens that is held out where no file is: the last documents",
            },
        ],
        traits: &[Trait::HasPassages],
        check,
    },
    source: Source::Tokens(Tokens { survey, open }),
};

#[derive(Debug, Deserialize)]
struct Config {
    path: String,
    validation: Option<String>,
    validation_fraction: f64,
}

fn check(cx: &mut Checking<'_>) {
    if cx.facts.learns_tokenizer == Some(true) {
        let message = "this dataset is token ids, and this tokenizer is learned from text";
        let help = "use the one that the ids are of, as [tokenizer] kind = \"gpt2\"";
        cx.clash("kind", message, ("tokenizer.kind", "this tokenizer"), help);
    }
    let written = cx.written("validation");
    let (path, validation) = (there(cx, "path"), there(cx, "validation"));
    let (Some(path), true) = (path, validation.is_some() || !written) else { return };
    let found = match find(&path, validation.as_deref()) {
        Ok(found) => found,
        Err((key, why)) => {
            return cx.error(
                key,
                why,
                "token ids are files as nanoGPT or llm.c write them: `indhead kinds tokens`",
            );
        }
    };
    if beyond(cx, &found, written) {
        return;
    }
    let Some(window) = cx.facts.n_ctx.map(|n_ctx| n_ctx + 1) else { return };
    let [training, held_out] = [&found.training, &found.validation].map(|files| tokens(files));
    let fraction = cx.config.get("validation_fraction").and_then(toml::Value::as_float).unwrap_or_default();
    let other = ("architecture.n_ctx", "positions in a sequence");
    let help = "lower n_ctx, or use more tokens";
    match held_out {
        0 if training < share(training, fraction, window) + window => {
            cx.clash("path", too_few(training, window).to_string(), other, help);
        }
        1.. if training < window => {
            cx.clash("path", format!("{training} tokens are less than a sequence of {window}"), other, help);
        }
        1.. if held_out < window => {
            let key = if written { "validation" } else { "path" };
            let message = format!("{held_out} held-out tokens are less than a sequence of {window}");
            cx.clash(key, message, other, help);
        }
        _ => {}
    }
}

/// Reports the first file with an id that the vocabulary does not have, as far as a look here and there shows.
fn beyond(cx: &mut Checking<'_>, found: &Found, written: bool) -> bool {
    let Some(d_vocab) = cx.facts.d_vocab else { return false };
    let held_out = found.validation.iter().map(|file| (if written { "validation" } else { "path" }, file));
    for (key, file) in found.training.iter().map(|file| ("path", file)).chain(held_out) {
        if let Ok(Some((at, id))) = file.beyond(d_vocab) {
            let path = file.path.display();
            let message = format!("id {id} at place {at} of {path} is beyond a vocabulary of {d_vocab}");
            let help = "the tokenizer has to be the one that the ids are of; or these are no ids";
            cx.clash(key, message, ("tokenizer.kind", "this tokenizer"), help);
            return true;
        }
    }
    false
}

/// The path of a key, if something is there; what is not is reported.
fn there(cx: &mut Checking<'_>, key: &str) -> Option<PathBuf> {
    match files::expand(cx.text(key)?) {
        Err(variable) => {
            let message = format!("the variable `{variable}` is not set");
            cx.error(key, message, "set it, or write the path");
            None
        }
        Ok(path) if !path.exists() => {
            let near = nearest_file(&path, path.parent().unwrap_or(Path::new(".")));
            let help = match near {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("`{key}` takes a file of token ids; `~` and `$VAR` are understood"),
            };
            cx.not_here(key, format!("there is no file or folder {}", path.display()), help);
            None
        }
        Ok(path) => Some(path),
    }
}

fn tokens(files: &[TokenFile]) -> usize {
    files.iter().map(|file| file.tokens() as usize).sum()
}

fn found(config: &Config) -> Result<Found> {
    let expanded = |path: &str| {
        files::expand(path)
            .map_err(|variable| Error::message(format!("the variable `{variable}` is not set")))
    };
    let validation = config.validation.as_deref().map(expanded).transpose()?;
    find(&expanded(&config.path)?, validation.as_deref()).map_err(|(_, why)| Error::message(why))
}

fn survey(chosen: &Chosen) -> Result<Survey> {
    let found = found(&config(chosen)?)?;
    let all = [&found.training, &found.validation];
    let bytes = all.iter().copied().flatten().map(|file| file.bytes.end).sum();
    let tokens = all.iter().map(|files| tokens(files) as u64).sum();
    Ok(Survey { documents: None, bytes, tokens, counted: true, warnings: Vec::new() })
}

fn config(chosen: &Chosen) -> Result<Config> {
    chosen.config().map_err(|e| Error::message(e.to_string()))
}

fn open(plan: &Plan, tokenizer: &Tokenizer, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Stored> {
    let (config, window) = (config(&plan.dataset)?, plan.architecture.n_ctx + 1);
    let Found { training, validation } = found(&config)?;
    let mapped = |files: &[TokenFile]| {
        let mut ids = Ids::new();
        files.iter().try_for_each(|file| ids.add(&file.path, file.width, file.bytes.clone()))?;
        Ok::<Ids, Error>(ids)
    };
    let ids = mapped(&training)?;
    let start = tokenizer.start();
    let windows = match validation.is_empty() {
        false => Windows::apart(ids, mapped(&validation)?),
        true => cut(ids, config.validation_fraction, window, start as usize)?,
    };
    if windows.parts().iter().any(|(_, range)| range.len() < window) {
        return Err(too_few(tokens(&training) + tokens(&validation), window));
    }
    let identity = blake3::hash(format!("{training:?} {validation:?}").as_bytes());
    let counts = count(&windows, (tokenizer.d_vocab(), start), identity, cache, events)?;
    if counts.starts == 0 {
        let name = tokenizer.strings(&[start]).concat();
        events(Event::Warning(format!(
            "no document begins or ends in {}: it has no {name}, token {start}",
            config.path
        )));
    }
    let all = || training.iter().chain(&validation);
    let summary = Summary {
        kind: String::new(),
        path: None,
        documents: counts.starts,
        bytes: all().map(|file| file.bytes.end).sum(),
        tokens: all().map(TokenFile::tokens).sum(),
        skipped: 0,
        replaced: 0,
        digest: counts.digest,
    };
    Ok(Stored { windows, store: None, summary, frequencies: counts.frequencies })
}

/// Holds out the end, from the first document on that begins in it; if none leaves enough, all of it.
fn cut(ids: Ids, fraction: f64, window: usize, start: usize) -> Result<Windows> {
    let total = ids.len();
    let held = share(total, fraction, window);
    if total < held + window {
        return Err(too_few(total, window));
    }
    let document = ids.find(total - held..total - window + 1, start);
    let at = document.unwrap_or(total - held);
    Ok(Windows::cut(ids, at))
}
