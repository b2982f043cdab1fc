//! Files of the Hugging Face Hub, where its cache has them, whichever program downloaded them; with the
//! feature `hub`, what it lacks is downloaded.
//!
//! The cache (huggingface.co/docs/hub/local-cache) has a folder a repository, `models--OWNER--NAME` or
//! `datasets--OWNER--NAME`: in it `refs/REVISION` holds the commit that a revision stood for, and
//! `snapshots/COMMIT/` the files.

use super::environment;
use std::fs;
use std::path::{Path, PathBuf};

/// What a repository is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A model, with its tokenizer.
    Model,
    /// A dataset.
    Dataset,
}

/// A repository at a revision.
#[derive(Debug, Clone)]
pub struct Repository {
    of: Of,
    name: String,
    revision: String,
}

/// Where the cache is by Hugging Face's rules, as it would be written: `$HF_HUB_CACHE`, `$HF_HOME/hub`,
/// `$XDG_CACHE_HOME/huggingface/hub` or `~/.cache/huggingface/hub`, whichever comes first.
pub fn cache() -> &'static str {
    by_rules(|name| environment(name).is_some())
}

fn by_rules(is_set: impl Fn(&str) -> bool) -> &'static str {
    const PLACES: [(&str, &str); 3] = [
        ("HF_HUB_CACHE", "$HF_HUB_CACHE"),
        ("HF_HOME", "$HF_HOME/hub"),
        ("XDG_CACHE_HOME", "$XDG_CACHE_HOME/huggingface/hub"),
    ];
    let place = PLACES.iter().find(|(variable, _)| is_set(variable));
    place.map_or("~/.cache/huggingface/hub", |(_, place)| place)
}

impl Repository {
    /// Names a repository.
    ///
    /// # Errors
    /// What the Hub cannot have, `"repo"` or `"revision"`, and why.
    pub fn new(of: Of, name: &str, revision: &str) -> Result<Repository, (&'static str, String)> {
        let fine = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if name.split('/').count() > 2 || !name.split('/').all(fine) || name.contains("--") {
            let why = format!("{name:?} is no repository of the Hub: they are called \"owner/name\"");
            return Err(("repo", why));
        }
        // Branches have slashes: `refs/pr/1`.
        if !revision.split('/').all(fine) {
            return Err(("revision", format!("{revision:?} is no revision: a branch, a tag or a commit")));
        }
        Ok(Repository { of, name: name.to_string(), revision: revision.to_string() })
    }

    /// The path of a file, from the cache; with the feature `hub`, downloaded into it if it is not there.
    ///
    /// # Errors
    /// In words: what was looked for and where.
    pub fn file(&self, cache: &Path, file: &str) -> Result<PathBuf, String> {
        self.cached(cache, file).or_else(|missing| self.download(cache, file, missing))
    }

    /// The path of a file in the cache.
    ///
    /// # Errors
    /// In words: what was looked for and where.
    pub fn cached(&self, cache: &Path, file: &str) -> Result<PathBuf, String> {
        let path = self.snapshot(cache)?.join(file);
        // Files there are links into `blobs/`, which may have been cleared.
        if path.is_file() { Ok(path) } else { Err(format!("there is no file {}", path.display())) }
    }

    /// Where the cache has the files of the revision; the folder's name is the commit.
    ///
    /// # Errors
    /// In words: what was looked for and where.
    pub fn snapshot(&self, cache: &Path) -> Result<PathBuf, String> {
        let folder = self.folder(cache);
        if !folder.is_dir() {
            return Err(format!("there is no folder {}", folder.display()));
        }
        let reference = folder.join("refs").join(&self.revision);
        let commit = fs::read_to_string(&reference).unwrap_or_default();
        let commit = commit.trim();
        let named = !commit.is_empty() && commit.chars().all(|c| c.is_ascii_alphanumeric());
        // A revision may be the commit itself.
        let snapshot = folder.join("snapshots").join(if named { commit } else { &self.revision });
        match (snapshot.is_dir(), named) {
            (true, _) => Ok(snapshot),
            (false, true) => Err(format!("there is no folder {}", snapshot.display())),
            (false, false) => {
                Err(format!("there is neither {} nor a folder {}", reference.display(), snapshot.display()))
            }
        }
    }

    /// How many files of it were begun to be downloaded, and not finished, whichever program did.
    pub fn unfinished(&self, cache: &Path) -> usize {
        let blobs = fs::read_dir(self.folder(cache).join("blobs")).into_iter().flatten().flatten();
        let begun = |name: &str| name.ends_with(".incomplete") || name.ends_with(".part");
        blobs.filter(|entry| begun(&entry.file_name().to_string_lossy())).count()
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        let kind = match self.of {
            Of::Model => "models",
            Of::Dataset => "datasets",
        };
        cache.join(format!("{kind}--{}", self.name.replace('/', "--")))
    }

    /// What brings files into the cache: some by name, or those of some patterns, or all.
    pub fn command(&self, files: &[&str], patterns: &[String]) -> String {
        let Repository { name, revision, .. } = self;
        let files: String = files.iter().map(|file| format!(" {file}")).collect();
        let patterns: String = patterns.iter().map(|pattern| format!(" --include \"{pattern}\"")).collect();
        let revision = if revision == "main" { String::new() } else { format!(" --revision {revision}") };
        let of = if self.of == Of::Dataset { " --repo-type dataset" } else { "" };
        format!("hf download {name}{files}{revision}{of}{patterns}")
    }

    /// Brings every file that is wanted into the cache, where it is not there yet; does nothing without the
    /// feature `hub`, or where `$HF_HUB_OFFLINE` is set. A revision that the cache knows stays the commit that
    /// it was. `progress` is told of each file how much of its bytes is here.
    ///
    /// Where the Hub cannot be asked and the cache knows the revision, that is returned in words, and what is
    /// there is all there is.
    ///
    /// # Errors
    /// In words, if something is missing and cannot be downloaded.
    #[cfg(not(feature = "hub"))]
    pub fn fetch(&self, _: &Path, _: &Wanted<'_>, _: &mut Progress<'_>) -> Result<Option<String>, String> {
        Ok(None)
    }

    #[cfg(not(feature = "hub"))]
    fn download(&self, _: &Path, _: &str, missing: String) -> Result<PathBuf, String> {
        Err(missing)
    }

    #[cfg(feature = "hub")]
    fn download(&self, cache: &Path, file: &str, missing: String) -> Result<PathBuf, String> {
        if !downloads() {
            return Err(format!("{missing}, and $HF_HUB_OFFLINE forbids to download it"));
        }
        let downloaded = self.remote(cache, &self.revision).and_then(|remote| remote.download(file));
        downloaded.map_err(|error| format!("{missing}, and it cannot be downloaded: {error}"))
    }
}

/// Whether a file of a repository, given its path there, is wanted.
pub type Wanted<'a> = dyn Fn(&Path) -> bool + 'a;

/// Is told how many bytes of how many are here.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// Whether this program downloads what the cache lacks: built with the feature `hub`, and not forbidden to.
pub fn downloads() -> bool {
    let forbidden =
        environment("HF_HUB_OFFLINE").is_some_and(|set| !["0", "false", "no", "off"].contains(&set.as_str()));
    cfg!(feature = "hub") && !forbidden
}

#[cfg(feature = "hub")]
mod remote {
    use super::{Of, Path, Progress, Repository, Wanted, downloads};
    use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
    use hf_hub::{Repo, RepoType, api};
    use std::path::Component;

    impl Repository {
        /// The repository on the Hub (`$HF_ENDPOINT`), at a revision.
        pub(super) fn remote(&self, cache: &Path, revision: &str) -> Result<ApiRepo, ApiError> {
            let of = match self.of {
                Of::Model => RepoType::Model,
                Of::Dataset => RepoType::Dataset,
            };
            let repository = Repo::with_revision(self.name.clone(), of, revision.to_string());
            let builder = ApiBuilder::from_env().with_cache_dir(cache.to_path_buf()).with_progress(false);
            Ok(builder.build()?.repo(repository))
        }

        /// Of the feature `hub`: see the other one.
        #[allow(missing_docs, clippy::missing_errors_doc)]
        pub fn fetch(
            &self,
            cache: &Path,
            wanted: &Wanted<'_>,
            progress: &mut Progress<'_>,
        ) -> Result<Option<String>, String> {
            if !downloads() {
                return Ok(None);
            }
            let name = &self.name;
            let known = self.snapshot(cache).ok();
            let commit = known.as_ref().and_then(|path| path.file_name()).map(|n| n.to_string_lossy());
            let revision = commit.as_deref().unwrap_or(&self.revision);
            let info = match self.remote(cache, revision).and_then(|remote| remote.info()) {
                Ok(info) => info,
                Err(error) if known.is_some() => {
                    return Ok(Some(format!(
                        "the Hub could not be asked whether all of {name} is here ({error}): reading what is"
                    )));
                }
                Err(error) => return Err(self.refused(revision, &error)),
            };
            if !is_commit(&info.sha) {
                return Err(format!("the Hub says that {name} is at {:?}, which is no commit", info.sha));
            }
            let names = info.siblings.iter().map(|file| file.rfilename.as_str());
            let names: Vec<&str> =
                names.filter(|name| stays_below(name) && wanted(Path::new(name))).collect();
            if names.is_empty() {
                return Err(format!(
                    "{name} at {revision} has no such file on the Hub, which knows {} of it",
                    info.siblings.len()
                ));
            }
            let snapshot = self.folder(cache).join("snapshots").join(&info.sha);
            let at_commit = self.remote(cache, &info.sha).map_err(|error| error.to_string())?;
            for file in names.into_iter().filter(|name| !snapshot.join(name).is_file()) {
                let told = Told { progress: &mut *progress, done: 0, total: 0 };
                let downloaded = at_commit.download_with_progress(file, told);
                downloaded.map_err(|error| format!("{file} of {name} cannot be downloaded: {error}"))?;
            }
            // Last: what was interrupted is not taken for the whole.
            if known.is_none() && self.revision != info.sha {
                let reference = self.folder(cache).join("refs").join(&self.revision);
                crate::files::write(&reference, info.sha.as_bytes())
                    .map_err(|error| format!("cannot write {}: {error}", reference.display()))?;
            }
            Ok(None)
        }
    }

    impl Repository {
        /// Why the Hub did not say what it has.
        fn refused(&self, revision: &str, error: &ApiError) -> String {
            let (name, words) = (&self.name, error.to_string());
            let status = |code: &str| words.ends_with(&format!("http status: {code}"));
            match () {
                _ if status("404") => format!("the Hub has no {name} at revision {revision}"),
                _ if status("401") || status("403") => {
                    format!(
                        "the Hub does not show {name}: there is none, or it takes a token (`hf auth login`)"
                    )
                }
                _ => format!("the Hub cannot be asked for {name}: {words}"),
            }
        }
    }

    fn is_commit(sha: &str) -> bool {
        !sha.is_empty() && sha.chars().all(|c| c.is_ascii_alphanumeric())
    }

    /// Whether a name that the Hub gave leads to a file below its folder.
    pub(super) fn stays_below(name: &str) -> bool {
        let plain = |part| matches!(part, Component::Normal(_));
        !name.is_empty() && !name.contains(['\\', '\0', ':']) && Path::new(name).components().all(plain)
    }

    struct Told<'a, 'p> {
        progress: &'a mut Progress<'p>,
        done: u64,
        total: u64,
    }

    impl api::Progress for Told<'_, '_> {
        fn init(&mut self, size: usize, _: &str) {
            (self.done, self.total) = (0, size as u64);
        }

        fn update(&mut self, size: usize) {
            self.done += size as u64;
            (self.progress)(self.done, self.total);
        }

        fn finish(&mut self) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn model(name: &str, revision: &str) -> Repository {
        Repository::new(Of::Model, name, revision).unwrap()
    }

    #[test]
    fn the_cache_is_where_hugging_face_says() {
        assert_eq!(by_rules(|_| true), "$HF_HUB_CACHE");
        assert_eq!(by_rules(|name| name != "HF_HUB_CACHE"), "$HF_HOME/hub");
        assert_eq!(by_rules(|name| name == "XDG_CACHE_HOME"), "$XDG_CACHE_HOME/huggingface/hub");
        assert_eq!(by_rules(|_| false), "~/.cache/huggingface/hub");
    }

    #[test]
    fn files_are_found_by_branch_and_by_commit() {
        let cache = tempfile::tempdir().unwrap();
        let snapshot = format!("models--owner--name/snapshots/{COMMIT}");
        write(
            cache.path(),
            &[
                ("models--owner--name/refs/main", COMMIT),
                ("models--owner--name/refs/refs/pr/1", &format!("{COMMIT}\n")),
                (&format!("{snapshot}/tokenizer.json"), "{}"),
                ("models--gpt2/refs/main", "abc"),
                ("models--gpt2/snapshots/abc/tokenizer.json", "{}"),
            ],
        );
        for revision in ["main", "refs/pr/1", COMMIT] {
            let found = model("owner/name", revision).cached(cache.path(), "tokenizer.json").unwrap();
            assert_eq!(found, cache.path().join(&snapshot).join("tokenizer.json"), "{revision}");
        }
        assert!(model("gpt2", "main").cached(cache.path(), "tokenizer.json").is_ok());
    }

    #[test]
    fn what_is_missing_is_said() {
        let cache = tempfile::tempdir().unwrap();
        let missing = |name: &str, revision: &str, file: &str| {
            model(name, revision).cached(cache.path(), file).unwrap_err()
        };
        assert!(missing("owner/name", "main", "x").ends_with("models--owner--name"));
        write(cache.path(), &[("models--owner--name/refs/main", COMMIT)]);
        assert!(missing("owner/name", "main", "x").ends_with(COMMIT));
        let said = missing("owner/name", "v2", "x");
        assert!(said.contains("refs/v2") && said.contains("snapshots/v2"), "{said}");
        write(cache.path(), &[(&format!("models--owner--name/snapshots/{COMMIT}/y"), "")]);
        assert!(missing("owner/name", "main", "x").ends_with(&format!("{COMMIT}/x")));
        // Only its own folder is looked into.
        write(cache.path(), &[("models--owner--name/refs/main", "../../../etc")]);
        assert!(!missing("owner/name", "main", "x").contains(".."));
    }

    #[test]
    fn names_cannot_lead_elsewhere() {
        for name in
            ["", "a/b/c", "../x", "/etc", "a//b", "a/..", "a--b/c", "a b", "é", "https://huggingface.co/gpt2"]
        {
            assert!(Repository::new(Of::Model, name, "main").is_err(), "{name:?}");
        }
        for revision in ["", "..", "a/../b", "/a", "a/", "a\\b"] {
            assert!(Repository::new(Of::Model, "gpt2", revision).is_err(), "{revision:?}");
        }
    }

    #[test]
    fn the_commands_are_those_of_hugging_face() {
        let dataset = Repository::new(Of::Dataset, "owner/name", "v2").unwrap();
        let patterns = ["plain_text/*".to_string(), "b".to_string()];
        assert_eq!(
            dataset.command(&[], &patterns),
            "hf download owner/name --revision v2 --repo-type dataset --include \"plain_text/*\" --include \"b\""
        );
        assert_eq!(
            model("gpt2", "main").command(&["tokenizer.json"], &[]),
            "hf download gpt2 tokenizer.json"
        );
    }

    #[cfg(feature = "hub")]
    #[test]
    fn names_that_the_hub_gives_stay_below() {
        for name in ["a.txt", "plain_text/train-00000.parquet", ".gitattributes", "a..b"] {
            assert!(remote::stays_below(name), "{name}");
        }
        for name in ["", "../a", "/etc/passwd", "a/../../b", "a\\..\\b", "c:x", "./../x"] {
            assert!(!remote::stays_below(name), "{name}");
        }
    }
}
