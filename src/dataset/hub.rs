//! Text of a dataset on the Hugging Face Hub, from its cache.

use super::documents::Documents;
use super::text::{
    FIELD, Listing, MAX_BYTES, MAX_SKIPPED, UNWRAP_LINES, VALIDATION_FRACTION, enough_text, patterns, wanted,
};
use super::{DatasetKind, Event, Source};
use crate::error::{Error, Result};
use crate::files::{self, hub};
use crate::plan::Chosen;
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use crate::tokenizer::{CACHE, REVISION};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "hub",
        doc: "The files of a dataset on the Hugging Face Hub, from the cache that `hf download`, `datasets` and \
              others fill, read as those of a folder are (`indhead kinds text`): OpenWebText is \
              \"Skylion007/openwebtext\", in Parquet. A build with the feature `hub` downloads what matches \
              `files` and is not there yet, when it is to be read and not before. A branch stays the commit \
              that the cache knows for it; every commit is a text of its own.",
        example: "kind = \"hub\"\nrepo = \"Skylion007/openwebtext\"\nfiles = [\"plain_text/*.parquet\"]",
        keys: &[
            Key {
                name: "repo",
                ty: Type::Text,
                default: Default::Required,
                doc: "the dataset, as \"owner/name\"",
            },
            REVISION,
            CACHE,
            Key {
                name: "files",
                ty: Type::List(&Type::Text, 0, 1000),
                default: Default::Value("[]"),
                doc: "patterns of the files to read, as in `include` of `text`; none: all with a known ending",
            },
            MAX_BYTES,
            FIELD,
            MAX_SKIPPED,
            UNWRAP_LINES,
            VALIDATION_FRACTION,
        ],
        traits: &[Trait::ReadsText, Trait::HasPassages],
        check,
    },
    source: Source::Fetched(fetch, open),
};

#[derive(Debug, Deserialize)]
struct Config {
    repo: String,
    revision: String,
    cache: String,
    files: Vec<String>,
}

impl Config {
    fn of(chosen: &Chosen) -> Result<Config> {
        chosen.config().map_err(|e| Error::message(e.to_string()))
    }

    /// What is looked for, and in which cache; or the key at fault, and why.
    fn sought(&self) -> std::result::Result<(hub::Repository, PathBuf), (&'static str, String)> {
        let repository = hub::Repository::new(hub::Of::Dataset, &self.repo, &self.revision)?;
        let cache = files::expand(&self.cache);
        let cache = cache.map_err(|variable| ("cache", format!("the variable `{variable}` is not set")))?;
        Ok((repository, cache))
    }
}

fn check(cx: &mut Checking<'_>) {
    cx.default("cache", hub::cache());
    patterns(cx, "files");
    let Ok(config) = cx.config.clone().try_into::<Config>() else { return };
    let (repository, cache) = match config.sought() {
        Ok(sought) => sought,
        Err((key, why)) => {
            return cx.error(key, why, "for example repo = \"Skylion007/openwebtext\", revision = \"main\"");
        }
    };
    let Ok(wanted) = wanted(&config.files) else { return };
    let missing = match repository.snapshot(&cache) {
        Ok(snapshot) if has_any(&snapshot, &wanted) => {
            return enough_text(cx, &snapshot, Some(&config.files), ("repo", "files"));
        }
        Ok(snapshot) => format!("there is no {} in {}", looked_for(&config.files), snapshot.display()),
        Err(why) => why,
    };
    let message = format!("the Hugging Face cache does not have this dataset: {missing}");
    let command = repository.command(&[], &config.files);
    match hub::downloads() {
        true => cx.not_yet("repo", message, format!("it is downloaded when it is read, as by `{command}`")),
        false if cfg!(feature = "hub") => {
            let help = format!("`{command}` brings it there; $HF_HUB_OFFLINE forbids to download it");
            cx.not_here("repo", message, help);
        }
        false => {
            let help = format!("`{command}` brings it there; so does a build with `--features hub`");
            cx.not_here("repo", message, help);
        }
    }
}

fn looked_for(patterns: &[String]) -> String {
    match patterns {
        [] => "file with a known ending".to_string(),
        patterns => format!("file that matches {}", patterns.join(", ")),
    }
}

/// Whether a snapshot has a file that is wanted. Files there are links into `blobs/`, which may have been cleared.
fn has_any(snapshot: &Path, wanted: &impl Fn(&Path) -> bool) -> bool {
    let files = WalkDir::new(snapshot).follow_links(true).into_iter().flatten();
    let below = |path: &Path| path.strip_prefix(snapshot).is_ok_and(wanted);
    files.filter(|entry| entry.file_type().is_file()).any(|entry| below(entry.path()))
}

fn fetch(chosen: &Chosen, events: &mut dyn FnMut(Event)) -> Result<()> {
    let config = Config::of(chosen)?;
    let (repository, cache) = config.sought().map_err(|(_, why)| Error::message(why))?;
    let wanted = wanted(&config.files)?;
    let mut progress = |done, total| events(Event::Progress { what: "downloading", done, total });
    let said = repository.fetch(&cache, &wanted, &mut progress).map_err(Error::message)?;
    said.into_iter().for_each(|words| events(Event::Warning(words)));
    Ok(())
}

fn open(chosen: &Chosen, _: u64, events: &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>> {
    let config = Config::of(chosen)?;
    let (repository, cache) = config.sought().map_err(|(_, why)| Error::message(why))?;
    let root = repository.snapshot(&cache).map_err(|why| {
        let command = repository.command(&[], &config.files);
        let message = format!("the Hugging Face cache does not have {}: {why}; ", config.repo);
        Error::message(message + &format!("`{command}` brings it there"))
    })?;
    let unfinished = repository.unfinished(&cache);
    if unfinished > 0 {
        let words = "were begun and not finished: what is read may not be all of it";
        events(Event::Warning(format!(
            "of {}, {unfinished} files in the Hugging Face cache {words}",
            config.repo
        )));
    }
    let commit = root.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let named = Some(format!("{}@{commit}", config.repo));
    Listing { root, include: config.files, named }.open(chosen, events)
}
