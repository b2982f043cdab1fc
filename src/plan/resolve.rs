//! Spec → plan: reads by the tables of keys, lets every kind check itself, crosses what must agree.

use super::tables::{get, get_mut, in_order, integer, text};
use super::{Plan, layers};
use crate::spec::check::{BlockFacts, Checking, Facts, Findings};
use crate::spec::read::read;
use crate::spec::{Language, Spec, Trait};
use std::path::Path;
use toml::{Table, Value};

/// A plan, or what stands in its way; where things were written lives on in the findings.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan, if nothing is wrong.
    pub plan: Option<Plan>,
    /// Mistakes, warnings, places.
    pub findings: Findings,
}

/// An analysis the verdict rests on: planned with its defaults where a spec does not list it.
#[derive(Debug)]
pub struct Evidence {
    /// The probe.
    pub probe: &'static str,
    /// The analysis's name, if it has to be added.
    pub id: &'static str,
    /// The parameters that matter, in TOML; an analysis that has them will do.
    pub parameters: &'static str,
}

/// Resolves a spec. `default_name` names it if it does not name itself.
pub fn plan(spec: Spec, language: &Language, evidence: &[Evidence], default_name: &str) -> Planned {
    let Spec { root, mut findings, .. } = spec;
    let mut read = read(&root, language, &mut findings);
    let mut resolver = Resolver { language, findings: &mut findings };
    resolver.resolve(&mut read, evidence, default_name);
    let plan = if findings.failed() { None } else { typed(in_order(read, language), &mut findings) };
    Planned { plan, findings }
}

fn typed(read: Table, findings: &mut Findings) -> Option<Plan> {
    match read.try_into() {
        Ok(plan) => Some(plan),
        Err(error) => {
            findings.error("", format!("the plan does not hold together: {error}"), "this is a bug");
            None
        }
    }
}

/// What planning works with: the language it plans in, and where it reports.
pub(super) struct Resolver<'a> {
    pub language: &'a Language,
    pub findings: &'a mut Findings,
}

/// Of a name, in bytes: a folder's has a limit of 255.
const LONGEST: usize = 200;

impl Resolver<'_> {
    fn resolve(&mut self, root: &mut Table, evidence: &[Evidence], default_name: &str) {
        self.name(root, default_name);
        let mut facts = self.facts(root);
        self.check(root, &["tokenizer"], "tokenizer", "kind", &facts);
        facts.d_vocab = integer(root, &["tokenizer", "d_vocab"]);
        self.vocabulary(&mut facts);
        for i in 0..list(root, &["architecture", "blocks"]).len() {
            self.check(root, &["architecture", "blocks", &i.to_string()], "block", "kind", &facts);
        }
        self.dataset(root, &facts);
        facts.dataset = get(root, &["dataset"]).and_then(Value::as_table).cloned();
        self.training(root, &mut facts);
        let parts =
            [("optimizer", "optimizer"), ("schedule", "schedule"), ("checkpoints", "checkpoint schedule")];
        for (key, registry) in parts {
            self.check(root, &["training", key], registry, "kind", &facts);
        }
        self.analyses(root, &facts, evidence);
        self.template(root);
    }

    fn name(&mut self, root: &mut Table, default: &str) {
        let fine = |c: char| c.is_alphanumeric() || "-_.=+,".contains(c);
        if !root.contains_key("name") {
            let name: String = default.chars().map(|c| if fine(c) { c } else { '-' }).collect();
            let name = name.trim_start_matches('.');
            root.insert("name".into(), if name.is_empty() { "run" } else { name }.into());
            return;
        }
        let Some(name) = text(root, &["name"]) else { return };
        let good = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(fine);
        let (message, help) = if name.len() > LONGEST {
            let message = format!("`name` has {} bytes: it names folders", name.len());
            (message, format!("use at most {LONGEST}"))
        } else if !name.split('/').all(good) {
            let help = if name.starts_with('/') || name.ends_with('/') || name.contains("//") {
                "a `/` stands between the names of two folders"
            } else if name.split('/').any(|part| part.starts_with('.')) {
                "no folder's name begins with a dot"
            } else {
                "use letters, digits and - _ . = + , with / between folders"
            };
            (format!("`name` cannot be {name:?}: it names folders"), help.into())
        } else {
            return;
        };
        self.findings.error("name", message, help);
    }

    /// Everything kinds may want to know, as far as it could be read.
    fn facts(&self, root: &Table) -> Facts {
        let kind = |table: &str| self.language.kind(table, text(root, &[table, "kind"])?);
        let blocks: Option<Vec<_>> = list(root, &["architecture", "blocks"])
            .iter()
            .map(|block| {
                let kind = self.language.kind("block", block.get("kind")?.as_str()?)?;
                let smeared = block.get("smeared_keys").and_then(Value::as_bool) == Some(true);
                match kind.is(Trait::Heads) {
                    true => Some((kind, block.get("n_heads")?.as_integer()? as usize, smeared)),
                    false => Some((kind, 0, false)),
                }
            })
            .collect();
        // Where a part could not be read there may be more of them.
        let blocks = blocks.filter(|_| !self.findings.incomplete).unwrap_or_default();
        let layers = layers(blocks.iter().map(|(k, ..)| (k.is(Trait::Heads), k.is(Trait::JoinsAttention))));
        let of_layer = |(&(kind, n_heads, smeared), layer): (&(&crate::spec::Kind, usize, bool), usize)| {
            BlockFacts { layer, n_heads, kernel: kind.is(Trait::Kernel), smeared }
        };
        Facts {
            d_model: integer(root, &["architecture", "d_model"]),
            n_ctx: integer(root, &["architecture", "n_ctx"]),
            positions: text(root, &["architecture", "positions"]).map(str::to_string),
            blocks: blocks.iter().zip(layers).map(of_layer).collect(),
            d_vocab: None,
            tokenizes_text: kind("tokenizer").map(|k| k.is(Trait::TokenizesText)),
            learns_tokenizer: kind("tokenizer").map(|k| k.is(Trait::LearnsFromText)),
            reads_text: self.dataset_is(root, Trait::ReadsText),
            has_passages: self.dataset_is(root, Trait::HasPassages),
            dataset: None,
            steps: None,
        }
    }

    /// Whether the dataset, or a part of it, has a trait.
    fn dataset_is(&self, root: &Table, wanted: Trait) -> Option<bool> {
        let has = |registry: &str, table: &Value| {
            Some(self.language.kind(registry, table.get("kind")?.as_str()?)?.is(wanted))
        };
        let whole = has("dataset", root.get("dataset")?)?;
        let parts: Option<Vec<bool>> =
            list(root, &["dataset", "parts"]).iter().map(|part| has("dataset part", part)).collect();
        Some(whole || parts?.contains(&true))
    }

    /// Lets the kind at a path check its table.
    pub fn check(&mut self, root: &mut Table, path: &[&str], registry: &str, word: &str, facts: &Facts) {
        let Some(Value::Table(config)) = get_mut(root, path) else { return };
        let Some(name) = config.get(word).and_then(Value::as_str) else { return };
        let Some(kind) = self.language.kind(registry, name) else { return };
        let findings = &mut *self.findings;
        (kind.check)(&mut Checking { config, facts, path: path.join("."), findings });
    }

    fn vocabulary(&mut self, facts: &mut Facts) {
        if let Some(size) = facts.d_vocab.take_if(|size| *size < 3) {
            let message = format!("a vocabulary of {size} is too small");
            let help = "besides the start token the probes need two that differ";
            self.findings.error("tokenizer.d_vocab", message, help);
        }
    }

    /// A template that is not built in is a file, relative to the spec that names it.
    fn template(&mut self, root: &mut Table) {
        let Some(Value::String(word)) = get_mut(root, &["report", "template"]) else { return };
        let built_in = &self.language.templates;
        if built_in.contains(&word.as_str()) {
            return;
        }
        let place = self.findings.places.nearest("report.template");
        let folder = self.findings.sources.of(&place).folder.clone();
        let written = crate::files::expand(word).unwrap_or_else(|_| word.clone().into());
        let path = folder.join(written);
        if path.is_file() {
            *word = std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned();
            return;
        }
        let message = format!("there is no template {word:?}, and no file {}", path.display());
        let near = crate::spec::nearest(word, built_in.iter().copied()).map(str::to_string);
        let near = near.or_else(|| crate::spec::nearest_file(&path, path.parent().unwrap_or(Path::new(""))));
        let help = match near {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("built in: {}; or the path of a file, relative to the spec", built_in.join(", ")),
        };
        self.findings.error("report.template", message, help);
    }
}

/// The list at a path; empty if there is none.
pub(super) fn list<'a>(root: &'a Table, path: &[&str]) -> &'a [Value] {
    get(root, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
