//! Files of the Hugging Face Hub, where its cache has them, whichever program downloaded them; with the
//! feature `hub`, what it lacks is downloaded.
//!
//! The cache (huggingface.co/docs/hub/local-cache) has a folder a repository, `models--OWNER--NAME` or
//! `datasets--OWNER--NAME`: in it `refs/REVISION` holds the commit that a revision stood for, and
//! `snapshots/COMMIT/` the files.

use super::environment;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

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

    /// The path below the snapshot of every file in it, in the order of their names: what there is of a
    /// dataset.
    ///
    /// # Errors
    /// As [`Self::cached`].
    pub fn listed(&self, cache: &Path) -> Result<(PathBuf, Vec<PathBuf>), String> {
        let snapshot = self.snapshot(cache)?;
        let walk = WalkDir::new(&snapshot).follow_links(true).sort_by_file_name();
        let files = walk.into_iter().flatten().filter(|entry| entry.file_type().is_file());
        let below =
            |entry: walkdir::DirEntry| entry.path().strip_prefix(&snapshot).ok().map(Path::to_path_buf);
        let files = files.filter_map(below).collect();
        Ok((snapshot, files))
    }

    fn snapshot(&self, cache: &Path) -> Result<PathBuf, String> {
        let kind = match self.of {
            Of::Model => "models",
            Of::Dataset => "datasets",
        };
        let folder = cache.join(format!("{kind}--{}", self.name.replace('/', "--")));
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

    /// What brings a file into the cache.
    pub fn command(&self, file: &str) -> String {
        let Repository { name, revision, .. } = self;
        let revision = if revision == "main" { String::new() } else { format!(" --revision {revision}") };
        let of = if self.of == Of::Dataset { " --repo-type dataset" } else { "" };
        format!("hf download {name} {file}{revision}{of}")
    }

    #[cfg(not(feature = "hub"))]
    fn download(&self, _: &Path, _: &str, missing: String) -> Result<PathBuf, String> {
        Err(missing)
    }

    #[cfg(feature = "hub")]
    fn download(&self, cache: &Path, file: &str, missing: String) -> Result<PathBuf, String> {
        use hf_hub::api::sync::ApiBuilder;
        if environment("HF_HUB_OFFLINE")
            .is_some_and(|set| !["0", "false", "no", "off"].contains(&set.as_str()))
        {
            return Err(format!("{missing}, and $HF_HUB_OFFLINE forbids to download it"));
        }
        let of = match self.of {
            Of::Model => hf_hub::RepoType::Model,
            Of::Dataset => hf_hub::RepoType::Dataset,
        };
        let repository = hf_hub::Repo::with_revision(self.name.clone(), of, self.revision.clone());
        let builder = ApiBuilder::from_env().with_cache_dir(cache.to_path_buf()).with_progress(false);
        let downloaded = builder.build().and_then(|hub| hub.repo(repository).download(file));
        downloaded.map_err(|error| format!("{missing}, and it cannot be downloaded: {error}"))
    }
}

/// Whether this build downloads what the cache lacks.
pub const DOWNLOADS: bool = cfg!(feature = "hub");

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
    fn the_files_of_a_dataset_are_listed_in_order() {
        let cache = tempfile::tempdir().unwrap();
        let snapshot = "datasets--Skylion007--openwebtext/snapshots/f3";
        write(
            cache.path(),
            &[
                ("datasets--Skylion007--openwebtext/refs/main", "f3"),
                (&format!("{snapshot}/plain_text/train-00001.parquet"), ""),
                (&format!("{snapshot}/plain_text/train-00000.parquet"), ""),
                (&format!("{snapshot}/README.md"), ""),
            ],
        );
        let dataset = Repository::new(Of::Dataset, "Skylion007/openwebtext", "main").unwrap();
        let (folder, files) = dataset.listed(cache.path()).unwrap();
        assert_eq!(folder, cache.path().join(snapshot));
        let names: Vec<_> = files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["README.md", "plain_text/train-00000.parquet", "plain_text/train-00001.parquet"]);
    }
}
