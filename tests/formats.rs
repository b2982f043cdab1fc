//! Texts in all forms: the same documents give the same store, and what strangers made does no harm.

mod common;
#[cfg(feature = "parquet")]
#[path = "formats/columns.rs"]
mod columns;
#[path = "formats/forms.rs"]
mod forms;

use common::bench::tree;
use forms::{corpus, gz, jsonl, openwebtext, raw_header, tar, texts, xz, zst};
use indhead::dataset::{Dataset, Event, Summary};
use indhead::error::Result;
use indhead::plan::Plan;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use tempfile::TempDir;

/// Files, and a cache.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        Place { folder }
    }

    fn of(files: &[(&str, &[u8])]) -> Place {
        let place = Place::new();
        files.iter().for_each(|(name, bytes)| place.write(name, bytes));
        place
    }

    fn texts(&self) -> PathBuf {
        self.folder.path().join("in")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.texts().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn plan(&self, keys: &str) -> Plan {
        common::good_plan(&format!(
            "[architecture]\nd_model = 8\nn_ctx = 9\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 1\n\
             [tokenizer]\nkind = \"bytes\"\n[dataset]\nkind = \"text\"\npath = {:?}\nvalidation_fraction = 0.1\n\
             {keys}\n[training]\nsteps = 9\nbatch_size = 3\n",
            self.texts()
        ))
    }

    /// Reads it; what was said, too.
    fn open(&self, keys: &str) -> (Result<Dataset>, String) {
        let mut said = String::new();
        let mut events = |event| match event {
            Event::Warning(words) => said += &words,
            Event::Progress { .. } => {}
        };
        let dataset = Dataset::open(&self.plan(keys), &self.folder.path().join("cache"), &mut events);
        (dataset, said)
    }

    /// What was read, and what was said, however much is broken.
    fn read(&self) -> (Summary, String) {
        let (dataset, said) = self.open("max_skipped = 1.0");
        (dataset.unwrap().summary().clone(), said)
    }

    /// The stores in the cache, file by file.
    fn stores(&self) -> Vec<(String, Vec<u8>)> {
        let all = tree(&self.folder.path().join("cache/stores"));
        all.into_iter().filter(|(name, _)| name.contains('/')).collect()
    }
}

/// What one file says.
fn told(name: &str, bytes: &[u8]) -> (Summary, String) {
    let place = Place::of(&[(name, bytes), ("good.tar", &texts(&corpus()[..20]))]);
    place.read()
}

#[test]
fn the_same_documents_give_the_same_store_in_every_form() {
    let documents = corpus();
    let forms = forms::forms(&documents);
    assert!(forms.len() >= 11);
    let mut first = None;
    for (name, bytes) in &forms {
        let place = Place::of(&[(name, bytes)]);
        let (summary, said) = place.read();
        assert_eq!((summary.documents, summary.skipped), (120, 0), "{name}: {said}");
        assert_eq!(summary.bytes, documents.iter().map(|text| text.len() as u64).sum::<u64>(), "{name}");
        let stores = place.stores();
        assert_eq!(stores.len(), 4, "{name}");
        assert!(*first.get_or_insert(stores.clone()) == stores, "{name}: another store");
    }
}

#[test]
fn files_of_many_forms_are_read_in_one_order() {
    let documents = corpus();
    let mut names: Vec<String> = (0..documents.len()).map(|i| format!("{}/{i}.txt", i % 3)).collect();
    names.sort_by_key(|name| *blake3::hash(name.as_bytes()).as_bytes());
    let plain = Place::new();
    names.iter().zip(&documents).for_each(|(name, text)| plain.write(name, text.as_bytes()));
    let (summary, said) = plain.read();
    assert_eq!(summary.documents, 120, "{said}");
    let archive = Place::of(&[("docs.tar", &texts(&documents))]);
    assert_eq!(archive.read().0, Summary { path: archive.read().0.path, ..summary });
    assert!(archive.stores() == plain.stores());

    // Compressed one by one, the names are others, and so is the order.
    let endings = [".gz", ".xz", ".zst"];
    let name = |i: usize| format!("{i}.txt{}", endings[i % 3]);
    let mut names: Vec<(usize, String)> = (0..documents.len()).map(|i| (i, name(i))).collect();
    names.sort_by_key(|(_, name)| *blake3::hash(name.as_bytes()).as_bytes());
    let compressed = Place::new();
    for ((i, name), text) in names.iter().zip(&documents) {
        let compress = [gz, xz, zst][i % 3];
        compressed.write(name, &compress(text.as_bytes()));
    }
    assert_eq!(compressed.read().0.documents, 120);
    assert!(compressed.stores() == plain.stores());
}

#[test]
fn max_bytes_ends_every_form_at_the_same_byte() {
    let documents = corpus();
    let mut first = None;
    for (name, bytes) in forms::forms(&documents) {
        let place = Place::of(&[(name, &bytes)]);
        let summary = place.open("max_bytes = 40_001").0.unwrap().summary().clone();
        assert!((39_990..=40_010).contains(&summary.bytes), "{name}: {summary:?}");
        assert_eq!(*first.get_or_insert(summary.digest.clone()), summary.digest, "{name}");
    }
}

#[test]
fn the_split_is_the_same_in_whatever_form_and_company() {
    let documents = corpus();
    let lines = Place::of(&[("docs.jsonl.gz", &gz(&jsonl(&documents)))]);
    let more: Vec<String> = (0..60).map(|i| format!("More of it: {i}")).collect();
    let nested = Place::of(&[("o.tar.xz", &openwebtext(&documents)), ("more.tar", &texts(&more))]);
    let held_out = |place: &Place| -> String {
        let dataset = place.open("").0.unwrap();
        let ids: Vec<u32> = dataset.validation(100_000).concat().iter().map(|&t| t as u32).collect();
        dataset.tokenizer().strings(&ids).concat()
    };
    let (before, after) = (held_out(&lines), held_out(&nested));
    let held = |text: &str| (0..120).filter(|i| text.contains(&format!("# {i}\n"))).collect::<Vec<_>>();
    assert!(!held(&before).is_empty());
    assert_eq!(held(&before), held(&after));
}

#[test]
fn a_truncated_archive_gives_what_came_before_and_one_skip() {
    let (documents, mut short) = (corpus(), 0);
    for (name, bytes) in forms::forms(&documents) {
        let columns = name.ends_with(".parquet");
        for share in [3, 5, 7, 9] {
            let cut = &bytes[..bytes.len() * share / 10];
            let place = Place::of(&[(name, cut)]);
            let (dataset, said) = place.open("");
            match dataset {
                // The index of Parquet is at its end.
                Err(error) => assert!(error.to_string().contains(name), "{name} at {share}: {error}"),
                Ok(dataset) => {
                    let summary = dataset.summary();
                    assert!((1..=120).contains(&summary.documents) && !columns, "{name}: {summary:?}");
                    // It may be cut where a document ends, or where nothing but the end was.
                    assert!(summary.skipped <= 1, "{name} at {share}: {said}");
                    assert!(summary.skipped == 0 || said.contains(name), "{said}");
                    short += usize::from(summary.documents < 120 && summary.skipped == 1);
                }
            }
        }
    }
    assert!(short > 20, "{short}");
    let tar = texts(&documents);
    let (summary, said) = told("cut.tar", &tar[..tar.len() / 2 / 512 * 512 + 700]);
    assert!(summary.skipped == 1 && said.contains("cut.tar") && said.contains("too early"), "{said}");
}

#[test]
fn what_is_lost_weighs_by_its_bytes() {
    // Letters that compress little: decoders read up to 32 KiB ahead.
    let letters =
        |i: usize| (0..64).map(move |j| blake3::hash(format!("{i} {j}").as_bytes()).to_hex().to_string());
    let documents: Vec<String> = (0..240).map(|i| letters(i).collect()).collect();
    let tar = texts(&documents);
    // Broken in the middle, with everything behind that lost, beside as much that is whole.
    let mut bytes = gz(&tar);
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0x55);
    let whole = vec![b'x'; bytes.len()];
    let place = Place::of(&[("broken.tar.gz", &bytes), ("whole.txt", &whole)]);
    let error = place.open("").0.unwrap_err().to_string();
    assert!(error.contains("bytes cannot be read, and `max_skipped` allows a share of 0.05"), "{error}");
    assert!(error.contains("broken.tar.gz") && error.contains("are not read"), "{error}");
    let (dataset, said) = place.open("max_skipped = 0.3");
    let documents_read = dataset.unwrap().summary().documents;
    assert!((60..180).contains(&documents_read) && said.contains("% of them, first"), "{said}");
    // A part of an archive: what comes after it is read.
    let subsets: Vec<Vec<u8>> = documents.chunks(80).map(|some| xz(&texts(some))).collect();
    let mut first = subsets[0].clone();
    let middle = first.len() / 2;
    first[middle..middle + 32].fill(0x55);
    let members = [("a_data.xz", &first), ("b_data.xz", &subsets[1]), ("c_data.xz", &subsets[2])];
    let outer = forms::tar(members.map(|(name, bytes)| (name.to_string(), bytes.as_slice())));
    let place = Place::of(&[("o.tar", &outer)]);
    let (dataset, said) = place.open("max_skipped = 0.4");
    assert!(dataset.unwrap().summary().documents >= 160, "{said}");
    assert!(said.contains("o.tar/a_data.xz") && said.contains("are not read"), "{said}");
    let error = place.open("max_skipped = 0.02").0.unwrap_err().to_string();
    assert!(error.contains("o.tar/a_data.xz") && error.contains("max_skipped"), "{error}");
}

#[test]
fn where_nothing_may_be_broken_one_is_too_much() {
    let documents = corpus();
    let mut refused = 0;
    for (name, bytes) in forms::forms(&documents) {
        let place = Place::of(&[(name, &bytes)]);
        assert_eq!(place.open("max_skipped = 0").0.unwrap().summary().documents, 120, "{name}");
        let cut = Place::of(&[(name, &bytes[..bytes.len() * 6 / 10])]);
        if let Err(error) = cut.open("max_skipped = 0").0 {
            assert!(error.to_string().contains(name), "{name}: {error}");
            refused += 1;
        }
    }
    // Arrow and JSON lines may be cut where something ends.
    assert!(refused >= 9, "{refused}");
    let lines = String::from_utf8(jsonl(&documents)).unwrap() + "no JSON\n";
    let place = Place::of(&[("a.jsonl", lines.as_bytes())]);
    assert!(place.open("").0.is_ok());
    let error = place.open("max_skipped = 0").0.unwrap_err().to_string();
    assert!(error.contains("1 of 121 documents are broken") && error.contains("a.jsonl:121"), "{error}");
}

#[test]
fn damage_anywhere_is_no_crash() {
    let documents = corpus();
    for (name, bytes) in forms::forms(&documents[..40]) {
        for i in 0..24u64 {
            let mut damaged = bytes.clone();
            let hash = blake3::hash(format!("{name}{i}").as_bytes());
            for byte in hash.as_bytes().chunks(8) {
                let at = u64::from_le_bytes(byte.try_into().unwrap()) as usize % damaged.len();
                damaged[at] ^= 1 << (byte[0] % 8);
            }
            let place = Place::of(&[(name, &damaged), ("good.tar", &texts(&documents[..20]))]);
            match place.open("max_skipped = 0.5").0 {
                Ok(dataset) => assert!(dataset.summary().documents >= 20, "{name}, {i}"),
                Err(error) => assert!(error.to_string().contains("`max_skipped`"), "{name}, {i}: {error}"),
            }
        }
    }
}

#[test]
fn what_is_not_what_its_name_says_is_named_and_skipped() {
    let lines = jsonl(&corpus());
    let wrong: &[(&str, Vec<u8>, &str)] = &[
        ("a.jsonl.gz", zst(&lines), "not gzip, as its name says: it is zstd"),
        ("a.jsonl.zst", xz(&lines), "it is xz"),
        ("a.tar", gz(&lines), "it is gzip"),
        ("a.tar.xz", xz(b"only text"), "not a tar archive"),
        ("a.jsonl", b"only text".to_vec(), "not JSON lines"),
        ("a.txt", zst(b"some text that is compressed"), "it is zstd"),
        ("a.jsonl.xz", lines.clone(), "not xz"),
        ("a.parquet", lines.clone(), "not Parquet"),
        ("a.arrow", lines.clone(), "not an Arrow stream"),
    ];
    for (name, bytes, why) in wrong {
        let (summary, said) = told(name, bytes);
        assert_eq!((summary.documents, summary.skipped), (20, 1), "{name}: {said}");
        assert!(said.contains(&format!("{name}: ")) && said.contains(why), "{name}: {said}");
    }
}

#[test]
fn broken_rows_and_members_are_named_up_to_a_share() {
    let mut lines: Vec<String> =
        String::from_utf8(jsonl(&corpus())).unwrap().lines().map(str::to_string).collect();
    lines[6] = "{\"text\": \"never ends".into();
    lines[8] = "{\"title\": \"no text\"}".into();
    let bytes = gz(lines.join("\n").as_bytes());
    let place = Place::of(&[("rows.jsonl.gz", &bytes)]);
    let (dataset, said) = place.open("");
    assert_eq!(dataset.unwrap().summary().documents, 118);
    assert!(said.contains("rows.jsonl.gz:7: not JSON"), "{said}");
    assert!(said.contains("rows.jsonl.gz:9: there is no field \"text\""), "{said}");
    let error = place.open("max_skipped = 0.01").0.unwrap_err().to_string();
    assert!(error.contains("2 of 120") && error.contains("rows.jsonl.gz:7"), "{error}");
    let titles = place.open("field = \"title\"\nmax_skipped = 1").0.unwrap_err().to_string();
    assert!(titles.contains("tokens"), "{titles}");

    let broken = xz(&texts(&corpus()))[..2000].to_vec();
    let inner = [("subset1_data.xz".to_string(), broken.as_slice()), ("b.txt".into(), b"some good text")];
    let (summary, said) = told("a.tar", &tar(inner));
    assert_eq!(summary.skipped, 1, "{said}");
    assert!(said.contains("a.tar/subset1_data.xz"), "{said}");
}

#[test]
fn all_that_is_wrong_is_wrong_early() {
    let lines = "{\"text\": 1}\n".repeat(2000) + &String::from_utf8(jsonl(&corpus())).unwrap();
    let error = Place::of(&[("a.jsonl", lines.as_bytes())]).open("").0.unwrap_err().to_string();
    assert!(error.contains("a.jsonl:1: ") && error.contains("max_skipped"), "{error}");
}

#[test]
fn rows_of_something_else_are_passed_over() {
    let metrics = "{\"step\": 1, \"loss\": 2.5}\n".repeat(5000);
    let place = Place::of(&[("metrics.jsonl", metrics.as_bytes()), ("good.tar", &texts(&corpus()[..20]))]);
    let (dataset, said) = place.open("");
    assert_eq!(
        (dataset.unwrap().summary().documents, said.matches("metrics.jsonl").count()),
        (20, 1),
        "{said}"
    );
    assert!(said.contains("its first 100 rows have no field \"text\""), "{said}");
    let late = "{\"n\": 1}\n".repeat(9) + "{\"text\": \"and here is one after all\"}\n";
    let (summary, said) = told("late.jsonl", late.as_bytes());
    assert_eq!((summary.documents, summary.skipped), (21, 9), "{said}");
    assert!(said.contains("late.jsonl:1: there is no field"), "{said}");
    let alone = Place::of(&[("metrics.jsonl", metrics.as_bytes())]).open("").0.unwrap_err().to_string();
    assert!(alone.contains("there is no text") && alone.contains("no field \"text\""), "{alone}");
}

#[test]
fn an_archive_without_an_end_is_told() {
    let whole = texts(&corpus()[..4]);
    let header = whole.iter().rposition(|b| *b != 0).unwrap();
    let cut = &whole[..(header + 1).next_multiple_of(512)];
    let (summary, said) = told("a.tar", cut);
    assert_eq!((summary.documents, summary.skipped), (24, 1), "{said}");
    assert!(said.contains("it may have been cut"), "{said}");
    let error = Place::of(&[("a.tar", cut)]).open("max_skipped = 0").0.unwrap_err().to_string();
    assert!(error.contains("it may have been cut"), "{error}");
    let (summary, said) = told("empty.tar", &[0; 10240]);
    assert_eq!((summary.documents, summary.skipped), (20, 1), "{said}");
    assert!(said.contains("empty.tar: an archive with nothing in it"), "{said}");
}

#[test]
fn damage_that_only_a_checksum_shows_is_told() {
    // What it holds ends before the checksum does: only who reads on sees that something is wrong.
    let bytes = gz(&texts(&corpus()));
    let last = bytes.len() - 6;
    let mut wrong = bytes.clone();
    wrong[last] ^= 1;
    for (bytes, why) in [(wrong.as_slice(), "checksum"), (&bytes[..bytes.len() - 1], "a.tar.gz: ")] {
        let (summary, said) = told("a.tar.gz", bytes);
        assert_eq!((summary.documents, summary.skipped), (140, 1), "{said}");
        assert!(said.contains("a.tar.gz") && said.contains(why), "{said}");
        let error = Place::of(&[("a.tar.gz", bytes)]).open("max_skipped = 0").0.unwrap_err().to_string();
        assert!(error.contains("a.tar.gz"), "{error}");
    }
}

#[test]
fn names_in_archives_lead_nowhere() {
    let text = b"some text of a hostile archive\n";
    let mut bytes = Vec::new();
    for name in ["../../../evil.txt", "/tmp/evil/absolute.txt", "in/../../../evil2.txt", "a\x1b[31m\n.txt"] {
        bytes.extend(raw_header(name, b'0', text.len() as u64));
        bytes.extend(text);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend(raw_header("link.txt", b'2', 0));
    bytes.extend(raw_header("hard.txt", b'1', 0));
    bytes.extend(raw_header("fifo.txt", b'6', 0));
    bytes.resize(bytes.len() + 1024, 0);
    let place = Place::of(&[("a.tar", &bytes)]);
    let (summary, said) = place.read();
    assert_eq!((summary.documents, summary.skipped), (4, 3), "{said}");
    assert!(said.contains("a.tar/link.txt: a link") && !said.contains('\x1b'), "{said}");
    let files = tree(place.folder.path());
    let outside = files.iter().filter(|(name, _)| !name.starts_with("cache/stores/") && name != "in/a.tar");
    assert_eq!(outside.count(), 0);
}

#[test]
fn sizes_that_are_stated_are_not_believed() {
    let text = [b"some text".as_slice(), &[b' '; 503]].concat();
    for size in [1 << 33, (1 << 62) + 1, u64::MAX] {
        let bytes =
            [raw_header("a.txt", b'0', 512), text.clone(), raw_header("b.txt", b'0', size), text.clone()];
        let (summary, said) = told("huge.tar", &bytes.concat());
        assert_eq!((summary.documents, summary.skipped), (21, 1), "{said}");
    }
    for kind in [b'L', b'x'] {
        let bytes =
            [raw_header("a.txt", b'0', 512), text.clone(), raw_header("name", kind, 1 << 40), text.clone()];
        let (summary, said) = told("names.tar", &bytes.concat());
        assert_eq!((summary.documents, summary.skipped), (21, 1), "{said}");
    }
}

#[test]
fn a_gigabyte_of_almost_nothing_is_a_skip() {
    let much = |byte: u8| std::io::repeat(byte).take(1 << 30);
    let compressed = |input: &mut dyn Read| zstd::encode_all(input, 1).unwrap();
    for (name, byte, why) in [
        ("zeros.txt.zst", 0, "binary"),
        ("zeros.jsonl.zst", 0, "not JSON lines"),
        ("letters.txt.zst", b'a', "a line is longer than 16 MiB"),
    ] {
        let (summary, said) = told(name, &compressed(&mut much(byte)));
        assert_eq!((summary.documents, summary.skipped), (20, 1), "{said}");
        assert!(said.contains(&format!("{name}: {why}")), "{said}");
    }
    let line = [b"{\"text\": \"".as_slice(), b"\"}\n{\"text\": \"and one more\"}\n"];
    let (summary, said) = told("line.jsonl.zst", &compressed(&mut line[0].chain(much(b'a')).chain(line[1])));
    assert_eq!((summary.documents, summary.skipped), (21, 1), "{said}");
    assert!(said.contains("line.jsonl.zst:1: a line is longer"), "{said}");
    let header = raw_header("name", b'L', 1 << 30);
    let (summary, said) = told("name.tar.zst", &compressed(&mut header.as_slice().chain(much(b'a'))));
    assert_eq!(summary.documents, 20, "{said}");
}

#[test]
fn archives_in_archives_end() {
    let mut bytes = texts(&corpus()[..3]);
    let mut name = "a.tar".to_string();
    for _ in 0..8 {
        bytes = gz(&bytes);
        name += ".gz";
    }
    let (summary, said) = told(&name, &bytes);
    assert_eq!((summary.documents, summary.skipped), (20, 1), "{said}");
    assert!(said.contains("too deep"), "{said}");
}

#[test]
fn invalid_bytes_are_replaced_in_every_form() {
    let mut bad = b"caf\xe9 and more of it".to_vec();
    let (one, _) = told("a.txt", &bad);
    let (two, _) = told("a.txt.gz", &gz(&bad));
    let (three, _) = told("a.tar", &tar([("a.txt".to_string(), bad.as_slice())]));
    bad.splice(0..0, b"{\"text\": \"".iter().copied());
    bad.extend(b"\"}");
    let (four, said) = told("a.jsonl", &bad);
    for summary in [&one, &two, &three, &four] {
        assert_eq!((summary.documents, summary.replaced), (21, 1));
        assert_eq!((summary.bytes, summary.tokens), (one.bytes, one.tokens));
    }
    assert!(said.contains("1 of 21 documents are not all UTF-8"), "{said}");
}

#[test]
fn utf_16_is_told_and_is_no_text() {
    let marked = |swap: bool, text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(|unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for (swap, text) in [(false, "plain letters"), (true, "plain letters"), (false, "一二三")] {
        let bytes = marked(swap, text);
        for (name, bytes) in [("a.txt", bytes.clone()), ("a.tar", tar([("b.txt".into(), bytes.as_slice())]))]
        {
            let (summary, said) = told(name, &bytes);
            assert_eq!((summary.documents, summary.skipped, summary.replaced), (20, 1, 0), "{said}");
            assert!(said.contains(name) && said.contains("UTF-16"), "{said}");
            let error =
                Place::of(&[(name, &bytes), ("good.tar", &texts(&corpus()))]).open("max_skipped = 0").0;
            assert!(error.unwrap_err().to_string().contains("UTF-16"));
        }
    }
}

#[test]
fn a_name_of_an_archive_may_have_line_feeds() {
    let name = "a name\nof two lines, and a length that only an extended header holds: ".repeat(3) + ".txt";
    let pair = format!("path={name}\n");
    let length = (0..).find(|n| format!("{n} {pair}").len() == *n).unwrap();
    let record = format!("11 mtime=1\n{length} {pair}");
    let member = |bytes: &[u8]| [bytes, &vec![0; bytes.len().next_multiple_of(512) - bytes.len()]].concat();
    let bytes = [
        raw_header("pax", b'x', record.len() as u64),
        member(record.as_bytes()),
        raw_header("short.png", b'0', 9),
        member(b"some text"),
        vec![0; 1024],
    ];
    let (summary, said) = told("a.tar", &bytes.concat());
    assert_eq!((summary.documents, summary.skipped), (21, 0), "{said}");
}

#[cfg(unix)]
#[test]
fn names_of_files_are_shown_without_what_a_terminal_obeys() {
    let (summary, said) = told("a\x1b[31m\n.jsonl", b"{\"text\": \"good\"}\n{\"text\": 1}\n");
    assert_eq!((summary.documents, summary.skipped), (21, 1), "{said}");
    assert!(said.contains(".jsonl:2") && !said.contains('\x1b') && !said.contains('\n'), "{said:?}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_form_that_was_left_out_names_its_feature() {
    let place = Place::of(&[("a.parquet", b"PAR1\x15\x04\x00\x00rest of it PAR1")]);
    let error = place.open("").0.unwrap_err().to_string();
    assert!(error.contains("--features parquet"), "{error}");
}

#[cfg(feature = "parquet")]
#[test]
fn packed_batches_are_unpacked_within_a_bound() {
    let whole = columns::arrow(&["a".repeat(1 << 20)], Some(arrow_ipc::CompressionType::ZSTD));
    assert_eq!(told("a.arrow", &whole).0.documents, 21);
    for (stated, why) in [(1 << 40, "more than 128 MiB"), (1000, "rows from 0 on")] {
        let (summary, said) = told("a.arrow", &columns::lying_arrow(1 << 20, stated));
        assert_eq!((summary.documents, summary.skipped), (20, 1), "{said}");
        assert!(said.contains("a.arrow: ") && said.contains(why), "{said}");
    }
}
