//! What differs between runs: in configuration, and in outcome. Only files are read.

mod align;
mod export;
mod merge;
mod outcomes;

pub use export::{to_json, to_markdown, to_text};

use crate::record::{Origins, Record, origins};
use toml::Table;

/// Tables whose keys change neither the weights nor the data.
const COSMETIC: &[&str] = &[
    "name",
    "description",
    "report",
    "verdict",
    "analyses",
    "training.checkpoints",
    "training.validation_sequences",
];

const POSITIONS: &str = "architecture.positions";

/// One of the things compared.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What it is called: the path that was given.
    pub name: String,
    /// Its resolved plan.
    pub plan: Table,
    /// Where each value of the plan comes from, as far as is known.
    pub origins: Origins,
    /// What came of it, if it ran.
    pub record: Option<Record>,
}

/// What is shown of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// In words.
    pub text: String,
    /// As data.
    pub value: serde_json::Value,
    /// `default`, a file and line, or `--set`.
    pub origin: Option<String>,
}

/// A key, or an outcome, and its value in each subject; `None` where it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The table the key is in; empty for the top level and for outcomes.
    pub table: String,
    /// The key, or the outcome's name.
    pub name: String,
    /// The value in each subject.
    pub values: Vec<Option<Shown>>,
}

/// All that differs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Differences {
    /// Keys that change the weights or the data.
    pub results: Vec<Difference>,
    /// Keys nobody wrote, whose defaults follow from those that differ.
    pub follows: Vec<Difference>,
    /// Keys that change how a run is watched or told.
    pub cosmetic: Vec<Difference>,
    /// Where the runs were made, and the digests of what they read.
    pub provenance: Vec<Difference>,
    /// Outcomes, side by side; empty where nothing ran.
    pub outcomes: Vec<Difference>,
}

impl Subject {
    /// A plan, without origins or outcomes.
    pub fn of_plan(name: &str, mut plan: Table) -> Self {
        if let Some(toml::Value::Table(training)) = plan.get_mut("training") {
            // Runs from before this key took all sequences at a time.
            training.entry("micro_batch_size").or_insert_with(|| "all".into());
        }
        Subject { name: name.into(), plan, origins: Origins::new(), record: None }
    }

    /// A plan as it is printed, with the origins beside its values.
    pub fn of_text(name: &str, plan: &str) -> Self {
        let table = toml::from_str(plan).unwrap_or_default();
        Subject { origins: origins(plan), ..Subject::of_plan(name, table) }
    }
}

impl Difference {
    /// The whole dotted key.
    pub fn key(&self) -> String {
        if self.table.is_empty() { self.name.clone() } else { format!("{}.{}", self.table, self.name) }
    }

    /// Whether every subject has the same value.
    pub fn is_equal(&self) -> bool {
        let value = |shown: &Option<Shown>| shown.as_ref().map(|s| s.text.clone());
        self.values.windows(2).all(|pair| value(&pair[0]) == value(&pair[1]))
    }

    /// Whether it changes neither the weights nor the data.
    fn is_cosmetic(&self) -> bool {
        let key = self.key();
        let under = |table: &&str| {
            key == **table || key.strip_prefix(*table).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        COSMETIC.iter().any(under)
    }

    /// Whether it is the architecture's positions, which do nothing but be the blocks' default: only learned ones are
    /// added to the stream.
    fn only_hands_down(&self) -> bool {
        self.key() == POSITIONS
            && self.values.iter().all(|shown| shown.as_ref().is_some_and(|shown| shown.text != "\"learned\""))
    }

    /// Whether nobody wrote any of the values: defaults, and steps that came of a budget of tokens.
    fn is_unwritten(&self) -> bool {
        let unwritten = |origin: &str| origin == "default" || origin.contains(BUDGET);
        self.values.iter().flatten().all(|shown| shown.origin.as_deref().is_some_and(unwritten))
    }
}

impl Differences {
    /// Whether the configurations are the same, and the data they were read with.
    pub fn is_empty(&self) -> bool {
        let other_data = |d: &Difference| d.name.ends_with("digest") && !all_known_equal(d);
        let differing = |rows: &[Difference]| rows.iter().any(|d| !d.is_equal());
        !differing(&self.results)
            && !differing(&self.follows)
            && !differing(&self.cosmetic)
            && !self.provenance.iter().any(other_data)
    }
}

/// Whether all that ran agree: a spec has no provenance.
fn all_known_equal(difference: &Difference) -> bool {
    let known: Vec<&Shown> = difference.values.iter().flatten().collect();
    known.windows(2).all(|pair| pair[0].text == pair[1].text)
}

/// Compares two or more subjects; with `all`, equal keys too.
pub fn compare(subjects: &[Subject], all: bool) -> Differences {
    let mut found = Differences::default();
    let rows = budget(merge::merge(subjects)).into_iter();
    for row in rows.filter(|row| all || !row.is_equal()) {
        // A run that does not say its name has its file's, which follows from no key.
        let follows = !row.is_equal() && row.is_unwritten() && row.key() != "name";
        match (follows, row.is_cosmetic()) {
            (true, _) => found.follows.push(row),
            (false, true) => found.cosmetic.push(row),
            (false, false) => found.results.push(row),
        }
    }
    // The blocks of a plan have taken theirs: where these are the same, so is the model.
    let taken = |row: &Difference| row.key() != POSITIONS && row.name == "positions" && !row.is_equal();
    if !found.results.iter().chain(&found.follows).any(taken) {
        found.cosmetic.extend(found.results.extract_if(.., |row| row.only_hands_down()));
    }
    // Two versions of the program may have other defaults, which then follow from nothing.
    if found.results.iter().chain(&found.cosmetic).all(Difference::is_equal) {
        let (cosmetic, results): (Vec<_>, Vec<_>) =
            found.follows.drain(..).partition(Difference::is_cosmetic);
        found.cosmetic.extend(cosmetic);
        found.results.extend(results);
    }
    let ran = subjects.iter().filter(|s| s.record.is_some()).count();
    if ran > 0 {
        found.outcomes = outcomes::outcomes(subjects);
    }
    if ran > 1 {
        let differs = |d: &Difference| all || !all_known_equal(d);
        found.provenance = outcomes::provenance(subjects).into_iter().filter(differs).collect();
    }
    found
}

/// What stands in the origin of steps that a budget of tokens became.
const BUDGET: &str = " (tokens = ";

/// A training that was given as `tokens` is compared by its tokens: its steps depend on the batch.
fn budget(mut rows: Vec<Difference>) -> Vec<Difference> {
    let Some(at) = rows.iter().position(|row| row.key() == "training.steps") else { return rows };
    let tokens = |shown: &Option<Shown>| {
        let origin = shown.as_ref()?.origin.as_deref()?;
        let (place, rest) = origin.split_once(BUDGET)?;
        let written: i64 = rest.strip_suffix(')')?.replace('_', "").parse().ok()?;
        Some(Shown { text: written.to_string(), value: written.into(), origin: Some(place.into()) })
    };
    let budgets: Vec<Option<Shown>> = rows[at].values.iter().map(tokens).collect();
    if budgets.iter().all(Option::is_some) {
        let row = Difference { name: "tokens".into(), values: budgets, ..rows[at].clone() };
        match row.is_equal() {
            true => rows.insert(at, row),
            false => rows[at] = row,
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rows: &[Difference]) -> Vec<String> {
        rows.iter().map(Difference::key).collect()
    }

    #[test]
    fn only_what_differs_and_by_what_it_changes() {
        let a = Subject::of_text(
            "a",
            "name = \"a\"\nseed = 0\n[training]\nsteps = 5\n[[architecture.blocks]]\nkind = \"conv1d\"",
        );
        let b = Subject::of_text(
            "b",
            "name = \"b\"\nseed = 1\n[training]\nsteps = 5\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2",
        );
        let found = compare(&[a, b], false);
        let wanted = ["seed", "architecture.blocks[0]", "architecture.blocks[0]"];
        assert_eq!(keys(&found.results), wanted);
        assert_eq!(keys(&found.cosmetic), ["name"]);
        let block: Vec<Option<&str>> =
            found.results[2].values.iter().map(|v| v.as_ref().map(|s| s.text.as_str())).collect();
        assert_eq!(block, [None, Some("{ kind = \"attention\", n_heads = 2 }")]);
    }

    #[test]
    fn the_same_twice_is_no_difference() {
        let a = Subject::of_text("a", "seed = 3\n[[analyses]]\nid = \"x\"");
        assert!(compare(&[a.clone(), a.clone()], false).is_empty());
        let all = compare(&[a.clone(), a], true);
        assert_eq!(all.results.len(), 1);
        assert!(all.is_empty());
    }

    #[test]
    fn a_budget_of_tokens_is_compared_by_its_tokens() {
        let plan = |batch: u32, steps: u32, tokens: &str| {
            let text = format!(
                "[training]\nsteps = {steps}  # x:3 (tokens = {tokens})\nbatch_size = {batch}  # x:4\n"
            );
            Subject::of_text("x", &text)
        };
        let found = compare(&[plan(16, 100, "1_000"), plan(32, 50, "1000")], false);
        assert_eq!(
            (keys(&found.results), keys(&found.follows)),
            (vec!["training.batch_size".to_string()], vec!["training.steps".to_string()])
        );
        let origin = |shown: &Option<Shown>| shown.as_ref().and_then(|shown| shown.origin.clone());
        let origins: Vec<_> = found.follows[0].values.iter().map(origin).collect();
        assert_eq!(origins, [Some("x:3 (tokens = 1_000)".into()), Some("x:3 (tokens = 1000)".into())]);
        let all = compare(&[plan(16, 100, "1_000"), plan(16, 100, "1_000")], true);
        let steps = all.results.iter().find(|row| row.key() == "training.steps").unwrap();
        assert_eq!(origin(&steps.values[0]), Some("x:3 (tokens = 1_000)".into()));
        let found = compare(&[plan(16, 100, "1_000"), plan(16, 200, "2_000")], false);
        assert_eq!(keys(&found.results), ["training.tokens"]);
    }
}
