//! A file of text in one of its forms: read as a dataset is. With the first byte's highest bit, what is around the
//! documents is made whole, so that what is within is reached.
#![no_main]

use indhead::plan::Plan;
use indhead_fuzz::{around, good_plan, read, seed, split};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::LazyLock;

const NAMES: &[&str] = &[
    "a.txt",
    "a.jsonl",
    "a.tar",
    "a.txt.gz",
    "a.jsonl.zst",
    "a.tar.xz",
    "a.json.gz",
    "a.tgz",
    "a_data.xz",
    "a.jsonl.xz",
    "a.txt.zst",
    "a",
];

/// A folder for each name, and a plan that reads it.
static PLANS: LazyLock<Vec<(PathBuf, Plan)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    let of = |name: &&str| {
        let texts = folder.join(format!("in-{name}"));
        fs::create_dir(&texts).unwrap();
        fs::write(texts.join("whole.txt"), "A text with which nothing is wrong, and long enough.").unwrap();
        let keys = "include = [\"**\"]\nmax_skipped = 1.0";
        let dataset =
            format!("[tokenizer]\nkind = \"bytes\"\n[dataset]\nkind = \"text\"\npath = {texts:?}\n{keys}\n");
        (texts.join(name), good_plan(&around(&dataset)))
    };
    seeds();
    NAMES.iter().map(of).collect()
});

fn seeds() {
    let text = "A text.\r\n\nÜnïcode \u{feff}一二三, <|endoftext|>\n".as_bytes();
    let lines =
        b"{\"id\": 1, \"text\": \"a \\u00e9 \\n\"}\n{\"text\": null}\n\n{\"text\": \"b\", \"n\": [1, {}]}\n";
    let mut archive = tar::Builder::new(Vec::new());
    let long = format!("{}/c.txt", "deep/".repeat(30));
    for (name, bytes) in [("a.txt", text), ("b.jsonl", &lines[..]), (&long, b"x"), ("d.png", b"\x89PNG\0")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    for (kind, name) in NAMES.iter().enumerate() {
        let inner = match name {
            _ if name.contains("json") => &lines[..],
            _ if name.contains("txt") => text,
            _ => &archive,
        };
        seed(&format!("documents/{name}"), kind, true, inner);
        seed(&format!("documents/as-it-is-{name}"), kind, false, &made_whole(name, inner.to_vec()));
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, whole, bytes)) = split(input, NAMES.len()) else { return };
    let (path, plan) = &PLANS[kind];
    let bytes = if whole { made_whole(NAMES[kind], bytes.to_vec()) } else { bytes.to_vec() };
    fs::write(path, bytes).unwrap();
    let cache = path.with_extension("cache");
    read(plan, &cache);
    let _ = fs::remove_dir_all(cache);
});

/// Headers with the sums that they should have, compressed as the name says.
fn made_whole(name: &str, mut bytes: Vec<u8>) -> Vec<u8> {
    if name.contains("tar") || name.contains("tgz") || name.contains("_data") {
        for block in bytes.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
            block[148..156].copy_from_slice(b"        ");
            let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    match name.rsplit('.').next() {
        Some("gz" | "tgz") => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        Some("zst") => zstd::encode_all(&*bytes, 1).unwrap(),
        Some("xz") => {
            let mut encoded = Vec::new();
            liblzma::read::XzEncoder::new(&*bytes, 0).read_to_end(&mut encoded).unwrap();
            encoded
        }
        _ => bytes,
    }
}
