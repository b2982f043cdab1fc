//! What must agree in `[dataset]`, whatever its kind.

use super::resolve::{Resolver, list};
use super::tables::get_mut;
use crate::spec::check::{Facts, Findings};
use toml::{Table, Value};

impl Resolver<'_> {
    pub(super) fn dataset(&mut self, root: &mut Table, facts: &Facts) {
        self.check(root, &["dataset"], "dataset", "kind", facts);
        for i in 0..list(root, &["dataset", "parts"]).len() {
            self.check(root, &["dataset", "parts", &i.to_string()], "dataset part", "kind", facts);
        }
        if (facts.reads_text, facts.tokenizes_text) == (Some(true), Some(false)) {
            let message = "this dataset is text, and the tokenizer has only token ids";
            let other = ("tokenizer.kind", "this tokenizer");
            self.findings.clash("dataset.kind", message, other, "use a tokenizer of text, as \"bpe\"");
        }
        self.repeat(root, facts);
    }

    fn repeat(&mut self, root: &mut Table, facts: &Facts) {
        let Some(Value::Table(repeat)) = get_mut(root, &["dataset", "repeat"]) else { return };
        let share = |key: &str| repeat.get(key).and_then(Value::as_float).unwrap_or(0.0);
        let (passages, random) = (share("passages"), share("random"));
        if passages + random > 1.0 {
            let message = format!(
                "`passages` and `random` are shares of one whole: {passages} + {random} is more than 1"
            );
            let other = ("dataset.repeat.random", "the other share");
            self.findings.clash("dataset.repeat.passages", message, other, "lower one of them");
        }
        if passages > 0.0 && facts.has_passages == Some(false) {
            let message = "this dataset has no passages to repeat";
            self.findings.error("dataset.repeat.passages", message, "set it to 0, or use a dataset of text");
        }
        let Some(n_ctx) = facts.n_ctx else { return };
        if self.findings.places.value("dataset.repeat.period").is_none() {
            let period = [(n_ctx / 8).max(1), (n_ctx / 2).max(1)];
            repeat.insert("period".into(), Value::Array(period.map(|p| Value::Integer(p as i64)).to_vec()));
        }
        let Some(Value::Array(period)) = repeat.get("period") else { return };
        if let [Some(low), Some(high)] = [0, 1].map(|i| period.get(i).and_then(Value::as_integer)) {
            period_fits(self.findings, "dataset.repeat.period", (low, high), n_ctx);
        }
    }
}

/// Reports a range of periods that is upside down or does not fit the context twice.
pub fn period_fits(findings: &mut Findings, path: &str, (low, high): (i64, i64), n_ctx: usize) {
    if low > high {
        let message = format!("the period runs from {low} down to {high}");
        findings.error(path, message, "write the smaller number first");
    } else if high as usize > n_ctx / 2 {
        let message = format!("a period of {high} does not fit twice into n_ctx = {n_ctx}");
        let other = ("architecture.n_ctx", "positions in a sequence");
        findings.clash(path, message, other, format!("use at most {}", n_ctx / 2));
    }
}
