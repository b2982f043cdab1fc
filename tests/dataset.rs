//! Datasets: what is read and in which order, what is passed over, and batches by counter.

mod common;

use indhead::dataset::{Dataset, Event};
use indhead::plan::Plan;
use indhead::random;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const N_CTX: usize = 16;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench { folder: TempDir::new().unwrap() };
        fs::create_dir(bench.texts()).unwrap();
        bench
    }

    fn texts(&self) -> PathBuf {
        self.folder.path().join("texts")
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.texts().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn plan(&self, dataset: &str, tokenizer: &str) -> Plan {
        let path = self.texts().display().to_string();
        common::good_plan(&format!(
            "seed = 5\n[architecture]\nd_model = 8\nn_ctx = {N_CTX}\n[[architecture.blocks]]\nkind = \"attention\"\n\
             n_heads = 1\n[tokenizer]\n{tokenizer}\n[dataset]\n{}\n[training]\nsteps = 9\nbatch_size = 3\n",
            dataset.replace("PATH", &path)
        ))
    }

    /// Opens a dataset; its events too.
    fn open(&self, plan: &Plan) -> (indhead::error::Result<Dataset>, Vec<Event>) {
        let mut events = Vec::new();
        let cache = self.folder.path().join("cache");
        let dataset = Dataset::open(plan, &cache, &mut |event| events.push(event));
        (dataset, events)
    }

    fn bytes(&self, extra: &str) -> Dataset {
        let plan = self.plan(&format!("kind = \"text\"\npath = \"PATH\"\n{extra}"), "kind = \"bytes\"");
        self.open(&plan).0.unwrap()
    }
}

/// Some prose that differs by number.
fn prose(i: usize) -> String {
    format!("Document {i} says that {i} times {i} is {}, and then it says so again.\n", i * i)
}

fn tokenised(events: &[Event]) -> bool {
    events.iter().any(|e| matches!(e, Event::Progress { what, .. } if what.contains("tokenising")))
}

#[test]
fn text_is_tokenised_once() {
    let bench = Bench::new();
    (0..40).for_each(|i| bench.write(&format!("{i}.txt"), prose(i)));
    let plan = bench.plan("kind = \"text\"\npath = \"PATH\"", "kind = \"bpe\"\nd_vocab = 300");
    let (first, events) = bench.open(&plan);
    let first = first.unwrap();
    assert!(tokenised(&events));
    let (second, events) = bench.open(&plan);
    let second = second.unwrap();
    assert!(!tokenised(&events), "{events:?}");
    assert_eq!(first.summary(), second.summary());
    assert_eq!(first.tokenizer().json(), second.tokenizer().json());
    assert_eq!(first.batch(3), second.batch(3));
    assert_eq!(first.summary().documents, 40);
    bench.write("0.txt", "Something else, and longer than it was before, to be sure of it all.");
    let (third, events) = bench.open(&plan);
    assert!(tokenised(&events), "a changed file is read again");
    assert_ne!(third.unwrap().summary().digest, first.summary().digest);
}

#[test]
fn what_is_not_text_is_passed_over_and_counted() {
    let bench = Bench::new();
    (0..20).for_each(|i| bench.write(&format!("{i}.md"), prose(i)));
    bench.write("binary.md", [0u8, 1, 2, 0, 255]);
    bench.write("empty.md", "");
    bench.write("latin.md", b"caf\xe9 and more of it, enough to be a text\n".repeat(3));
    bench.write("data.json", "{\"not\": \"text\"}");
    let dataset = bench.bytes("");
    let summary = dataset.summary();
    assert_eq!((summary.documents, summary.skipped, summary.replaced), (21, 2, 1));
    let all = bench.bytes("include = [\"**/*.json\", \"**/*.md\"]");
    assert_eq!(all.summary().documents, 22);
}

#[test]
fn nothing_to_read_is_an_error_that_says_where_it_looked() {
    let bench = Bench::new();
    bench.write("data.json", "{}");
    bench.write("tiny.txt", "x".repeat(99));
    let plan = bench.plan("kind = \"text\"\npath = \"PATH\"", "kind = \"bytes\"");
    // There was more when the plan was made.
    bench.write("tiny.txt", "x");
    let said = bench.open(&plan).0.unwrap_err().to_string();
    assert!(said.contains("2 tokens") && said.contains("34"), "{said}");
    // And now there is nothing.
    fs::remove_file(bench.texts().join("tiny.txt")).unwrap();
    let said = bench.open(&plan).0.unwrap_err().to_string();
    assert!(said.contains("texts") && said.contains("1 other file"), "{said}");
}

#[test]
fn max_bytes_bounds_what_is_read() {
    let bench = Bench::new();
    (0..200).for_each(|i| bench.write(&format!("{:02}/{i}.txt", i % 10), prose(i)));
    let some = bench.bytes("max_bytes = 4_000");
    assert!((3_000..=4_000).contains(&some.summary().bytes), "{}", some.summary().bytes);
    let all = bench.bytes("");
    assert!(all.summary().bytes > 10_000);
}

#[test]
fn one_long_file_is_split_by_position() {
    let bench = Bench::new();
    let text: String = (0..300).map(prose).collect();
    bench.write("one.txt", &text);
    let dataset = bench.bytes("validation_fraction = 0.1");
    let held = dataset.validation(8);
    assert_eq!(held.len(), 8);
    assert!(held.iter().all(|w| w.len() == N_CTX + 1));
    // The last tenth of the text is never in a batch: its numbers are above 270.
    let strings = |ids: &[usize]| {
        let ids: Vec<u32> = ids.iter().map(|&t| t as u32).collect();
        dataset.tokenizer().strings(&ids).concat()
    };
    for step in 0..200 {
        assert!(!strings(&dataset.batch(step)).contains("Document 29"), "step {step}");
    }
}

#[test]
fn the_split_is_stable_when_files_are_added() {
    let bench = Bench::new();
    (0..200).for_each(|i| bench.write(&format!("{i}.txt"), prose(i)));
    let held_out = |dataset: &Dataset| {
        let all: Vec<usize> = dataset.validation(10_000).concat();
        let ids: Vec<u32> = all.iter().map(|&t| t as u32).collect();
        dataset.tokenizer().strings(&ids).concat()
    };
    let before = held_out(&bench.bytes("validation_fraction = 0.1"));
    (200..260).for_each(|i| bench.write(&format!("more/{i}.txt"), prose(i)));
    let after = held_out(&bench.bytes("validation_fraction = 0.1"));
    let numbers = |text: &str| -> Vec<usize> {
        let after_word = text.match_indices("Document ").map(|(i, _)| &text[i + 9..]);
        after_word.filter_map(|rest| rest.split(' ').next()?.parse().ok()).collect()
    };
    let (before, after) = (numbers(&before), numbers(&after));
    assert!(before.len() > 5);
    let kept = before.iter().filter(|n| after.contains(n)).count();
    assert!(kept * 10 >= before.len() * 8, "{before:?} {after:?}");
}

#[test]
fn a_special_token_in_a_text_is_text() {
    let bench = Bench::new();
    (0..20).for_each(|i| bench.write(&format!("{i}.txt"), format!("{}<|endoftext|> and on", prose(i))));
    let plan = bench.plan("kind = \"text\"\npath = \"PATH\"", "kind = \"bpe\"\nd_vocab = 300");
    let dataset = bench.open(&plan).0.unwrap();
    let starts = dataset.frequencies()[dataset.tokenizer().start() as usize];
    assert!(starts <= 20, "{starts} start tokens in at most 20 documents");
}

#[test]
fn batches_are_functions_of_seed_and_step() {
    let bench = Bench::new();
    (0..40).for_each(|i| bench.write(&format!("{i}.txt"), prose(i)));
    let (a, b) = (bench.bytes(""), bench.bytes(""));
    (0..6).for_each(|step| assert_eq!(a.batch(step).len(), 3 * (N_CTX + 1)));
    assert_eq!(a.batch(7), b.batch(7), "without those before it");
    assert_ne!(a.batch(7), a.batch(8));
}

/// The smallest period of a row.
fn period(row: &[usize]) -> usize {
    (1..row.len()).find(|&p| (p..row.len()).all(|i| row[i] == row[i - p])).unwrap_or(row.len())
}

#[test]
fn random_repeats_have_random_periods_and_no_start_token() {
    let bench = Bench::new();
    let plan = bench.plan("kind = \"repeated_random\"\nperiod = [3, 8]", "kind = \"ids\"\nd_vocab = 500");
    let dataset = bench.open(&plan).0.unwrap();
    let mut seen = [0; 9];
    for step in 0..100 {
        for row in dataset.batch(step).chunks(N_CTX + 1) {
            let period = period(row);
            assert!((3..=8).contains(&period), "{row:?}");
            assert!(!row.contains(&0), "{row:?}");
            seen[period] += 1;
        }
    }
    assert!(seen[3..].iter().all(|n| *n > 20), "{seen:?}");
    assert!(dataset.passages(&mut random::stream(0, "x", 0), 3, 4).is_empty());
}

#[test]
fn sequences_are_the_same_in_whatever_order_they_are_asked_for() {
    let bench = Bench::new();
    let datasets = [
        "kind = \"repeated_random\"",
        "kind = \"markov\"",
        "kind = \"bigram_triggers\"",
        "kind = \"bigram_triggers\"\ntrigger_tokens = \"random\"\noutputs = \"bigram\"",
    ];
    for dataset in datasets {
        let plan = bench.plan(dataset, "kind = \"ids\"\nd_vocab = 12");
        let [a, b] = [&plan, &plan].map(|plan| bench.open(plan).0.unwrap());
        let ordered: Vec<Vec<usize>> = (0..4).map(|step| a.batch(step)).collect();
        let held_out = a.validation(5);
        assert_eq!(b.validation(3), held_out[..3], "{dataset}");
        for step in [2, 0, 3, 1] {
            assert_eq!(b.batch(step as u64), ordered[step], "{dataset}");
        }
        assert_eq!((b.bigrams(), b.frequencies()), (a.bigrams(), a.frequencies()), "{dataset}");
        assert!(ordered.windows(2).all(|two| two[0] != two[1]), "{dataset}");
        let all: Vec<usize> = ordered.concat().into_iter().chain(held_out.concat()).collect();
        assert!(all.iter().all(|token| (1..12).contains(token)), "{dataset}");
        let other = bench.open(&Plan { seed: 6, ..plan }).0.unwrap();
        assert_ne!(other.batch(0), ordered[0], "{dataset}");
    }
}

#[test]
fn the_frequencies_of_bigrams_with_triggers_are_those_of_their_sequences() {
    let bench = Bench::new();
    let plan = bench.plan("kind = \"bigram_triggers\"", "kind = \"ids\"\nd_vocab = 20");
    let dataset = bench.open(&plan).0.unwrap();
    let mut counts = [0.0; 20];
    (0..2000).for_each(|step| dataset.batch(step).into_iter().for_each(|token| counts[token] += 1.0));
    let (total, all) = (counts.iter().sum::<f64>(), dataset.frequencies().iter().sum::<u64>() as f64);
    for (count, frequency) in counts.iter().zip(dataset.frequencies()) {
        assert!((count / total - *frequency as f64 / all).abs() < 0.01, "{counts:?}");
    }
    assert_eq!(dataset.frequencies()[0], 0, "no start token");
}

#[test]
fn repeat_shares_are_shares_of_the_sequences() {
    let bench = Bench::new();
    (0..400).for_each(|i| bench.write(&format!("{i}.txt"), prose(i)));
    let dataset = bench.bytes("repeat = { passages = 0.5, random = 0.2, period = [4, 8] }");
    let rows: Vec<Vec<usize>> = (0..300)
        .flat_map(|s| dataset.batch(s).chunks(N_CTX + 1).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect();
    let repeating = rows.iter().filter(|r| period(r) <= 8).count() as f64 / rows.len() as f64;
    assert!((repeating - 0.7).abs() < 0.06, "{repeating}");
    // Bytes above 127 are not in the text: they come from the random share.
    let random = rows.iter().filter(|r| r.iter().any(|t| *t > 128)).count() as f64 / rows.len() as f64;
    assert!((random - 0.2).abs() < 0.05, "{random}");
}

#[test]
fn passages_are_held_out_text_without_start_tokens() {
    let bench = Bench::new();
    (0..300).for_each(|i| bench.write(&format!("{i}.txt"), prose(i)));
    let dataset = bench.bytes("validation_fraction = 0.2");
    let passages = dataset.passages(&mut random::stream(0, "x", 0), 20, 12);
    assert_eq!(passages.len(), 20);
    assert!(passages.iter().all(|p| p.len() == 12 && !p.contains(&0)));
}

#[test]
fn a_vocabulary_beyond_two_bytes_is_stored_in_four() {
    let bench = Bench::new();
    (0..20).for_each(|i| bench.write(&format!("{i}.txt"), prose(i)));
    let plan = bench.plan("kind = \"text\"\npath = \"PATH\"", "kind = \"bpe\"\nd_vocab = 70_000");
    let dataset = bench.open(&plan).0.unwrap();
    assert_eq!(dataset.tokenizer().d_vocab(), 70_000);
    let ids: Vec<u32> = dataset.batch(0)[..N_CTX + 1].iter().map(|&t| t as u32).collect();
    let text = dataset.tokenizer().strings(&ids).concat();
    assert!(text.chars().filter(|c| c.is_alphabetic()).count() > 5, "{text:?}");
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end() {
    let bench = Bench::new();
    (0..20).for_each(|i| bench.write(&format!("a/{i}.txt"), prose(i)));
    std::os::unix::fs::symlink(bench.texts(), bench.texts().join("a/round")).unwrap();
    std::os::unix::fs::symlink(Path::new("/no/such/file.txt"), bench.texts().join("broken.txt")).unwrap();
    assert_eq!(bench.bytes("").summary().documents, 20);
}

#[test]
fn the_beginning_of_a_story() {
    let bench = Bench::new();
    let plan = bench.plan("kind = \"stories\"\nbytes = 20_000", "kind = \"bytes\"");
    let dataset = bench.open(&plan).0.unwrap();
    let ids: Vec<u32> = dataset.validation(3)[0].iter().map(|&t| t as u32).collect();
    insta::assert_snapshot!("dataset_story", dataset.tokenizer().strings(&ids[1..]).concat());
}

#[test]
fn pairs_are_those_of_the_training_part() {
    let bench = Bench::new();
    (0..200).for_each(|i| bench.write(&format!("{i}.txt"), prose(i)));
    let dataset = bench.bytes("");
    let followed = |token: usize| dataset.bigrams().after(token).iter().map(|(_, count)| count).sum::<u64>();
    let lacking: u64 = dataset.frequencies().iter().enumerate().map(|(token, n)| n - followed(token)).sum();
    assert_eq!(lacking, 1, "nothing follows the last token, and something every other");
    let ids = dataset.tokenizer().encode("Do").unwrap();
    let [d, o] = [ids[0] as usize, ids[1] as usize];
    assert_eq!(dataset.bigrams().after(d), [(o, dataset.frequencies()[d])]);
}

/// A mixture of text and of random tokens that repeat with a period of 3 or 4, no byte of which is a letter.
fn mixture(bench: &Bench, shares: [f64; 2]) -> Dataset {
    for i in 0..40 {
        bench.write(&format!("{i}.txt"), prose(i).repeat(4));
    }
    let [text, random] = shares;
    let plan = bench.plan(
        &format!(
            "kind = \"mixture\"\nparts = [{{ share = {text}, kind = \"text\", path = \"PATH\" }}, \
             {{ share = {random}, kind = \"repeated_random\", period = [3, 4] }}]"
        ),
        "kind = \"bytes\"",
    );
    bench.open(&plan).0.unwrap()
}

fn repeats(window: &[usize]) -> bool {
    [3, 4].iter().any(|&period| window.iter().zip(&window[period..]).all(|(a, b)| a == b))
}

#[test]
fn a_mixture_takes_each_sequence_from_one_part_by_share() {
    let bench = Bench::new();
    let dataset = mixture(&bench, [3.0, 1.0]);
    let windows: Vec<Vec<usize>> = (0..400)
        .flat_map(|step| dataset.batch(step).chunks(N_CTX + 1).map(<[usize]>::to_vec).collect::<Vec<_>>())
        .collect();
    let repeating = windows.iter().filter(|window| repeats(window)).count() as f64 / windows.len() as f64;
    // Five standard deviations of 1200 draws.
    assert!((repeating - 0.25).abs() < 0.0625, "{repeating}");
    assert_eq!(dataset.validation(8).iter().filter(|window| repeats(window)).count(), 2);
    let mut rng = random::stream(0, "test", 0);
    let passages = dataset.passages(&mut rng, 5, 8);
    assert_eq!(passages.len(), 5);
    assert!(
        passages.iter().flatten().all(|&byte| (32..128).contains(&byte) || byte == 10),
        "only text has passages"
    );
}

#[test]
fn a_mixture_counts_tokens_by_share() {
    let bench = Bench::new();
    let text = |shares| {
        let dataset = mixture(&bench, shares);
        let counts = dataset.frequencies();
        // A byte that no text has is of the random part alone: one of 256 alike.
        counts[200] as f64 * 256.0 / counts.iter().sum::<u64>() as f64
    };
    assert!((text([1.0, 1.0]) - 0.5).abs() < 0.01);
    assert!((text([1.0, 3.0]) - 0.75).abs() < 0.01);
}
