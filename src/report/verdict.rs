//! The verdict in plain sentences, with the numbers it rests on.

use super::context::{cell, heading};
use super::{beneath, escape};
use crate::figures;
use crate::figures::text::{count, decimal};
use crate::record::{Criterion, InductionHead, Outcome, PhaseChange, Record, ShiftedHead, Verdict};
use serde::Serialize;

/// What the evidence says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// `found`, `not_found`, `inconclusive` or `none`.
    pub outcome: String,
    /// The verdict in a sentence or two.
    pub lead: String,
    /// What it rests on, a fact a sentence.
    pub rests_on: Vec<String>,
}

/// What a head has to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// What is compared.
    pub measure: String,
    /// The least value that counts, with its unit.
    pub threshold: String,
    /// What it means.
    pub meaning: String,
}

/// The criteria of the verdict.
pub fn bars(record: &Record) -> Vec<Bar> {
    let criteria = record.verdict.iter().flat_map(|v| &v.criteria);
    let bar = |c: &Criterion| Bar {
        measure: heading(&c.measure, ""),
        threshold: format!("{} {}", c.threshold, escape::text(&c.unit)).trim_end().to_string(),
        meaning: escape::text(&c.meaning),
    };
    criteria.map(bar).collect()
}

/// The verdict of a run.
pub fn words(record: &Record) -> Words {
    let Some(verdict) = &record.verdict else {
        return Words {
            outcome: "none".to_string(),
            lead: "**No verdict.** This run has none yet.".to_string(),
            rests_on: Vec::new(),
        };
    };
    if !record.is_judged() {
        return Words {
            outcome: "none".to_string(),
            lead: format!("**Not finished.** {}", escape::text(&unfinished(record))),
            rests_on: Vec::new(),
        };
    }
    let title = match (verdict.verdict, verdict.induction_heads.len()) {
        (Outcome::Found, 0 | 1) => "Found: an induction head formed.".to_string(),
        (Outcome::Found, n) => format!("Found: {n} induction heads formed."),
        (Outcome::NotFound, _) => {
            let tokens = record.metrics.numbers("tokens").last().copied().filter(|x| x.is_finite());
            let within =
                tokens.map_or(String::new(), |tokens| format!(" in {} tokens of training", count(tokens)));
            format!("Not found: no induction head formed{within}.")
        }
        (Outcome::Inconclusive, _) => "Inconclusive.".to_string(),
    };
    let mut rests_on: Vec<String> = measured(record).into_iter().collect();
    rests_on.extend(verdict.induction_heads.iter().map(|head| formed(head, verdict)));
    if let Some(head) = verdict.induction_heads.first() {
        rests_on.extend(beneath::beneath(record, head));
    } else {
        rests_on.extend(verdict.criteria.iter().map(|criterion| best(criterion, verdict)));
        rests_on.extend(at_once(verdict));
    }
    rests_on.extend(verdict.shifted_heads.iter().map(shifted));
    rests_on.extend(verdict.phase_change.iter().map(|change| changed(change, verdict.verdict)));
    rests_on.extend(copies(record));
    Words {
        outcome: verdict.verdict.name().to_string(),
        lead: format!("**{title}** {}", escape::text(&verdict.summary)).trim_end().to_string(),
        rests_on,
    }
}

/// How far a run has come that has no verdict because it did not end.
pub fn unfinished(record: &Record) -> String {
    let step = record.metrics.numbers("step").last().copied().unwrap_or(0.0);
    let steps = record.plan.get("training").and_then(|t| t.get("steps")).and_then(toml::Value::as_integer);
    let of = steps.map_or(String::new(), |steps| format!(" of {steps}"));
    format!("The run has come to step {step}{of}, and is judged at the last one.")
}

/// How much was looked at.
fn measured(record: &Record) -> Option<String> {
    let table = record.analysis("prefix_matching")?.table("heads")?;
    let heads = figures::heads::last(table).ok()?.len();
    let mut steps = table.distinct("step");
    steps.retain(|step| step.number().is_some());
    let (_, tokens) = figures::axis::range(table.numbers("tokens"))?;
    let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    Some(format!(
        "Measured: {} at {}, the last after {} tokens of training.",
        many(heads, "head"),
        many(steps.len(), "checkpoint"),
        count(tokens),
    ))
}

fn threshold(verdict: &Verdict, measure: &str) -> String {
    let criterion = verdict.criteria.iter().find(|c| c.measure == measure);
    criterion.map_or(String::new(), |c| format!("; the threshold is {}", c.threshold))
}

fn formed(head: &InductionHead, verdict: &Verdict) -> String {
    let passages = head
        .prefix_matching_passages
        .map_or(String::new(), |share| format!(", and {} on repeated passages of text", decimal(share, 2)));
    let on_which = if passages.is_empty() { "" } else { ", on random tokens or on passages," };
    let tokens = head.formed_at_tokens.map_or(String::new(), |n| format!(" ({} tokens)", count(n as f64)));
    let since = head.formed_at_step.map_or(String::new(), |step| {
        format!(" Its prefix matching{on_which} stays above the threshold from step {step} on{tokens}.")
    });
    let copying = head.copying.map_or(String::new(), |score| {
        let chance =
            head.copying_chance.map_or(String::new(), |chance| format!("; {} is chance", decimal(chance, 2)));
        format!(" Its copying score is {} (from −1 to 1{chance}).", decimal(score, 2))
    });
    format!(
        "Head **{}.{}**: when a token of a repeated random sequence comes up again, {} of the \
         head's attention lies on what followed the token before{passages}{}. Without the head the \
         loss on the second copy {} nats{}.{copying}{since}",
        head.layer,
        head.head,
        decimal(head.prefix_matching, 2),
        threshold(verdict, "prefix_matching"),
        moved(head.ablation),
        threshold(verdict, "ablation"),
    )
}

pub fn moved(rise: f64) -> String {
    let way = if rise < 0.0 { "falls" } else { "rises" };
    format!("{way} by {}", decimal(rise.abs(), 2))
}

/// The heads that came closest to a criterion.
fn best(criterion: &Criterion, verdict: &Verdict) -> String {
    let heads = &verdict.heads;
    let above = if criterion.measure == "copying" { " above chance" } else { "" };
    let measure = format!("{}{above}", heading(&criterion.measure, ""));
    let compared = criterion.figures(heads);
    let unit = if criterion.unit == "nats" { " nats" } else { "" };
    let highest = |(words, values): &(&str, Vec<f64>)| {
        let finite = values.iter().enumerate().filter(|(_, value)| value.is_finite());
        let (row, value) = finite.max_by(|a, b| a.1.total_cmp(b.1))?;
        let name = |column: &str| heads.column(column).nth(row).map_or("?".to_string(), cell);
        Some(format!("{}{unit}{words} (head {}.{})", decimal(*value, 2), name("layer"), name("head")))
    };
    let highest: Vec<String> = compared.iter().filter_map(highest).collect();
    if highest.is_empty() {
        return format!("Not measured: {measure} (the threshold is {}{unit}).", criterion.threshold);
    }
    let either = if highest.len() > 1 { " for either" } else { "" };
    let threshold = criterion.threshold;
    format!(
        "Highest {measure} of all heads: {}; the threshold is {threshold}{unit}{either}.",
        highest.join(", ")
    )
}

/// That no head reaches all criteria at once, though some reach one.
fn at_once(verdict: &Verdict) -> Option<String> {
    let reach: Vec<(String, usize)> =
        verdict.criteria.iter().map(|c| (heading(&c.measure, ""), reached(c, verdict))).collect();
    let n = verdict.heads.rows.len();
    if reach.iter().all(|(_, heads)| *heads == 0) {
        return None;
    }
    let each: Vec<String> = reach.into_iter().map(|(measure, heads)| format!("{measure} {heads}")).collect();
    Some(format!(
        "Of {n} heads reach the threshold of {}; of all of them at once, none. A head may matter to the loss, or copy \
         what it attends to, and do so for another reason than that it looks at what followed before.",
        each.join(", ")
    ))
}

fn reached(criterion: &Criterion, verdict: &Verdict) -> usize {
    criterion.held_against(&verdict.heads).into_iter().filter(|value| *value >= criterion.threshold).count()
}

fn shifted(head: &ShiftedHead) -> String {
    format!(
        "Head **{}.{}** is a *shifted* induction head: {} of its attention lies {} places after an \
         earlier occurrence of the current token, where the textbook head looks 1 place after it. \
         Without the head the loss on the second copy {} nats.",
        head.layer,
        head.head,
        decimal(head.attention, 2),
        head.offset,
        moved(head.ablation),
    )
}

fn changed(change: &PhaseChange, outcome: Outcome) -> String {
    let (what, beside) = match outcome {
        Outcome::Found => (
            "Phase change: the",
            " Olsson et al. (2022) saw the phase change of their models between 2.5 and 5 billion \
             tokens, of small ones between 1 and 3 billion.",
        ),
        Outcome::NotFound | Outcome::Inconclusive => ("The", ""),
    };
    format!(
        "{what} in-context-learning score (late loss minus early loss) moves most between {} and {} \
         tokens (steps {} to {}), from {} to {} nats a token.{beside}",
        count(change.from_tokens as f64),
        count(change.to_tokens as f64),
        change.from_step,
        change.to_step,
        decimal(change.before, 2),
        decimal(change.after, 2),
    )
}

/// The loss on both copies of a repeated sequence at the last checkpoint.
fn copies(record: &Record) -> Option<String> {
    let analysis = record.analysis("repeated_loss")?;
    let table = analysis.table("losses")?;
    let last = |column: &str| table.numbers(column).last().copied().filter(|x| x.is_finite());
    let (first, second) = (last("first_copy")?, last("second_copy")?);
    let random = analysis.parameters.get("tokens").and_then(toml::Value::as_str) != Some("passages");
    let d_vocab =
        record.plan.get("tokenizer").and_then(|t| t.get("d_vocab")).and_then(toml::Value::as_integer);
    let guessing = d_vocab.filter(|n| *n > 0 && random).map(|n| (n, (n as f64).ln()));
    let beside = guessing.filter(|(_, loss)| first > *loss).map_or(String::new(), |(n, loss)| {
        format!(
            " Guessing among all {n} tokens would cost {}: the model expects text, and random tokens are none. What \
             tells of copying is the difference.",
            decimal(loss, 2)
        )
    });
    Some(format!(
        "On {} shown twice, the trained model's loss is {} nats a token on the first copy and {} on the second, {} \
         {}.{beside}",
        if random { "random tokens" } else { "passages" },
        decimal(first, 2),
        decimal(second, 2),
        decimal((first - second).abs(), 2),
        if second < first { "lower" } else { "higher" },
    ))
}
