//! What several tests need.
#![allow(dead_code, reason = "every test file is a crate of its own, and none uses all of it")]

pub mod bench;

use indhead::language::language;
use indhead::plan::{Plan, Planned, plan};
use indhead::probes::verdict::EVIDENCE;
use indhead::spec::{Spec, render};
use std::path::Path;

/// Plans a spec's text.
pub fn planned(text: &str, sets: &[&str]) -> Planned {
    let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
    plan(Spec::parse(Path::new("test.toml"), text, &sets), &language(), EVIDENCE, "test")
}

/// The plan of a spec that has nothing wrong with it.
pub fn good_plan(text: &str) -> Plan {
    let Planned { plan, findings } = planned(text, &[]);
    plan.unwrap_or_else(|| panic!("{}", render(&findings.diagnostics, &findings.sources, false)))
}

/// What is wrong with a spec, as a person sees it.
pub fn complaints(text: &str, sets: &[&str]) -> String {
    let Planned { plan, findings } = planned(text, sets);
    assert!(plan.is_none(), "nothing is wrong with this:\n{text}");
    render(&findings.diagnostics, &findings.sources, false)
}

/// Compares a committed file with what it is made from; `INSTA_UPDATE=always` writes it anew.
#[allow(clippy::disallowed_methods, reason = "as the snapshots do")]
pub fn up_to_date(path: &str, made: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&file, made).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = committed.lines().zip(made.lines()).position(|(old, new)| old != new);
    assert!(
        committed == made,
        "{path} is not up to date (from line {}): `just review` writes it anew",
        differs.map_or_else(|| committed.lines().count().min(made.lines().count()) + 1, |i| i + 1)
    );
}
