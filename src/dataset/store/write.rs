//! Makes a store, or goes on making one.

use super::journal::{Journal, count};
use super::keeper::Keeper;
use super::{Facts, json};
use crate::dataset::documents::{self, Document, Documents, Found, Skipped};
use crate::dataset::groups::{Group, in_groups};
use crate::dataset::{Event, Summary};
use crate::error::{Error, Result};
use crate::files;
use crate::tokenizer::Tokenizer;
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of text after which what was done is kept, whatever happens then: some seconds of work.
const KEPT: u64 = 16 << 20;
/// How many of what was skipped are named.
const NAMED: usize = 5;
/// How many documents tell whether too much is broken, before the end does.
const TELLING: u64 = 1000;

/// Tokenises documents into a folder, whole in the end; what was begun there before is continued.
///
/// # Errors
/// If nothing could be read, too much of it is broken, or the disk refuses.
pub fn make(
    documents: &dyn Documents,
    tokenizer: &Tokenizer,
    folder: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<Facts> {
    make_keeping(KEPT, documents, tokenizer, folder, events)
}

fn make_keeping(
    every: u64,
    documents: &dyn Documents,
    tokenizer: &Tokenizer,
    folder: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<Facts> {
    let mut writer = Writer::open(documents, tokenizer, folder, events)?;
    let total = documents::total(documents);
    let mut kept = writer.journal.bytes;
    in_groups(documents, writer.journal.place, |group| {
        let (place, done) = (group.place, group.done);
        writer.group(group)?;
        writer.journal.place = place;
        if writer.journal.bytes - kept >= every {
            kept = writer.journal.bytes;
            writer.flush()?;
            writer.keeper.keep(writer.journal.clone())?;
        }
        events(Event::Progress { what: "tokenising", done, total });
        Ok(())
    })?;
    writer.finish(events)
}

struct Writer<'a> {
    documents: &'a dyn Documents,
    tokenizer: &'a Tokenizer,
    folder: PathBuf,
    training: BufWriter<File>,
    held_out: BufWriter<File>,
    boundaries: BufWriter<File>,
    digest: blake3::Hasher,
    facts: Facts,
    journal: Journal,
    keeper: Keeper,
}

/// A document's tokens.
struct Encoded {
    /// As they stand in a file, the start token first.
    ids: Vec<u8>,
    held_out: bool,
    bytes: u64,
    replaced: bool,
}

impl<'a> Writer<'a> {
    fn open(
        documents: &'a dyn Documents,
        tokenizer: &'a Tokenizer,
        folder: &Path,
        events: &mut dyn FnMut(Event),
    ) -> Result<Self> {
        let summary = Summary {
            kind: String::new(),
            path: None,
            documents: 0,
            bytes: 0,
            tokens: 0,
            skipped: 0,
            replaced: 0,
            digest: String::new(),
        };
        let d_vocab = tokenizer.d_vocab();
        let width = if d_vocab <= 1 << 16 { 2 } else { 4 };
        let nothing = Facts { summary, width, frequencies: vec![0; d_vocab] };
        let (mut facts, mut digest) = (nothing.clone(), blake3::Hasher::new());
        let mut journal = Journal::find(folder, width)?;
        if journal.documents > 0 && !journal.recount(folder, &mut facts, &mut digest, events)? {
            // What was written has been damaged since: it is written anew.
            (journal, facts, digest) = (Journal::default(), nothing, blake3::Hasher::new());
        }
        let open = |name: &str, length: u64| {
            let path = folder.join(name);
            let file = File::options().create(true).write(true).truncate(false).open(&path);
            // What is beyond the journal is written again.
            let placed = file.and_then(|mut file| {
                file.set_len(length)?;
                file.seek(SeekFrom::Start(length))?;
                Ok(BufWriter::with_capacity(1 << 16, file))
            });
            placed.map_err(Error::write(&path))
        };
        let training = open("training.bin", journal.training * width as u64)?;
        let held_out = open("validation.bin", journal.held_out * width as u64)?;
        let boundaries = open("documents.bin", journal.documents * 8)?;
        let handles = [&training, &held_out, &boundaries].map(|file| file.get_ref().try_clone());
        let handles = handles.into_iter().collect::<std::io::Result<_>>().map_err(Error::write(folder))?;
        Ok(Writer {
            keeper: Keeper::new(folder, handles),
            training,
            held_out,
            boundaries,
            documents,
            tokenizer,
            folder: folder.into(),
            digest,
            facts,
            journal,
        })
    }

    fn group(&mut self, group: Group) -> Result<()> {
        let encode = |found: Found| match found {
            Ok(document) => self.encode(document).map(Ok),
            Err(skipped) => Ok(Err(skipped)),
        };
        let encoded: Vec<Result<std::result::Result<Encoded, Skipped>>> =
            group.found.into_par_iter().map(encode).collect();
        for item in encoded {
            match item? {
                Ok(document) => self.document(&document)?,
                Err(skipped) => self.skipped(skipped),
            }
        }
        let seen = self.journal.documents + self.journal.broken;
        if seen >= TELLING { self.check() } else { Ok(()) }
    }

    fn encode(&self, Document { text, replaced }: Document) -> Result<Encoded> {
        // By a digest of the text: the same document is held out whatever stands beside it.
        let hash = blake3::hash(text.as_bytes());
        let bits: u64 = hash.as_bytes().iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b));
        let held_out = (bits as f64 / 2f64.powi(64)) < self.documents.validation_fraction();
        let encoded = self.tokenizer.encode(&text)?;
        let bytes = text.len() as u64;
        drop(text);
        let width = self.facts.width;
        let mut ids = Vec::with_capacity((encoded.len() + 1) * width);
        for id in std::iter::once(&self.tokenizer.start()).chain(&encoded) {
            ids.extend_from_slice(&id.to_le_bytes()[..width]);
        }
        Ok(Encoded { ids, held_out, bytes, replaced })
    }

    fn document(&mut self, document: &Encoded) -> Result<()> {
        let tokens = (document.ids.len() / self.facts.width) as u64;
        self.digest.update(&(tokens - 1).to_le_bytes());
        count(&document.ids, document.held_out, &mut self.facts, &mut self.digest);
        let (file, written) = match document.held_out {
            true => (&mut self.held_out, &mut self.journal.held_out),
            false => (&mut self.training, &mut self.journal.training),
        };
        *written += tokens;
        file.write_all(&document.ids).map_err(Error::write(&self.folder))?;
        let boundary = tokens << 1 | u64::from(document.held_out);
        self.boundaries.write_all(&boundary.to_le_bytes()).map_err(Error::write(&self.folder))?;
        self.journal.documents += 1;
        self.journal.bytes += document.bytes;
        self.journal.replaced += u64::from(document.replaced);
        Ok(())
    }

    fn skipped(&mut self, Skipped { why, broken, lost }: Skipped) {
        self.journal.skipped += 1;
        self.journal.broken += u64::from(broken);
        self.journal.lost += lost;
        // What is broken is named before what never was a document.
        let first = &mut self.journal.first;
        if first.len() < NAMED {
            first.push(why);
        } else if broken && self.journal.broken <= NAMED as u64 {
            first.rotate_right(1);
            first[0] = why;
        }
    }

    /// Whether so much is broken that something is wrong with all of it. One document always may be, unless
    /// none may.
    fn check(&self) -> Result<()> {
        let Journal { documents, broken, lost, .. } = self.journal;
        let most = self.documents.max_skipped();
        let allowed = |part: u64, whole: u64| part as f64 <= most * whole as f64;
        let (all, bytes) = (documents + broken, documents::total(self.documents));
        let one = broken == 1 && most > 0.0;
        let too_much = match () {
            _ if !allowed(lost, bytes) => format!("{lost} of {bytes} bytes cannot be read"),
            _ if !one && !allowed(broken, all) => format!("{broken} of {all} documents are broken"),
            _ => return Ok(()),
        };
        let first = self.journal.first.join("; ");
        Err(Error::message(format!("{too_much}, and `max_skipped` allows a share of {most}: {first}")))
    }

    /// Hands what was written to the system.
    fn flush(&mut self) -> Result<()> {
        let mut files = [&mut self.training, &mut self.held_out, &mut self.boundaries].into_iter();
        files.try_for_each(|file| file.flush()).map_err(Error::write(&self.folder))
    }

    fn finish(mut self, events: &mut dyn FnMut(Event)) -> Result<Facts> {
        self.flush()?;
        self.keeper.keep(self.journal.clone())?;
        self.keeper.wait()?;
        self.check()?;
        let Journal { documents, training, held_out, bytes, skipped, replaced, .. } = self.journal;
        let first = self.journal.first.join("; ");
        if documents == 0 && first.is_empty() {
            return Err(Error::message(self.documents.nothing()));
        }
        if documents == 0 {
            return Err(Error::message(format!("{}; first {first}", self.documents.nothing())));
        }
        if skipped > 0 {
            let all = documents + skipped;
            let lost = match self.journal.lost {
                0 => String::new(),
                lost => {
                    let share = 100.0 * lost as f64 / documents::total(self.documents).max(1) as f64;
                    format!(", and {lost} bytes of files, {share:.1} % of them")
                }
            };
            events(Event::Warning(format!("passed over {skipped} of {all} documents{lost}, first {first}")));
        }
        if replaced > 0 {
            let words = "are not all UTF-8: what is not was replaced";
            events(Event::Warning(format!("{replaced} of {documents} documents {words}")));
        }
        let digest = self.digest.finalize().to_hex().to_string();
        let tokens = training + held_out;
        let summary = Summary { documents, bytes, tokens, skipped, replaced, digest, ..self.facts.summary };
        let facts = Facts { summary, ..self.facts };
        let path = self.folder.join("store.json");
        files::write(&path, &json(&facts)?).map_err(Error::write(&path))?;
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::documents::Take;
    use crate::plan::Chosen;
    use std::cell::Cell;
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Files of several documents of a few megabytes, every fifth of which is broken.
    struct Numbers;

    impl Documents for Numbers {
        fn identity(&self) -> blake3::Hash {
            blake3::hash(b"numbers")
        }

        fn files(&self) -> usize {
            9
        }

        fn size(&self, _: usize) -> u64 {
            1000
        }

        fn budget(&self) -> u64 {
            7500
        }

        fn read(&self, file: usize, left: u64, _: &Cell<u64>, take: &mut Take<'_>) -> u64 {
            for i in 0..5 {
                let number = 5 * file + i;
                let text = format!("{} ", 1 + number % 90).repeat(600_000);
                let skipped = Skipped { why: format!("{number}"), broken: true, lost: 0 };
                let found =
                    if number % 5 == 3 { Err(skipped) } else { Ok(Document { text, replaced: false }) };
                if take(found).is_break() || 200 * (i as u64 + 1) >= left {
                    break;
                }
            }
            left.min(1000)
        }

        fn validation_fraction(&self) -> f64 {
            0.3
        }

        fn nothing(&self) -> String {
            "nothing".into()
        }
    }

    fn files(folder: &Path) -> Vec<Vec<u8>> {
        let names = ["training.bin", "validation.bin", "documents.bin", "store.json"];
        names.iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
    }

    #[test]
    fn whatever_interrupts_it_a_store_ends_the_same() {
        let config = toml::from_str("d_vocab = 100").unwrap();
        let tokenizer = Tokenizer::from_keys(&Chosen { kind: "ids".into(), config }).unwrap();
        let whole = tempfile::tempdir().unwrap();
        let facts = make(&Numbers, &tokenizer, whole.path(), &mut |_| {}).unwrap();
        assert_eq!((facts.summary.documents, facts.summary.skipped), (31, 7));
        for (every, stops) in [(1, vec![2, 1, 3]), (1, vec![4]), (u64::MAX, vec![5])] {
            let folder = tempfile::tempdir().unwrap();
            for stop in stops {
                let mut groups = 0;
                let mut events = |event| {
                    let tokenising = matches!(event, Event::Progress { what: "tokenising", .. });
                    groups += usize::from(tokenising);
                    assert!(groups < stop, "as if killed");
                };
                let make = || make_keeping(every, &Numbers, &tokenizer, folder.path(), &mut events);
                assert!(catch_unwind(AssertUnwindSafe(make)).is_err(), "it was not stopped");
            }
            let begun = Journal::find(folder.path(), 2).unwrap();
            assert_eq!(begun.documents > 0, every == 1, "{begun:?}");
            make_keeping(every, &Numbers, &tokenizer, folder.path(), &mut |_| {}).unwrap();
            assert!(files(folder.path()) == files(whole.path()), "{every}");
        }
    }

    #[test]
    fn a_journal_without_its_files_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal { documents: 3, training: 10, ..Journal::default() };
        journal.write(folder.path()).unwrap();
        assert_eq!(Journal::find(folder.path(), 2).unwrap(), Journal::default());
        for (name, bytes) in [("training.bin", 20), ("validation.bin", 0), ("documents.bin", 24)] {
            fs::write(folder.path().join(name), vec![0; bytes]).unwrap();
        }
        let found = Journal::find(folder.path(), 2).unwrap();
        assert_eq!((found.documents, found.training), (3, 10));
        let path = folder.path().join(super::super::journal::NAME);
        let damaged = fs::read_to_string(&path).unwrap().replace("\"training\":10", "\"training\":9");
        fs::write(&path, damaged).unwrap();
        assert_eq!(Journal::find(folder.path(), 2).unwrap(), Journal::default());
    }

    /// What the journal counts is there, and is not what was written.
    #[test]
    fn damaged_documents_are_written_anew() {
        let config = toml::from_str("d_vocab = 100").unwrap();
        let tokenizer = Tokenizer::from_keys(&Chosen { kind: "ids".into(), config }).unwrap();
        let whole = tempfile::tempdir().unwrap();
        make(&Numbers, &tokenizer, whole.path(), &mut |_| {}).unwrap();
        for entry in [1, u64::MAX] {
            let folder = tempfile::tempdir().unwrap();
            for file in fs::read_dir(whole.path()).unwrap().flatten() {
                fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
            }
            let path = folder.path().join("documents.bin");
            let mut documents = fs::read(&path).unwrap();
            documents[16..24].copy_from_slice(&entry.to_le_bytes());
            fs::write(&path, documents).unwrap();
            make(&Numbers, &tokenizer, folder.path(), &mut |_| {}).unwrap();
            assert!(files(folder.path()) == files(whole.path()), "{entry}");
        }
    }
}
