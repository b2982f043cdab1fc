//! Token ids as other programs write them: both forms, by independent code, come to the same windows;
//! what is wrong with a file is told.

mod common;

use indhead::dataset::{Dataset, Event, survey};
use indhead::plan::{Plan, Planned};
use indhead::random;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const N_CTX: usize = 16;
const END: u16 = 50256;

/// Some documents of GPT-2's ids, of various lengths, without the end-of-text token.
fn documents(seed: u64, count: usize) -> Vec<Vec<u16>> {
    let mut state = seed;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    (0..count).map(|_| (0..below(60)).map(|_| below(50256) as u16).collect()).collect()
}

/// As nanoGPT's `prepare.py`: end-of-text after each document.
fn nano_gpt(documents: &[Vec<u16>]) -> Vec<u8> {
    let with_end = |document: &Vec<u16>| [document.as_slice(), &[END]].concat();
    documents.iter().flat_map(with_end).flat_map(u16::to_le_bytes).collect()
}

/// As llm.c's `write_datafile`: a header, and end-of-text before each document.
fn llm_c(documents: &[Vec<u16>]) -> Vec<u8> {
    let ids: Vec<u16> = documents.iter().flat_map(|d| [&[END], d.as_slice()].concat()).collect();
    let mut header = [0i32; 256];
    header[..3].copy_from_slice(&[20240520, 1, ids.len() as i32]);
    let header = header.into_iter().flat_map(i32::to_le_bytes);
    header.chain(ids.into_iter().flat_map(u16::to_le_bytes)).collect()
}

/// The same with four bytes an id.
fn llama(documents: &[Vec<u16>]) -> Vec<u8> {
    let ids: Vec<u32> =
        documents.iter().flat_map(|d| [&[END], d.as_slice()].concat()).map(u32::from).collect();
    let mut header = [0i32; 256];
    header[..3].copy_from_slice(&[20240801, 7, ids.len() as i32]);
    let header = header.into_iter().flat_map(i32::to_le_bytes);
    header.chain(ids.into_iter().flat_map(u32::to_le_bytes)).collect()
}

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new(files: &[(&str, Vec<u8>)]) -> Bench {
        let bench = Bench { folder: TempDir::new().unwrap() };
        files.iter().for_each(|(name, bytes)| bench.write(name, bytes));
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.path()).unwrap();
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn spec(&self, name: &str, extra: &str, tokenizer: &str) -> String {
        let path = self.path().join(name).display().to_string();
        format!(
            "seed = 5\n[architecture]\nd_model = 8\nn_ctx = {N_CTX}\n[[architecture.blocks]]\nkind = \"attention\"\n\
             n_heads = 1\n[tokenizer]\n{tokenizer}\n[dataset]\nkind = \"tokens\"\npath = \"{path}\"\n{extra}\n\
             [training]\nsteps = 9\nbatch_size = 3\n"
        )
    }

    fn plan(&self, name: &str, extra: &str) -> Plan {
        common::good_plan(&self.spec(name, extra, "kind = \"gpt2\""))
    }

    fn open(&self, plan: &Plan) -> (Result<Dataset, String>, Vec<Event>) {
        let mut events = Vec::new();
        let cache = self.folder.path().join("cache");
        let dataset = Dataset::open(plan, &cache, &mut |event| events.push(event));
        (dataset.map_err(|e| e.to_string()), events)
    }

    fn dataset(&self, name: &str, extra: &str) -> Dataset {
        self.open(&self.plan(name, extra)).0.unwrap()
    }

    /// What planning says that is wrong.
    fn complaint(&self, name: &str, extra: &str) -> String {
        common::complaints(&self.spec(name, extra, "kind = \"gpt2\""), &[])
    }
}

/// What is read of a dataset: batches, held-out windows, passages.
fn read(dataset: &Dataset) -> [Vec<Vec<usize>>; 3] {
    let batches = (0..20).map(|step| dataset.batch(step)).collect();
    let passages = dataset.passages(&mut random::stream(1, "x", 0), 10, 6);
    [batches, dataset.validation(1000), passages]
}

#[test]
fn both_forms_and_both_widths_read_the_same() {
    // What stands between end-of-texts is the same; nanoGPT has one at the end, and llm.c at the beginning.
    let training = [vec![vec![]], documents(1, 400)].concat();
    let held_out = [vec![vec![]], documents(2, 40)].concat();
    let open = |documents: &[Vec<u16>]| [documents, &[vec![]]].concat();
    let (t, v) = (&training[1..], &held_out[1..]);
    let first = Bench::new(&[("train.bin", nano_gpt(&training)), ("val.bin", nano_gpt(&held_out))]);
    let second = Bench::new(&[("x_train_1.bin", llm_c(&open(t))), ("x_val_1.bin", llm_c(&open(v)))]);
    let third = Bench::new(&[("train.bin", llama(&open(t))), ("val.bin", llm_c(&open(v)))]);
    let (a, b, c) = (first.dataset("", ""), second.dataset("", ""), third.dataset("", ""));
    assert_eq!(a.summary().digest, b.summary().digest);
    assert_eq!(a.summary().digest, c.summary().digest);
    assert!(read(&a) == read(&b) && read(&a) == read(&c));
    assert!(a.frequencies() == b.frequencies() && a.frequencies() == c.frequencies());
    assert_eq!(a.summary().documents, 442);
    // Parts of one stream in several files are the stream.
    let bytes = nano_gpt(&training);
    let parts = bytes.chunks(bytes.len() / 6 * 2);
    let names: Vec<String> = (0..4).map(|i| format!("train_{i}.bin")).collect();
    let mut files: Vec<(&str, Vec<u8>)> =
        names.iter().map(String::as_str).zip(parts.map(<[u8]>::to_vec)).collect();
    files.push(("val.bin", nano_gpt(&held_out)));
    let fourth = Bench::new(&files).dataset("", "");
    assert!(read(&fourth) == read(&a) && fourth.summary().digest == a.summary().digest);
}

#[test]
fn every_token_is_counted_and_none_is_changed() {
    let (training, held_out) = (documents(3, 300), documents(4, 50));
    let bench = Bench::new(&[("train.bin", nano_gpt(&training)), ("val.bin", nano_gpt(&held_out))]);
    let dataset = bench.dataset("", "");
    let mut counts = vec![0u64; 50257];
    training.iter().flatten().for_each(|id| counts[usize::from(*id)] += 1);
    counts[usize::from(END)] = 300;
    assert_eq!(dataset.frequencies(), counts);
    let summary = dataset.summary();
    let total = training.iter().chain(&held_out).map(|d| d.len() as u64 + 1).sum::<u64>();
    assert_eq!((summary.tokens, summary.bytes, summary.documents), (total, 2 * total, 350));
    let all: Vec<usize> =
        held_out.iter().flat_map(|d| [d.as_slice(), &[END]].concat()).map(usize::from).collect();
    for window in dataset.validation(100) {
        assert!(all.windows(N_CTX + 1).any(|w| w == window), "{window:?}");
    }
    let surveyed = survey(&bench.plan("", ""), bench.folder.path()).unwrap().unwrap();
    assert_eq!((surveyed.tokens, surveyed.bytes, surveyed.documents), (total, 2 * total, None));
}

#[test]
fn the_last_documents_are_held_out_where_no_file_is() {
    // Document i is made of i: which part a window is of can be read off it.
    let documents: Vec<Vec<u16>> = (0..200).map(|i| vec![i; 30]).collect();
    let bench = Bench::new(&[("all.bin", nano_gpt(&documents))]);
    let dataset = bench.dataset("all.bin", "validation_fraction = 0.1");
    let seen = |ids: &[usize]| ids.iter().copied().filter(|id| *id != usize::from(END)).collect::<Vec<_>>();
    let held: Vec<usize> = dataset.validation(1000).concat();
    let (first, trained) = (seen(&held).into_iter().min().unwrap(), (0..500).map(|step| dataset.batch(step)));
    assert!((180..=182).contains(&first), "{first}");
    // The document before it is whole.
    let trained = seen(&trained.collect::<Vec<_>>().concat());
    assert_eq!(trained.into_iter().max(), Some(first - 1));
    assert_eq!(held[0], usize::from(END));
    // One document that never ends is cut where it has to be.
    let bench = Bench::new(&[("all.bin", nano_gpt(&[(0..4000).collect()]))]);
    let dataset = bench.dataset("all.bin", "validation_fraction = 0.25");
    assert_eq!(dataset.validation(1000)[0][0], 3001);
}

#[test]
fn a_file_for_validation_can_be_named() {
    let bench =
        Bench::new(&[("a.bin", nano_gpt(&documents(1, 99))), ("b.bin", llm_c(&vec![vec![7; 40]; 9]))]);
    let other = bench.path().join("b.bin").display().to_string();
    let dataset = bench.dataset("a.bin", &format!("validation = \"{other}\""));
    assert!(dataset.validation(9).concat().iter().all(|id| [7, usize::from(END)].contains(id)));
}

#[test]
fn an_id_beyond_the_vocabulary_is_named_with_its_place() {
    // Planning looks at 32 768 ids at the beginning, in the middle and at the end; these stand between.
    let mut documents = documents(1, 8000);
    documents[2000] = vec![5, 60_000, 61_000];
    let place = documents[..2000].iter().map(|d| d.len() + 1).sum::<usize>() + 1;
    assert!((40_000..90_000).contains(&place));
    let bench = Bench::new(&[("train.bin", nano_gpt(&documents)), ("val.bin", nano_gpt(&documents[..100]))]);
    let said = bench.open(&bench.plan("", "")).0.unwrap_err();
    assert!(said.contains(&format!("train.bin: token {place}, counted from 0, is 60000")), "{said}");
    assert!(said.contains("50257 tokens"), "{said}");
    // A tokenizer that has them reads them.
    let plan = common::good_plan(&bench.spec("", "", "kind = \"ids\"\nd_vocab = 65536"));
    assert_eq!(bench.open(&plan).0.unwrap().frequencies()[61_000], 1);
}

#[test]
fn ids_of_another_tokenizer_are_told_before_anything_is_read() {
    let mut documents = documents(1, 400);
    documents[200] = vec![5, 60_000];
    let place = documents[..200].iter().map(|d| d.len() + 1).sum::<usize>() + 1;
    let good = nano_gpt(&documents[..100]);
    let bench = Bench::new(&[("train.bin", nano_gpt(&documents)), ("val.bin", good.clone())]);
    let said = bench.complaint("", "");
    assert!(
        said.contains(&format!("id 60000 at place {place}")) && said.contains("vocabulary of 50257"),
        "{said}"
    );
    // Held-out ids are looked at, too; and one file is not both.
    bench.write("train.bin", &good);
    bench.write("held.bin", &nano_gpt(&documents));
    let held = format!("validation = {:?}", bench.path().join("held.bin"));
    assert!(bench.complaint("train.bin", &held).contains("held.bin is beyond"));
    let both = format!("validation = {:?}", bench.path().join("./train.bin"));
    assert!(bench.complaint("train.bin", &both).contains("trained on and held out"));
}

#[test]
fn counts_of_large_files_are_remembered_until_the_files_change() {
    let documents: Vec<Vec<u16>> = (0..5000u16).map(|i| vec![i; 1000]).collect();
    let bench = Bench::new(&[("train.bin", nano_gpt(&documents))]);
    let plan = bench.plan("", "");
    let counted = |events: &[Event]| {
        events.iter().any(|e| matches!(e, Event::Progress { what, .. } if what.contains("counting")))
    };
    let (first, events) = bench.open(&plan);
    assert!(counted(&events));
    let (again, events) = bench.open(&plan);
    assert!(!counted(&events));
    let (first, again) = (first.unwrap(), again.unwrap());
    assert!(first.summary() == again.summary() && first.frequencies() == again.frequencies());
    bench.write("train.bin", &nano_gpt(&documents[1..]));
    let (changed, events) = bench.open(&plan);
    assert!(counted(&events) && changed.unwrap().frequencies()[0] == 0);
}

#[test]
fn what_is_no_file_of_token_ids_is_told_before_anything_runs() {
    let good = nano_gpt(&documents(1, 99));
    let cut = llm_c(&documents(1, 99));
    let bench = Bench::new(&[
        ("odd.bin", good[1..].to_vec()),
        ("empty.bin", Vec::new()),
        ("cut.bin", cut[..cut.len() - 20].to_vec()),
        ("gzip.bin", [b"\x1f\x8b\x08\0".as_slice(), &good].concat()),
        ("text.bin", b"Not a token in it.\n".repeat(99)),
        ("short.bin", good[..40].to_vec()),
        ("good.bin", good.clone()),
    ]);
    for (name, words) in [
        ("odd.bin", "odd number of bytes"),
        ("empty.bin", "is empty"),
        ("cut.bin", "cut short"),
        ("gzip.bin", "is gzip"),
        ("text.bin", "is text"),
        ("short.bin", "20 tokens; a training and a held-out window need 34"),
        ("god.bin", "did you mean \"good.bin\"?"),
        ("", "no train*.bin: there is only cut.bin"),
    ] {
        let said = bench.complaint(name, "");
        assert!(said.contains(words), "{name}: {said}");
    }
    let validation = |name: &str| format!("validation = \"{}\"", bench.path().join(name).display());
    assert!(bench.complaint("good.bin", &validation("odd.bin")).contains("odd number"));
    fs::write(bench.path().join("tiny.bin"), &good[..20]).unwrap();
    assert!(bench.complaint("good.bin", &validation("tiny.bin")).contains("10 held-out tokens"));
    // A tokenizer learned from text has nothing to learn from.
    let said = common::complaints(&bench.spec("good.bin", "", "kind = \"bpe\""), &[]);
    assert!(said.contains("this tokenizer is learned from text"), "{said}");
}

#[test]
fn ids_without_a_single_end_are_read_with_a_warning() {
    let ids: Vec<u8> = (0..4000u16).flat_map(u16::to_le_bytes).collect();
    let bench = Bench::new(&[("train.bin", ids)]);
    let (dataset, events) = bench.open(&bench.plan("", ""));
    assert_eq!(dataset.unwrap().summary().documents, 0);
    let warned =
        |e: &Event| matches!(e, Event::Warning(words) if words.contains("<|endoftext|>, token 50256"));
    assert!(events.iter().any(warned), "{events:?}");
}

/// Without the data, a plan can be made that says so, and nothing else.
#[test]
fn a_plan_is_made_where_the_data_is_not() {
    let bench = Bench::new(&[]);
    let text = bench.spec("far.bin", "", "kind = \"gpt2\"");
    assert!(common::complaints(&text, &[]).contains("there is no file or folder"));
    let mut spec = indhead::spec::Spec::parse(Path::new("test.toml"), &text, &[]);
    spec.findings.elsewhere = true;
    let evidence = indhead::probes::verdict::EVIDENCE;
    let Planned { plan, findings } =
        indhead::plan::plan(spec, &indhead::language::language(), evidence, "test");
    assert!(plan.is_some() && findings.diagnostics.len() == 1);
    assert_eq!(findings.not_here.iter().collect::<Vec<_>>(), ["dataset.path"]);
}
