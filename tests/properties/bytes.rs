//! Any bytes: as a spec they get a plan or are told what is wrong with them, as documents they are read or told of.

use super::plans::planned_at;
use super::specs::specs;
use super::{common, drawing, forms};
use indhead::dataset::{Dataset, Event};
use indhead::spec::placed::placed;
use indhead::spec::render;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::cell::Cell;
use std::fs;
use std::path::Path;

/// Changes to bytes that were whole: what is put in place of so many, where.
fn damages() -> impl Strategy<Value = Vec<(Index, usize, Vec<u8>)>> {
    let few = prop_oneof![vec(any::<u8>(), 0..3), select(&b"\"'[]{}=.#\n,x0"[..]).prop_map(|b| vec![b])];
    vec((any::<Index>(), prop_oneof![4 => 0usize..3, 1 => 0usize..4000], few), 0..3)
}

fn damaged(mut bytes: Vec<u8>, damages: &[(Index, usize, Vec<u8>)]) -> Vec<u8> {
    for (at, length, instead) in damages.iter().filter(|_| !bytes.is_empty()).cloned().collect::<Vec<_>>() {
        let from = at.index(bytes.len().max(1)).min(bytes.len());
        let until = (from + length).min(bytes.len());
        bytes.splice(from..until, instead);
    }
    bytes
}

#[test]
fn any_bytes_are_a_spec_or_told_what_is_wrong_with_them() {
    let texts = prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        1 => "[a-z\\[\\]{}=\"'., \n0-9]{0,80}".prop_map(String::into_bytes),
        4 => (specs(), damages())
            .prop_map(|(spec, damages)| damaged(toml::to_string(&spec).unwrap().into_bytes(), &damages)),
    ];
    let sets = prop_oneof![3 => Just(Vec::new()), 1 => vec("[a-z_.0-9]{0,12}=?[ -~]{0,12}", 1..3)];
    let (wrong, right) = (Cell::new(0), Cell::new(0));
    drawing(400)
        .run(&(texts, sets), |(text, sets)| {
            let (plan, findings) = planned_at(Path::new("/nowhere/spec.toml"), &text, &sets);
            prop_assert_eq!(plan.is_none(), findings.failed(), "either a plan or what is wrong");
            let count = if plan.is_some() { &right } else { &wrong };
            count.set(count.get() + 1);
            for colour in [false, true] {
                let said = render(&findings.diagnostics, &findings.sources, colour);
                prop_assert_eq!(said.is_empty(), findings.diagnostics.is_empty());
            }
            for diagnostic in placed(&findings) {
                prop_assert!(!diagnostic.message.is_empty() && diagnostic.place.line > 0);
                prop_assert!(
                    !diagnostic.message.contains("does not hold together"),
                    "{}",
                    diagnostic.message
                );
            }
            Ok(())
        })
        .unwrap();
    assert!(wrong.get() > 50 && right.get() > 10, "{} wrong, {} right", wrong.get(), right.get());
}

#[test]
fn any_bytes_are_documents_or_told_of() {
    let documents = forms::corpus();
    let mut whole = forms::forms(&documents[..40]);
    whole.push(("docs.txt", documents[4].clone().into_bytes()));
    whole.push(("docs.txt.gz", forms::gz(documents[4].as_bytes())));
    let folder = tempfile::tempdir().unwrap();
    let cases = (any::<Index>(), weighted_noise(), damages());
    let (read, told) = (Cell::new(0), Cell::new(0));
    drawing(160)
        .run(&cases, |(form, noise, damages)| {
            let (name, bytes) = form.get(&whole);
            let texts = folder.path().join("in");
            let _ = fs::remove_dir_all(folder.path().join("in"));
            fs::create_dir_all(&texts).unwrap();
            fs::write(texts.join("whole.txt"), "A text of which nothing is wrong, and long enough.").unwrap();
            fs::write(texts.join(name), noise.unwrap_or_else(|| damaged(bytes.clone(), &damages))).unwrap();
            let plan = common::good_plan(&format!(
                "[architecture]\nd_model = 8\nn_ctx = 9\nblocks = [{{ kind = \"attention\", n_heads = 1 }}]\n\
                 [tokenizer]\nkind = \"bytes\"\n[training]\nsteps = 9\n[dataset]\nkind = \"text\"\n\
                 path = {texts:?}\nmax_skipped = 1.0\n"
            ));
            let mut said = String::new();
            let mut events = |event| match event {
                Event::Warning(words) => said += &words,
                Event::Progress { .. } => {}
            };
            let cache = folder.path().join("cache");
            let opened = Dataset::open(&plan, &cache, &mut events);
            let _ = fs::remove_dir_all(cache);
            prop_assert!(!said.contains("reading it failed"), "what decodes gave up: {said}");
            match opened {
                Ok(dataset) => {
                    prop_assert!(dataset.summary().documents > 0);
                    read.set(read.get() + 1);
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            told.set(told.get() + u32::from(said.contains(*name)));
            Ok(())
        })
        .unwrap();
    assert!(read.get() > 80 && told.get() > 40, "{} read, {} told of", read.get(), told.get());
}

/// Mostly nothing; otherwise bytes that are no form at all.
fn weighted_noise() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::weighted(0.2, vec(any::<u8>(), 0..600))
}
