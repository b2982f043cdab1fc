//! Datasets of the Hugging Face Hub: read out of a cache that is made as the real one is, and told of where
//! they are not there.

mod common;

#[cfg(not(feature = "hub"))]
use common::bench::tree;
#[cfg(not(feature = "hub"))]
use indhead::dataset::Dataset;
use indhead::plan::Planned;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const OLD: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";
const NEW: &str = "f3808c30e817981b845ec549c43e82bb467d8144";

/// A cache with one dataset, in which files are links into `blobs/`.
struct Cache(TempDir);

impl Cache {
    fn new() -> Cache {
        Cache(TempDir::new().unwrap())
    }

    fn folder(&self) -> std::path::PathBuf {
        self.0.path().join("hub/datasets--owner--name")
    }

    fn point(&self, branch: &str, commit: &str) {
        fs::create_dir_all(self.folder().join("refs")).unwrap();
        fs::write(self.folder().join("refs").join(branch), commit).unwrap();
    }

    fn write(&self, commit: &str, name: &str, text: &str) {
        let blob = blake3::hash(text.as_bytes()).to_hex().to_string();
        let link = self.folder().join("snapshots").join(commit).join(name);
        fs::create_dir_all(self.folder().join("blobs")).unwrap();
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(self.folder().join("blobs").join(&blob), text).unwrap();
        let up = "../".repeat(2 + name.matches('/').count());
        #[cfg(unix)]
        std::os::unix::fs::symlink(format!("{up}blobs/{blob}"), link).unwrap();
        #[cfg(not(unix))]
        fs::copy(self.folder().join("blobs").join(&blob), link).map(|_| up).unwrap();
    }

    /// With documents at two commits, of which a branch is at the first.
    fn filled() -> Cache {
        let cache = Cache::new();
        cache.point("main", OLD);
        for (commit, word) in [(OLD, "old"), (NEW, "new")] {
            cache.write(commit, "README.md", "# what this is, at some length\n");
            for part in 0..3 {
                cache.write(commit, &format!("data/train-{part}.jsonl"), &lines(word, part));
            }
            cache.write(commit, "data/test.jsonl", &lines("test", 9));
        }
        cache
    }

    fn spec(&self, dataset: &str) -> String {
        format!(
            "[architecture]\nd_model = 8\nn_ctx = 9\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 1\n\
             [tokenizer]\nkind = \"bytes\"\n[dataset]\n{dataset}\n[training]\nsteps = 9\nbatch_size = 3\n"
        )
    }

    fn hub(&self, keys: &str) -> String {
        let cache = self.0.path().join("hub");
        self.spec(&format!("kind = \"hub\"\nrepo = \"owner/name\"\ncache = {cache:?}\n{keys}"))
    }

    #[cfg(not(feature = "hub"))]
    fn open(&self, spec: &str) -> Result<Dataset, String> {
        let stores = self.0.path().join("cache");
        Dataset::open(&common::good_plan(spec), &stores, &mut |_| {}).map_err(|error| error.to_string())
    }
}

fn lines(word: &str, part: usize) -> String {
    let line = |i: usize| format!("{{\"text\": \"Line {i} of part {part}, which is {word}\"}}\n");
    (0..40).map(line).collect()
}

#[cfg(not(feature = "hub"))]
#[test]
fn a_snapshot_reads_as_a_folder_of_text_does() {
    let cache = Cache::filled();
    let hub = cache.open(&cache.hub("files = [\"data/train-*\"]\nmax_bytes = 3000")).unwrap();
    let path = cache.folder().join("snapshots").join(OLD);
    let text = cache
        .spec(&format!("kind = \"text\"\npath = {path:?}\ninclude = [\"data/train-*\"]\nmax_bytes = 3000"));
    let text = cache.open(&text).unwrap();
    assert!(hub.summary().documents > 60 && hub.summary().bytes == 3000, "{:?}", hub.summary());
    assert_eq!(hub.summary().digest, text.summary().digest);
    assert_eq!(hub.batch(3), text.batch(3));
    assert_eq!(hub.summary().path.as_deref(), Some(format!("owner/name@{OLD}").as_str()));
    // Without patterns, everything with a known ending.
    let all = cache.open(&cache.hub("")).unwrap();
    assert_eq!(all.summary().documents, 4 * 40 + 1);
}

#[cfg(not(feature = "hub"))]
#[test]
fn every_commit_is_a_text_of_its_own() {
    let cache = Cache::filled();
    let digest = |keys: &str| cache.open(&cache.hub(keys)).unwrap().summary().digest.clone();
    let old = digest("");
    assert_eq!(digest(&format!("revision = \"{OLD}\"")), old);
    let new = digest(&format!("revision = \"{NEW}\""));
    assert_ne!(new, old);
    let names = || {
        let all = tree(&cache.0.path().join("cache/stores"));
        all.into_iter().filter(|(name, _)| name.ends_with(".name")).count()
    };
    // A branch is the commit it stands for: nothing is read twice.
    assert_eq!(names(), 2);
    cache.point("main", NEW);
    assert_eq!(digest(""), new);
    assert_eq!(names(), 2);

    // Also where every file is the same.
    cache.point("main", "abc");
    cache.write("abc", "a.jsonl", &lines("same", 1));
    let one = digest("");
    cache.point("main", "def");
    cache.write("def", "a.jsonl", &lines("same", 1));
    assert_eq!(digest(""), one);
    assert_eq!(names(), 4);
}

#[cfg(not(feature = "hub"))]
#[test]
fn what_is_not_there_is_told_with_what_brings_it() {
    let cache = Cache::filled();
    let said = common::complaints(&cache.hub("revision = \"v2\"\nfiles = [\"data/*.jsonl\"]"), &[]);
    assert!(said.contains("refs/v2") && said.contains("snapshots/v2"), "{said}");
    let command = "`hf download owner/name --revision v2 --repo-type dataset --include \"data/*.jsonl\"`";
    assert!(said.contains(command) && said.contains("--features hub"), "{said}");
    let said = common::complaints(&cache.hub("files = [\"*.parquet\"]"), &[]);
    assert!(said.contains("no file that matches *.parquet in ") && said.contains(OLD), "{said}");
    let said = common::complaints(&cache.hub("files = [\"[\"]"), &[]);
    assert!(said.contains("is not a pattern"), "{said}");
    // Links whose blobs were cleared are nothing.
    fs::remove_dir_all(cache.folder().join("blobs")).unwrap();
    let said = common::complaints(&cache.hub(""), &[]);
    assert!(said.contains("no file with a known ending"), "{said}");
    // It may have been there when the plan was made.
    let plan = {
        let full = Cache::filled();
        let plan = common::good_plan(&full.hub(""));
        drop(full);
        plan
    };
    let error = Dataset::open(&plan, &cache.0.path().join("cache"), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("there is no folder") && error.contains("hf download owner/name"), "{error}");
}

#[test]
fn a_plan_can_be_made_from_afar() {
    let cache = Cache::new();
    let mut spec = indhead::spec::Spec::parse(Path::new("test.toml"), cache.hub("").as_bytes(), &[]);
    spec.findings.elsewhere = true;
    let Planned { plan, findings } =
        indhead::plan::plan(spec, &indhead::language::language(), indhead::probes::verdict::EVIDENCE, "test");
    assert!(plan.is_some() && findings.not_here.contains("dataset.repo"));
}

#[test]
fn names_lead_nowhere_else() {
    let cache = Cache::filled();
    for name in ["../../etc", "/etc", "owner/../name", "owner--name", "owner/name/..", "https://x/y"] {
        let spec = cache.hub("").replace("owner/name", name);
        assert!(common::complaints(&spec, &[]).contains("no repository of the Hub"), "{name}");
    }
    let said = common::complaints(&cache.hub("revision = \"../../main\""), &[]);
    assert!(said.contains("no revision"), "{said}");
    // A reference that is none, in the cache.
    cache.point("main", "../../../../etc");
    #[cfg(not(feature = "hub"))]
    assert!(common::complaints(&cache.hub(""), &[]).contains("there is neither"));
}

#[cfg(not(feature = "hub"))]
#[test]
fn a_download_that_was_cut_short_is_told() {
    let cache = Cache::filled();
    let said = || {
        let mut said = String::new();
        let mut events = |event| {
            if let indhead::dataset::Event::Warning(words) = event {
                said += &words;
            }
        };
        Dataset::open(&common::good_plan(&cache.hub("")), &cache.0.path().join("cache"), &mut events)
            .unwrap();
        said
    };
    assert_eq!(said(), "");
    fs::write(cache.folder().join("blobs/abc.incomplete"), "some of it").unwrap();
    assert!(said().contains("owner/name") && said().contains("1 files in the Hugging Face cache were begun"));
}
