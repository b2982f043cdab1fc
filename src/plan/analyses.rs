//! The analyses of a plan: those a spec lists, and what the verdict rests on besides.

use super::resolve::{Evidence, Resolver};
use super::tables::{get_mut, text};
use crate::spec::check::Facts;
use crate::spec::{Default, Trait};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// A file's name has an end as well, and a limit of 255 bytes.
const LONGEST: usize = 100;

impl Resolver<'_> {
    pub(super) fn analyses(&mut self, root: &mut Table, facts: &Facts, evidence: &[Evidence]) {
        let heads = facts.blocks.iter().any(|b| b.n_heads > 0);
        if heads && self.findings.errors_under("analyses") == 0 {
            self.add_evidence(root, facts, evidence);
        }
        let count = root.get("analyses").and_then(Value::as_array).map_or(0, Vec::len);
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for i in 0..count {
            let index = i.to_string();
            self.needs(root, i, facts);
            self.check(root, &["analyses", &index], "probe", "probe", facts);
            let Some(Value::Table(analysis)) = get_mut(root, &["analyses", &index]) else { continue };
            let Some(probe) = analysis.get("probe").cloned() else { continue };
            let written = |key: &str| self.findings.places.value(&format!("analyses.{i}.{key}")).is_some();
            if !written("at") {
                analysis.entry("at").or_insert("every".into());
            }
            if !written("id") {
                analysis.entry("id").or_insert(probe);
            }
            // A misspelt probe names nothing yet.
            let guessed = !written("id") && self.findings.errors_under(&format!("analyses.{i}.probe")) > 0;
            if let Some(id) = analysis.get("id").and_then(Value::as_str).filter(|_| !guessed) {
                let id = id.to_string();
                self.unique(&mut ids, id, i);
            }
        }
    }

    fn unique(&mut self, ids: &mut BTreeMap<String, usize>, id: String, index: usize) {
        let path = format!("analyses.{index}.id");
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if id == "verdict" {
            self.findings.error(
                &path,
                "`id` cannot be \"verdict\"",
                "that is the name of the verdict itself",
            );
        } else if id.len() > LONGEST {
            let message = format!("`id` has {} characters: it names a file", id.chars().count());
            self.findings.error(&path, message, format!("use at most {LONGEST}"));
        } else if id.is_empty() || !id.chars().all(fine) {
            let message = format!("`id` cannot be {id:?}: it names a file");
            self.findings.error(&path, message, "use letters, digits, - and _");
        }
        let Some(first) = ids.get(&id) else {
            ids.insert(id, index);
            return;
        };
        // Without an id, the probe gives the name.
        let place = |i: usize| {
            let named = [format!("analyses.{i}.id"), format!("analyses.{i}.probe")];
            named.into_iter().find(|path| self.findings.places.value(path).is_some())
        };
        let (here, there) = (place(index).unwrap_or(path), place(*first).unwrap_or_default());
        let free = (2..).map(|n| format!("{id}_{n}")).find(|id| !ids.contains_key(id)).unwrap_or_default();
        let message = format!("two analyses are called \"{id}\"");
        let help = format!("give one of them another name: `id = \"{free}\"`");
        self.findings.clash(&here, message, (&there, "the first one"), help);
    }

    /// A probe that needs what the architecture or the dataset lacks.
    fn needs(&mut self, root: &Table, index: usize, facts: &Facts) {
        let path = format!("analyses.{index}.probe");
        let name = text(root, &["analyses", &index.to_string(), "probe"]);
        let Some(kind) = name.and_then(|name| self.language.kind("probe", name)) else { return };
        let lacks = |needs: Trait, has: fn(&crate::spec::BlockFacts) -> bool| {
            kind.is(needs) && !facts.blocks.is_empty() && !facts.blocks.iter().any(has)
        };
        let blocks = ("architecture.blocks", "these blocks");
        if lacks(Trait::NeedsHeads, |b| b.n_heads > 0) {
            let message = format!("`{}` measures attention heads, and the architecture has none", kind.name);
            self.findings.clash(&path, message, blocks, "add an attention block, or leave the probe out");
        }
        let layers: BTreeSet<usize> =
            facts.blocks.iter().filter(|b| b.n_heads > 0).map(|b| b.layer).collect();
        if kind.is(Trait::NeedsHeadsBelow) && layers.len() == 1 {
            let message =
                format!("`{}` measures heads above other heads, and one layer has them all", kind.name);
            self.findings.clash(&path, message, blocks, "add an attention block, or leave the probe out");
        }
        if lacks(Trait::NeedsKernel, |b| b.kernel) {
            let message = format!("`{}` measures convolutions, and the architecture has none", kind.name);
            self.findings.clash(&path, message, blocks, "add a conv1d block, or leave the probe out");
        }
        if lacks(Trait::NeedsSmear, |b| b.smeared) {
            let message = format!("`{}` measures smeared keys, and no block has them", kind.name);
            let help = "set `smeared_keys = true` in an attention block, or leave the probe out";
            self.findings.clash(&path, message, blocks, help);
        }
        // A dataset of text is the better place to complain of the tokenizer.
        let ids = facts.tokenizes_text == Some(false) && facts.reads_text == Some(false);
        if kind.is(Trait::NeedsText) && ids {
            let message = format!("`{}` reads a text, and the tokenizer has only token ids", kind.name);
            let other = ("tokenizer.kind", "this tokenizer");
            self.findings.clash(&path, message, other, "leave the probe out, or use a tokenizer of text");
        }
    }

    /// Adds what the verdict rests on and the spec does not list.
    fn add_evidence(&mut self, root: &mut Table, facts: &Facts, evidence: &[Evidence]) {
        let Some(Value::Array(analyses)) = root.get_mut("analyses") else { return };
        for needed in evidence {
            let wanted: Table = toml::from_str(needed.parameters).unwrap_or_default();
            let passages = wanted.get("tokens").and_then(Value::as_str) == Some("passages");
            if passages && facts.has_passages != Some(true) {
                continue;
            }
            let will_do = |analysis: &Value| {
                let same = |(key, value): (&String, &Value)| analysis.get(key) == Some(value);
                let every = analysis.get("at").and_then(Value::as_str).unwrap_or("every") == "every";
                every
                    && analysis.get("probe").and_then(Value::as_str) == Some(needed.probe)
                    && wanted.iter().all(same)
            };
            if analyses.iter().any(will_do) {
                continue;
            }
            let taken = |id: &str| {
                let name =
                    |a: &Value| a.get("id").or(a.get("probe")).and_then(Value::as_str).map(str::to_string);
                analyses.iter().any(|a| name(a).as_deref() == Some(id))
            };
            let mut id = needed.id.to_string();
            while taken(&id) {
                id.push_str("_evidence");
            }
            let Some(kind) = self.language.kind("probe", needed.probe) else { continue };
            let mut added = Table::new();
            added.insert("probe".into(), needed.probe.into());
            added.insert("id".into(), id.into());
            let defaults = kind.keys.iter().filter_map(|key| match key.default {
                Default::Value(toml) => {
                    let mut document: Table = toml::from_str(&format!("x = {toml}")).ok()?;
                    Some((key.name.to_string(), document.remove("x")?))
                }
                _ => None,
            });
            added.extend(defaults);
            added.extend(wanted);
            analyses.push(Value::Table(added));
        }
    }
}
