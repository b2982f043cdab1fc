//! Specs and plans: a plan is what the spec's text says, however it is written and over how many places it is spread.

use super::common::bench::tree;
use super::drawing;
use super::specs::specs;
use indhead::language::language;
use indhead::plan::{Plan, Planned, plan};
use indhead::probes::verdict::EVIDENCE;
use indhead::spec::{Findings, Spec, render};
use proptest::prelude::*;
use std::cell::Cell;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use toml::{Table, Value};

/// A spec planned as on a machine without its data, with what was found.
pub fn planned_at(path: &Path, text: impl AsRef<[u8]>, sets: &[String]) -> (Option<Plan>, Findings) {
    let mut spec = Spec::parse(path, text, sets);
    spec.findings.elsewhere = true;
    let Planned { plan, findings } = plan(spec, &language(), EVIDENCE, "spec");
    (plan, findings)
}

fn planned(text: &str, sets: &[String]) -> (Option<Plan>, Findings) {
    planned_at(Path::new("/nowhere/spec.toml"), text, sets)
}

/// The plan of a text that has to have one.
fn good(text: &str, sets: &[String]) -> Plan {
    let (plan, findings) = planned(text, sets);
    let said = || render(&findings.diagnostics, &findings.sources, false);
    plan.unwrap_or_else(|| panic!("{}\n{text}\n{sets:?}", said()))
}

/// Runs a property on specs that have a plan, of which there have to be many.
fn of_good_specs(cases: u32, property: impl Fn(&Table, &Plan, &Findings, u64) -> Result<(), TestCaseError>) {
    let (good, kinds) = (Cell::new(0), Cell::new(std::collections::BTreeSet::new()));
    drawing(cases)
        .run(&(specs(), any::<u64>()), |(spec, draw)| {
            let (plan, findings) = planned(&toml::to_string(&spec).unwrap(), &[]);
            let Some(plan) = plan else { return Ok(()) };
            good.set(good.get() + 1);
            let mut seen = kinds.take();
            seen.insert(plan.dataset.kind.clone());
            kinds.set(seen);
            property(&spec, &plan, &findings, draw)
        })
        .unwrap();
    let kinds = kinds.take();
    assert!(good.get() > cases / 4, "{} of {cases} specs are good", good.get());
    assert!(kinds.len() > 5, "only {kinds:?} were drawn");
}

#[test]
fn what_a_plan_prints_is_a_spec_of_the_same_plan() {
    of_good_specs(150, |_, plan, findings, _| {
        let printed = plan.to_toml(None);
        for text in [&printed, &plan.to_toml(Some(findings))] {
            let again = good(text, &[]);
            prop_assert_eq!(&again, plan);
            prop_assert_eq!(again.to_toml(None), printed.as_str());
        }
        prop_assert_eq!(&toml::from_str::<Plan>(&printed).unwrap(), plan);
        Ok(())
    });
}

/// A table's keys in another order, and those of the tables in it.
fn shuffled(table: &Table, draw: u64) -> Table {
    let inner = |value: &Value| match value {
        Value::Table(table) => shuffled(table, draw).into(),
        Value::Array(items) => {
            let item = |item: &Value| item.as_table().map_or(item.clone(), |t| shuffled(t, draw).into());
            items.iter().map(item).collect::<Vec<Value>>().into()
        }
        value => value.clone(),
    };
    let mut entries: Vec<_> = table.iter().map(|(key, value)| (key.clone(), inner(value))).collect();
    entries.sort_by_key(|(key, _)| *blake3::hash(format!("{draw} {key}").as_bytes()).as_bytes());
    entries.into_iter().collect()
}

/// Every value, but for tables, with its dotted key; lists are whole.
fn leaves(table: &Table, path: &str, out: &mut Vec<(String, Value)>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves(inner, &path, out),
            value => out.push((path, value.clone())),
        }
    }
}

/// Some of them as a document, each under its whole key.
fn document<'a>(some: impl Iterator<Item = &'a (String, Value)>) -> String {
    some.map(|(path, value)| format!("{path} = {value}\n")).collect()
}

#[test]
fn how_a_spec_is_written_changes_nothing() {
    let folder = TempDir::new().unwrap();
    of_good_specs(150, |spec, plan, _, draw| {
        let same = |what: &str, other: Plan| {
            prop_assert_eq!(&other, plan, "{}", what);
            prop_assert_eq!(other.to_toml(None), plan.to_toml(None), "{}", what);
            Ok(())
        };
        let spec = shuffled(spec, draw);
        same("in another order", good(&toml::to_string(&spec).unwrap(), &[]))?;
        let mut all = Vec::new();
        leaves(&spec, "", &mut all);
        // A draw's bits say which values stand where.
        let here = |(i, _): &(usize, &(String, Value))| draw >> (i % 64) & 1 == 0;
        let (first, second): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(here);
        let [first, second] = [first, second].map(|half| half.into_iter().map(|(_, leaf)| leaf));
        same("with whole keys", good(&document(all.iter()), &[]))?;
        let sets: Vec<String> = second.clone().map(|(path, value)| format!("{path}={value}")).collect();
        same("half of it set", good(&document(first.clone()), &sets))?;
        fs::write(folder.path().join("base.toml"), document(first)).unwrap();
        let over = format!("extends = \"base.toml\"\n{}", document(second));
        let (extended, _) = planned_at(&folder.path().join("spec.toml"), &over, &[]);
        same("over another", extended.unwrap())
    });
    assert_eq!(tree(folder.path()).len(), 1, "planning writes nothing");
}
