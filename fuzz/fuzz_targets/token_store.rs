//! Files of token ids (nanoGPT's, llm.c's), and every file of a token store, whole or unfinished: opened and read.
#![no_main]

use indhead::dataset::Dataset;
use indhead::plan::Plan;
use indhead_fuzz::{around, good_plan, read, seed, split};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What an input may be: a `.bin` file to train on, or one of these.
const FILES: &[&str] = &["", "store.json", "journal.json", "documents.bin", "training.bin", "validation.bin"];

struct Bench {
    folder: PathBuf,
    /// Reads `train.bin`.
    tokens: Plan,
    /// Reads text, by way of a store.
    text: Plan,
    /// Names the text and its tokenizer.
    key: String,
    /// The store's files.
    store: Vec<(String, Vec<u8>)>,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    let bin = folder.join("train.bin");
    let ids: Vec<u8> = (0..90u16).flat_map(|i| (i % 40 + 256 * (i / 89)).to_le_bytes()).collect();
    fs::write(&bin, &ids).unwrap();
    let tokens = format!(
        "tokenizer = {{ kind = \"ids\", d_vocab = 300 }}\ndataset = {{ kind = \"tokens\", path = {bin:?} }}\n"
    );
    let tokens = good_plan(&format!("{tokens}{}", around("")));
    let texts = folder.join("texts");
    fs::create_dir(&texts).unwrap();
    for i in 0..8 {
        fs::write(texts.join(format!("{i}.txt")), format!("Text number {i}, which is short.")).unwrap();
    }
    let text = format!(
        "tokenizer = {{ kind = \"bytes\" }}\ndataset = {{ kind = \"text\", path = {texts:?}, validation_fraction = 0.3 }}\n"
    );
    let text = good_plan(&format!("{text}{}", around("")));
    let cache = folder.join("cache");
    let dataset = Dataset::open(&text, &cache, &mut |_| {}).unwrap();
    let path = dataset.stores()[0].to_path_buf();
    let all = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).collect()
    };
    let store = all(&path)
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()));
    let name = all(&folder.join("cache/stores"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "name"));
    let key = name.unwrap().file_stem().unwrap().to_string_lossy().into_owned();
    let store: Vec<(String, Vec<u8>)> = store.collect();
    seed("token_store/nanogpt", 0, false, &ids);
    for (name, [magic, version], wide) in [("llm_c", [20240520, 1], 2), ("llama", [20240801, 7], 4)] {
        let mut header = vec![magic, version, 180 / wide];
        header.resize(256, 0i32);
        let header = header.into_iter().flat_map(i32::to_le_bytes);
        seed(
            &format!("token_store/{name}"),
            0,
            false,
            &header.chain(ids.iter().copied()).collect::<Vec<_>>(),
        );
    }
    for (kind, name) in FILES.iter().enumerate() {
        for (_, bytes) in store.iter().filter(|(other, _)| other == name) {
            seed(&format!("token_store/{name}"), kind, false, bytes);
            seed(&format!("token_store/unfinished-{name}"), kind, true, bytes);
        }
    }
    Bench { folder: folder.clone(), tokens, text, key, store }
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, unfinished, bytes)) = split(input, FILES.len()) else { return };
    let bench = &*BENCH;
    let cache = bench.folder.join("cache");
    if kind == 0 {
        fs::write(bench.folder.join("train.bin"), bytes).unwrap();
        return read(&bench.tokens, &cache);
    }
    let stores = cache.join("stores");
    // A store is named by what is in it; an unfinished one by what it is made of.
    let named = stores.join(&bench.key).with_extension("name");
    let folder = match (fs::read_to_string(&named), unfinished) {
        (Ok(name), false) => stores.join(name.trim()),
        _ => {
            let _ = fs::remove_dir_all(&stores);
            stores.join(format!(".working-{}", bench.key))
        }
    };
    fs::create_dir_all(&folder).unwrap();
    for (name, whole) in &bench.store {
        fs::write(folder.join(name), whole).unwrap();
    }
    fs::write(folder.join(FILES[kind]), bytes).unwrap();
    read(&bench.text, &cache);
});
