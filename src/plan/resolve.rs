//! Spec → plan: reads by the tables of keys, lets every kind check itself, crosses what must agree.

use super::{Plan, keys, layers};
use crate::spec::check::{BlockFacts, Checking, Facts, Findings};
use crate::spec::read::read;
use crate::spec::{Diagnostic, Language, Spec, Trait};
use std::collections::BTreeMap;
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
    let Spec { root, mut findings } = spec;
    let broken = findings.failed();
    let mut read = read(&root, language, &mut findings);
    if broken {
        return Planned { plan: None, findings };
    }
    if !read.contains_key("name") {
        read.insert("name".into(), default_name.into());
    }
    let mut resolver = Resolver { language, findings: &mut findings };
    resolver.resolve(&mut read, evidence);
    let failed = findings.failed();
    let ordered = in_order(read);
    let plan = if failed { None } else { typed(ordered, &mut findings) };
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

/// The keys in the order of the language, whatever the order they were filled in.
fn in_order(mut read: Table) -> Table {
    let mut ordered = Table::new();
    for key in keys::TOP {
        if let Some(value) = read.remove(key.name) {
            ordered.insert(key.name.into(), value);
        }
    }
    ordered
}

struct Resolver<'a> {
    language: &'a Language,
    findings: &'a mut Findings,
}

impl Resolver<'_> {
    fn resolve(&mut self, root: &mut Table, evidence: &[Evidence]) {
        self.name(root);
        let mut facts = self.facts(root);
        self.check(root, &["tokenizer"], "tokenizer", "kind", &facts);
        facts.d_vocab = integer(root, &["tokenizer", "d_vocab"]);
        for i in 0..facts.blocks.len() {
            let index = i.to_string();
            self.check(root, &["architecture", "blocks", &index], "block", "kind", &facts);
        }
        self.check(root, &["dataset"], "dataset", "kind", &facts);
        if facts.reads_text == Some(true) && facts.tokenizes_text == Some(false) {
            let message = "this dataset is text, and this tokenizer has only token ids";
            let other = ("tokenizer.kind", "this tokenizer");
            self.findings.clash("dataset.kind", message, other, "use \"bpe\" or \"bytes\"");
        }
        self.repeat(root, &facts);
        self.training(root, &facts);
        for part in
            [("optimizer", "optimizer"), ("schedule", "schedule"), ("checkpoints", "checkpoint schedule")]
        {
            self.check(root, &["training", part.0], part.1, "kind", &facts);
        }
        self.analyses(root, &facts, evidence);
        self.template(root);
    }

    fn name(&mut self, root: &Table) {
        let Some(name) = root.get("name").and_then(Value::as_str) else { return };
        let good = |part: &str| {
            let fine = |c: char| c.is_alphanumeric() || "-_.=+,".contains(c);
            !part.is_empty() && !part.starts_with('.') && part.chars().all(fine)
        };
        if name.is_empty() || name.len() > 200 || !name.split('/').all(good) {
            let message = format!("`name` cannot be {name:?}: it names folders");
            self.findings.error(
                "name",
                message,
                "use letters, digits and - _ . = + , with / between folders",
            );
        }
    }

    /// Everything kinds may want to know, as far as it could be read.
    fn facts(&self, root: &Table) -> Facts {
        let kind = |path: &[&str], registry: &str| {
            let name = get(root, path)?.as_str()?;
            self.language.kind(registry, name)
        };
        let none = Vec::new();
        let blocks = get(root, &["architecture", "blocks"]).and_then(Value::as_array).unwrap_or(&none);
        let kinds: Vec<_> = blocks
            .iter()
            .filter_map(|block| self.language.kind("block", block.get("kind")?.as_str()?))
            .collect();
        let traits = kinds.iter().map(|k| (k.is(Trait::Heads), k.is(Trait::JoinsAttention)));
        let layers = layers(traits);
        let block = |((block, kind), layer): ((&Value, &&crate::spec::Kind), usize)| BlockFacts {
            layer,
            n_heads: match block.get("n_heads").and_then(Value::as_integer) {
                Some(n) if kind.is(Trait::Heads) => n as usize,
                _ => 0,
            },
            kernel: kind.is(Trait::Kernel),
        };
        Facts {
            d_model: integer(root, &["architecture", "d_model"]),
            n_ctx: integer(root, &["architecture", "n_ctx"]),
            positions: get(root, &["architecture", "positions"]).and_then(Value::as_str).map(str::to_string),
            blocks: blocks.iter().zip(&kinds).zip(layers).map(block).collect(),
            d_vocab: integer(root, &["tokenizer", "d_vocab"]),
            tokenizes_text: kind(&["tokenizer", "kind"], "tokenizer").map(|k| k.is(Trait::TokenizesText)),
            reads_text: kind(&["dataset", "kind"], "dataset").map(|k| k.is(Trait::ReadsText)),
            devices: self.language.devices.clone(),
        }
    }

    /// Lets the kind at a path check its table, unless something in it is wrong already.
    fn check(&mut self, root: &mut Table, path: &[&str], registry: &str, word: &str, facts: &Facts) {
        let dotted = path.join(".");
        if self.findings.errors_under(&dotted) > 0 {
            return;
        }
        let Some(Value::Table(config)) = get_mut(root, path) else { return };
        let Some(name) = config.get(word).and_then(Value::as_str) else { return };
        let Some(kind) = self.language.kind(registry, name) else { return };
        let findings = &mut *self.findings;
        (kind.check)(&mut Checking { config, facts, path: dotted, findings });
        // Computed defaults came last; a plan has the keys in the language's order.
        let rank = |key: &String| kind.keys.iter().position(|k| k.name == key);
        let mut entries: Vec<(String, Value)> = std::mem::take(config).into_iter().collect();
        entries.sort_by_key(|(key, _)| rank(key));
        config.extend(entries);
    }

    fn repeat(&mut self, root: &mut Table, facts: &Facts) {
        let Some(n_ctx) = facts.n_ctx else { return };
        let Some(Value::Table(repeat)) = get_mut(root, &["dataset", "repeat"]) else { return };
        if !repeat.contains_key("period") {
            let period = [(n_ctx / 8).max(1), (n_ctx / 2).max(1)];
            repeat.insert("period".into(), Value::Array(period.map(|p| Value::Integer(p as i64)).to_vec()));
        }
        let share = |key: &str| repeat.get(key).and_then(Value::as_float).unwrap_or(0.0);
        let (passages, random) = (share("passages"), share("random"));
        if passages + random > 1.0 {
            let message = format!(
                "`passages` and `random` are shares of one whole: {passages} + {random} is more than 1"
            );
            let other = ("dataset.repeat.random", "the other share");
            self.findings.clash("dataset.repeat.passages", message, other, "lower one of them");
        }
        if passages > 0.0 && facts.reads_text == Some(false) {
            let message = "this dataset has no passages to repeat";
            self.findings.error("dataset.repeat.passages", message, "set it to 0, or use a dataset of text");
        }
        let Some(Value::Array(period)) = repeat.get("period") else { return };
        if let [Some(low), Some(high)] = [0, 1].map(|i| period.get(i).and_then(Value::as_integer)) {
            period_fits(self.findings, "dataset.repeat.period", (low, high), n_ctx);
        }
    }

    fn training(&mut self, root: &mut Table, facts: &Facts) {
        let batch = integer(root, &["training", "batch_size"]);
        let Some(Value::Table(training)) = root.get_mut("training") else { return };
        let tokens = training.remove("tokens").and_then(|t| t.as_integer());
        let per_step = batch.zip(facts.n_ctx).map(|(batch, n_ctx)| (batch * n_ctx) as i64);
        let written = |key: &str| self.findings.places.value(&format!("training.{key}")).is_some();
        match (training.get("steps"), tokens) {
            (Some(_), Some(_)) => {
                let other = ("training.steps", "`steps` says it too");
                self.findings.clash(
                    "training.tokens",
                    "`tokens` and `steps` both say how long to train",
                    other,
                    "keep one of them",
                );
            }
            (Some(_), None) => {}
            (None, Some(tokens)) => {
                let Some(per_step) = per_step else { return };
                if tokens < per_step {
                    let message = format!(
                        "`tokens` = {tokens} is less than one step: batch_size × n_ctx is {per_step} tokens"
                    );
                    let other = ("training.batch_size", "sequences a step");
                    self.findings.clash(
                        "training.tokens",
                        message,
                        other,
                        format!("use {per_step} or more, or a smaller batch_size"),
                    );
                }
                let steps = (tokens as u64).div_ceil(per_step as u64).max(1);
                training.insert("steps".into(), Value::Integer(steps as i64));
            }
            // A budget of the wrong type is reported already, and so is a `[trainng]`.
            (None, None) if written("tokens") || written("steps") => {}
            (None, None) if self.findings.places.value("training").is_none() && self.findings.failed() => {}
            (None, None) => {
                let message = "`training` does not say how long to train";
                self.findings.error("training.tokens", message, "add `tokens = 6_000_000`, or `steps`");
            }
        }
        let steps = training.get("steps").and_then(Value::as_integer);
        if let (Some(steps), Some(per_step)) = (steps, per_step)
            && steps.checked_mul(per_step).is_none()
        {
            let message = "that is more tokens than can be counted";
            self.findings.error("training.steps", message, "use fewer steps");
        }
        let device = training.get("device").and_then(Value::as_str).unwrap_or("cpu").to_string();
        let best = self.language.devices.last().copied().unwrap_or("cpu");
        if device == "auto" {
            training.insert("device".into(), best.into());
        } else if !facts.devices.contains(&device.as_str()) {
            let message = format!("there is no device \"{device}\" here");
            let help = format!(
                "devices here: {}; a build with `--features cuda` on a machine with an NVIDIA GPU has \"cuda\"",
                facts.devices.join(", ")
            );
            self.findings.error("training.device", message, help);
        }
        let precision = training.get("precision").and_then(Value::as_str).unwrap_or("f32").to_string();
        let device = training.get("device").and_then(Value::as_str).unwrap_or("cpu");
        if precision != "f32" && device != "cuda" {
            let message = format!("precision \"{precision}\" needs the device \"cuda\"");
            self.findings.clash(
                "training.precision",
                message,
                ("training.device", "this device"),
                "use \"f32\"",
            );
        }
    }

    /// A template that is not built in is a file, relative to the spec that names it.
    fn template(&mut self, root: &mut Table) {
        let Some(Value::String(word)) = get_mut(root, &["report", "template"]) else { return };
        if self.language.templates.contains(&word.as_str()) {
            return;
        }
        let place = self.findings.places.nearest("report.template");
        let folder = self.findings.sources.of(&place).folder.clone();
        let path = folder.join(word.as_str());
        if path.is_file() {
            *word = std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned();
            return;
        }
        let message = format!("there is no template {word:?}, and no file {}", path.display());
        let built_in = self.language.templates.join(", ");
        let help = format!("built in: {built_in}; or the path of a file, relative to the spec");
        self.findings.error("report.template", message, help);
    }

    fn analyses(&mut self, root: &mut Table, facts: &Facts, evidence: &[Evidence]) {
        let complete = matches!(root.get("analyses"), Some(Value::Array(_)));
        let heads = facts.blocks.iter().any(|b| b.n_heads > 0);
        if complete && heads && self.findings.errors_under("analyses") == 0 {
            self.add_evidence(root, facts, evidence);
        }
        let count = root.get("analyses").and_then(Value::as_array).map_or(0, Vec::len);
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for i in 0..count {
            let index = i.to_string();
            self.needs(root, i, facts);
            self.check(root, &["analyses", &index], "probe", "probe", facts);
            let Some(Value::Table(analysis)) = get_mut(root, &["analyses", &index]) else { continue };
            let probe = analysis.get("probe").and_then(Value::as_str).unwrap_or("").to_string();
            let id = analysis.entry("id").or_insert(probe.into());
            let id = id.as_str().unwrap_or("").to_string();
            analysis.entry("at").or_insert("every".into());
            self.unique(&mut ids, id, i);
        }
    }

    fn unique(&mut self, ids: &mut BTreeMap<String, usize>, id: String, index: usize) {
        let path = format!("analyses.{index}.id");
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if id.is_empty() || id.len() > 100 || !id.chars().all(fine) || id == "verdict" {
            let message = format!("`id` cannot be {id:?}: it names a file");
            self.findings.error(&path, message, "use letters, digits, - and _; \"verdict\" is taken");
        }
        if let Some(first) = ids.get(&id) {
            let place = |i: usize| self.findings.places.nearest(&format!("analyses.{i}.id"));
            let diagnostic =
                Diagnostic::error(&path, place(index), format!("two analyses are called \"{id}\""))
                    .related(Some(place(*first)), "the first one")
                    .help(format!("give one of them another name: `id = \"{id}_2\"`"));
            self.findings.diagnostics.push(diagnostic);
        }
        ids.entry(id).or_insert(index);
    }

    /// A probe that needs what the architecture or the dataset lacks.
    fn needs(&mut self, root: &Table, index: usize, facts: &Facts) {
        let path = format!("analyses.{index}.probe");
        let name = get(root, &["analyses", &index.to_string(), "probe"]).and_then(Value::as_str);
        let Some(kind) = name.and_then(|name| self.language.kind("probe", name)) else { return };
        let broken = self.findings.errors_under("architecture") > 0;
        let lacks = |needs: Trait, has: bool| kind.is(needs) && !has && !broken;
        let heads = facts.blocks.iter().any(|b| b.n_heads > 0);
        let blocks = ("architecture.blocks", "these blocks");
        if lacks(Trait::NeedsHeads, heads) {
            let message = format!("`{}` measures attention heads, and the architecture has none", kind.name);
            self.findings.clash(&path, message, blocks, "add an attention block, or leave the probe out");
        }
        if lacks(Trait::NeedsKernel, facts.blocks.iter().any(|b| b.kernel)) {
            let message = format!("`{}` measures convolutions, and the architecture has none", kind.name);
            self.findings.clash(&path, message, blocks, "add a conv1d block, or leave the probe out");
        }
        if kind.is(Trait::NeedsText) && facts.tokenizes_text == Some(false) {
            let message = format!("`{}` reads a text, and the tokenizer has only token ids", kind.name);
            self.findings.clash(
                &path,
                message,
                ("tokenizer.kind", "this tokenizer"),
                "leave the probe out, or use a tokenizer of text",
            );
        }
    }

    /// Adds what the verdict rests on and the spec does not list.
    fn add_evidence(&mut self, root: &mut Table, facts: &Facts, evidence: &[Evidence]) {
        let Some(Value::Array(analyses)) = root.get_mut("analyses") else { return };
        for needed in evidence {
            let wanted: Table = toml::from_str(needed.parameters).unwrap_or_default();
            let passages = wanted.get("tokens").and_then(Value::as_str) == Some("passages");
            if passages && facts.reads_text != Some(true) {
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
                crate::spec::Default::Value(toml) => {
                    let document: Table = toml::from_str(&format!("x = {toml}")).ok()?;
                    Some((key.name.to_string(), document.get("x")?.clone()))
                }
                _ => None,
            });
            added.extend(defaults);
            added.extend(wanted);
            analyses.push(Value::Table(added));
        }
    }
}

/// Reports a range of periods that is upside down or does not fit the context twice.
pub fn period_fits(findings: &mut Findings, path: &str, (low, high): (i64, i64), n_ctx: usize) {
    if low > high {
        findings.error(
            path,
            format!("the period runs from {low} down to {high}"),
            "write the smaller number first",
        );
    } else if high as usize > n_ctx / 2 {
        let message = format!("a period of {high} does not fit twice into n_ctx = {n_ctx}");
        let other = ("architecture.n_ctx", "positions in a sequence");
        findings.clash(path, message, other, format!("use at most {}", n_ctx / 2));
    }
}

fn get<'a>(root: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get(*first)?, |value, key| match key.parse::<usize>() {
        Ok(i) => value.get(i),
        Err(_) => value.get(*key),
    })
}

fn get_mut<'a>(root: &'a mut Table, path: &[&str]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get_mut(*first)?, |value, key| match key.parse::<usize>() {
        Ok(i) => value.get_mut(i),
        Err(_) => value.get_mut(*key),
    })
}

fn integer(root: &Table, path: &[&str]) -> Option<usize> {
    get(root, path)?.as_integer().map(|i| i as usize)
}
