//! Tokenising from a file, beside what the `tokenizers` crate does with the same texts in memory:
//! `cargo bench --bench tokenize`, with a number for as many megabytes of text. The two take turns, since machines
//! change their speed; the median of the rounds counts.

use indhead::dataset::Dataset;
use indhead::language::language;
use indhead::plan::{Planned, plan};
use indhead::probes::verdict::EVIDENCE;
use indhead::spec::Spec;
use rayon::prelude::*;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Text of words whose frequencies fall as they do in English.
fn document(number: u64, words: &[String]) -> String {
    let mut rng = indhead::random::stream(0, "bench", number);
    let mut text = format!("Document {number}.\n");
    for i in 0..400 + indhead::random::below(&mut rng, 800) {
        let rank = (words.len() as f64).powf(indhead::random::unit(&mut rng)) as usize - 1;
        text.push_str(&words[rank.min(words.len() - 1)]);
        text.push_str(if i % 17 == 16 { ".\n" } else { " " });
    }
    text
}

fn main() {
    let megabytes: usize = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(120);
    let folder = tempfile::tempdir().unwrap();
    let mut rng = indhead::random::stream(0, "words", 0);
    let letters = |rng: &mut _| (b'a' + indhead::random::below(rng, 26) as u8) as char;
    let word = |_| (0..2 + indhead::random::below(&mut rng, 8)).map(|_| letters(&mut rng)).collect();
    let words: Vec<String> = (0..50_000).map(word).collect();
    let (mut texts, mut bytes) = (Vec::new(), 0);
    while bytes < megabytes * 1_000_000 {
        texts.push(document(texts.len() as u64, &words));
        bytes += texts.last().map_or(0, String::len);
    }
    let path = folder.path().join("texts.jsonl.zst");
    let mut file = zstd::Encoder::new(std::fs::File::create(&path).unwrap(), 1).unwrap();
    for text in &texts {
        writeln!(file, "{}", serde_json::json!({ "text": text })).unwrap();
    }
    file.finish().unwrap();

    let spec = format!(
        "[architecture]\nd_model = 8\nn_ctx = 16\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 1\n\
         [tokenizer]\nkind = \"bpe\"\nd_vocab = 8192\n[dataset]\nkind = \"text\"\npath = {path:?}\n\
         max_bytes = 1_000_000_000_000\n[training]\nsteps = 9\n"
    );
    let Planned { plan, .. } =
        plan(Spec::parse(Path::new("bench.toml"), spec, &[]), &language(), EVIDENCE, "bench");
    let plan = plan.unwrap();
    let cache = folder.path().join("cache");
    let tokenizer = indhead::dataset::open_tokenizer(&plan, &cache, &mut |_| {}).unwrap();
    let alone = tokenizers::Tokenizer::from_bytes(tokenizer.json()).unwrap();

    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds;
    let mut shares = Vec::new();
    for round in 0..9 {
        let start = Instant::now();
        let ids: usize =
            texts.par_iter().map(|text| alone.encode_fast(text.as_str(), false).unwrap().len()).sum();
        let theirs = rate(start.elapsed().as_secs_f64());
        let _ = std::fs::remove_dir_all(cache.join("stores"));
        let start = Instant::now();
        let dataset = Dataset::open(&plan, &cache, &mut |_| {}).unwrap();
        let ours = rate(start.elapsed().as_secs_f64());
        assert_eq!(dataset.summary().tokens, (ids + texts.len()) as u64);
        shares.push(100.0 * ours / theirs);
        println!(
            "round {round}: `tokenizers` alone {theirs:.2} MB/s, from a file into a store {ours:.2} MB/s: {:.1} %",
            shares[round]
        );
    }
    shares.sort_by(f64::total_cmp);
    println!("median {:.1} %, from {:.1} to {:.1} %", shares[4], shares[0], shares[8]);
}
