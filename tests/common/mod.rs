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
