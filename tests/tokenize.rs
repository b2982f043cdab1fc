//! `indhead tokenize`, and what `indhead plan` knows of what is to be read.

mod common;

use common::bench::{Bench, SPEC, tree};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

/// The tiny spec on lines of JSON: `count` documents.
fn bench(count: usize) -> Bench {
    let bench = Bench::new();
    let spec = SPEC.replace("kind = \"stories\"\nbytes = 60_000", "kind = \"text\"\npath = \"lines.jsonl\"");
    assert_ne!(spec, SPEC);
    fs::write(bench.path().join("lines.toml"), spec.replace("\"bpe\"\nd_vocab = 300", "\"bytes\"")).unwrap();
    let line =
        |i| serde_json::json!({"text": format!("Line {i} of {count} says {}", i * i)}).to_string() + "\n";
    fs::write(bench.path().join("lines.jsonl"), (0..count).map(line).collect::<String>()).unwrap();
    bench
}

fn json(bench: &Bench, arguments: &[&str]) -> Value {
    serde_json::from_str(&bench.good(arguments)).unwrap()
}

#[test]
fn a_store_is_made_once_and_told_of() {
    let bench = bench(500);
    let first = json(&bench, &["tokenize", "lines.toml", "--json"]);
    assert_eq!((&first["documents"], &first["skipped"]), (&500.into(), &0.into()));
    let bytes = first["bytes"].as_u64().unwrap();
    assert_eq!(first["tokens"], bytes + 500, "a token is a byte, and one starts each document");
    assert_eq!(first["digest"].as_str().unwrap().len(), 64);
    let path = std::path::Path::new(first["path"].as_str().unwrap());
    let before = tree(path);
    assert_eq!(before.len(), 4);
    let output = bench.indhead(&["tokenize", "lines.toml", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), first);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(bench.good(&["tokenize", "lines.toml"]).contains(first["digest"].as_str().unwrap()));

    // A store that lost a part, or does not say of itself what it said, is made again.
    let facts = fs::read_to_string(path.join("store.json")).unwrap();
    for (name, damaged) in [
        ("training.bin", "short".to_string()),
        ("store.json", facts.replace("\"width\":2", "\"width\":0")),
        ("store.json", facts.replace("\"width\":2", "\"width\":3")),
        ("store.json", facts.replace("\"frequencies\":[", "\"frequencies\":[7,")),
        ("store.json", facts[..facts.len() / 2].to_string()),
    ] {
        fs::write(path.join(name), damaged).unwrap();
        assert_eq!(json(&bench, &["tokenize", "lines.toml", "--json"]), first);
        assert!(tree(path) == before, "{name}");
    }
}

#[test]
fn a_bit_that_flips_in_a_store_is_seen_and_the_store_is_made_anew() {
    let bench = bench(500);
    let made = json(&bench, &["tokenize", "lines.toml", "--json"]);
    let path = std::path::Path::new(made["path"].as_str().unwrap());
    let before = tree(path);
    for (name, bytes) in &before {
        for at in [0, bytes.len() / 3, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(path.join(name), damaged).unwrap();
            assert_eq!(json(&bench, &["tokenize", "lines.toml", "--json"]), made);
            assert!(tree(path) == before, "{name} at {at}");
        }
    }
}

#[test]
fn a_plan_estimates_until_there_is_a_store() {
    let bench = bench(3000);
    let plan = || json(&bench, &["plan", "lines.toml", "--format", "json"])["dataset"].clone();
    let estimate = plan();
    assert_eq!(estimate["estimated"], true);
    assert!(bench.good(&["plan", "lines.toml"]).contains("about"));
    let made = json(&bench, &["tokenize", "lines.toml", "--json"]);
    let counted = plan();
    assert_eq!(counted["estimated"], false);
    for key in ["documents", "bytes", "tokens"] {
        assert_eq!(counted[key], made[key], "{key}");
        let [about, exact] = [&estimate[key], &counted[key]].map(|n| n.as_f64().unwrap());
        assert!((about / exact - 1.0).abs() < 0.1, "{key}: {about} for {exact}");
    }
    let epochs = counted["epochs"].as_f64().unwrap();
    assert!((epochs - 12.0 * 4.0 * 32.0 / made["tokens"].as_f64().unwrap()).abs() < 1e-9);
    assert!(!bench.good(&["plan", "lines.toml"]).contains("about 3"));
}

#[test]
fn little_text_for_much_training_is_told() {
    let bench = bench(50);
    let much = ["--set", "training.steps=5000"];
    let output = bench.indhead(&[&["tokenize", "lines.toml"], much.as_slice()].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warning: the dataset has") && said.contains("times"), "{said}");
    assert!(bench.good(&[&["plan", "lines.toml"], much.as_slice()].concat()).contains("few for so much"));
    assert!(!bench.good(&["plan", "lines.toml"]).contains("few for so much"));
}

#[test]
fn much_that_is_nearly_there_twice_is_told() {
    let bench = bench(10);
    let sentence =
        |i: usize, j: usize| blake3::hash(format!("{i} {j}").as_bytes()).to_hex()[..40].to_string();
    // A document, or nearly the one before: one of its eight sentences is another.
    let text = |i: usize, copy: bool| -> String {
        let one = |j| if copy && j == 3 { sentence(i, j) } else { sentence(i - usize::from(copy), j) };
        (0..8).map(one).collect::<Vec<_>>().join(". ")
    };
    let write = |copies: usize| {
        let line = |i: usize| {
            let copy = copies > 0 && i % copies == copies - 1;
            serde_json::json!({"text": text(i, copy)}).to_string() + "\n"
        };
        // Far from each other.
        let mut lines: Vec<String> = (0..600).map(line).collect();
        lines.sort_by_key(|line| *blake3::hash(line.as_bytes()).as_bytes());
        fs::write(bench.path().join("lines.jsonl"), lines.concat()).unwrap();
        let output = bench.indhead(&["tokenize", "lines.toml", "--json", "--quiet"]);
        let digest = serde_json::from_slice::<Value>(&output.stdout).unwrap()["digest"].clone();
        (String::from_utf8(output.stderr).unwrap(), digest)
    };
    let (said, _) = write(0);
    assert!(!said.contains("copies"), "{said}");
    let (said, digest) = write(10);
    assert!(said.contains("% of the passages nearly are copies of another"), "{said}");
    let planned = bench.indhead(&["plan", "lines.toml"]);
    assert!(String::from_utf8(planned.stderr).unwrap().contains("nearly are copies"));
    assert_eq!(json(&bench, &["tokenize", "lines.toml", "--json"])["digest"], digest);
}

#[test]
fn two_at_once_make_one_store() {
    let bench = bench(60_000);
    let start = |_| {
        Command::new(env!("CARGO_BIN_EXE_indhead"))
            .args(["tokenize", "lines.toml", "--json", "--quiet"])
            .current_dir(bench.path())
            .env("INDHEAD_CACHE", bench.path().join("cache"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both: Vec<_> = (0..2).map(start).collect();
    let said: Vec<_> = both.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(said.iter().all(|output| output.status.success()));
    assert_eq!(said[0].stdout, said[1].stdout);
    let stores = fs::read_dir(bench.path().join("cache/stores")).unwrap().flatten();
    assert_eq!(stores.filter(|entry| entry.path().is_dir()).count(), 1);
}

#[test]
fn sequences_made_on_the_spot_are_not_tokenised() {
    let bench = Bench::new();
    let ids = ["--set", "tokenizer={kind=\"ids\",d_vocab=9}", "--set", "dataset={kind=\"repeated_random\"}"];
    let rest = ["--set", "analyses=[]"];
    let said = bench.bad(&[&["tokenize", "tiny.toml"], ids.as_slice(), &rest].concat(), 2);
    assert!(said.contains("nothing to tokenise"), "{said}");
}
