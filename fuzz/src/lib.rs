//! What the fuzz targets share. Each takes an input's bytes to one door of `indhead`; a panic, an overflow, an endless
//! loop or memory without bound is a finding.

use indhead::dataset::{Dataset, Event};
use indhead::language::language;
use indhead::plan::{Plan, Planned, plan};
use indhead::probes::verdict::EVIDENCE;
use indhead::spec::{Spec, render};
use std::path::Path;

/// The plan of a spec that has nothing wrong with it.
pub fn good_plan(text: &str) -> Plan {
    let Planned { plan, findings } =
        plan(Spec::parse(Path::new("fuzz.toml"), text, &[]), &language(), EVIDENCE, "fuzz");
    plan.unwrap_or_else(|| panic!("{}", render(&findings.diagnostics, &findings.sources, false)))
}

/// The smallest model, and a dataset.
pub fn around(dataset: &str) -> String {
    format!(
        "[architecture]\nd_model = 8\nn_ctx = 9\nblocks = [{{ kind = \"conv1d\", kernel_size = 2 }}, \
         {{ kind = \"attention\", n_heads = 2 }}]\n[training]\nsteps = 3\nbatch_size = 2\nvalidation_sequences = 2\n\
         {dataset}\n"
    )
}

/// Opens a dataset and reads of it what training and probes do.
pub fn read(plan: &Plan, cache: &Path) {
    let mut said = 0;
    let mut events = |event| match event {
        Event::Warning(words) => said += words.len(),
        Event::Progress { .. } => {}
    };
    let Ok(dataset) = Dataset::open(plan, cache, &mut events) else { return };
    assert_eq!(dataset.batch(1).len(), 20);
    assert!(dataset.validation(2).iter().all(|window| window.len() == 10));
    dataset.passages(&mut indhead::random::stream(1, "fuzz", 0), 2, 4);
    assert_eq!(dataset.frequencies().len(), plan.d_vocab());
    dataset.bigrams().after(7);
}

/// Where a target is asked for its seeds, in the folder that `FUZZ_SEEDS` names, writes one: `name` is `<target>/<seed>`.
pub fn seed_as_it_is(name: &str, bytes: &[u8]) {
    #[allow(clippy::disallowed_methods, reason = "a door for who makes seeds")]
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return };
    let path = Path::new(&folder).join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// The same of an input that [`split`] takes apart.
pub fn seed(name: &str, kind: usize, whole: bool, bytes: &[u8]) {
    seed_as_it_is(name, &[&[kind as u8 | u8::from(whole) << 7], bytes].concat());
}

/// An input whose first byte says what the rest is.
pub fn split(input: &[u8], kinds: usize) -> Option<(usize, bool, &[u8])> {
    let (first, rest) = input.split_first()?;
    Some((usize::from(first & 0x7f) % kinds, first & 0x80 != 0, rest))
}
