//! What the numbers of many runs say, in one paragraph.

use super::Run;
use super::groups::Group;
use crate::figures::text::{count, decimal};
use crate::record::{Outcome, Record};
use crate::report::escape;

/// Loss on held-out text at the end.
pub fn validation(record: &Record) -> Option<f64> {
    record.metrics.numbers("validation_loss").into_iter().rfind(|x| x.is_finite())
}

/// The in-context-learning score at the end.
pub fn in_context(record: &Record) -> Option<f64> {
    let table = record.analysis("in_context_learning")?.table("scores")?;
    table.numbers("score").into_iter().rfind(|x| x.is_finite())
}

/// When the first induction head had formed, in tokens.
pub fn formed(record: &Record) -> Option<f64> {
    let heads = &record.verdict.as_ref()?.induction_heads;
    heads.iter().filter_map(|head| head.formed_at_tokens).min().map(|tokens| tokens as f64)
}

/// The highest figure of any head for a measure of the verdict.
pub fn best(record: &Record, measure: &str) -> Option<f64> {
    let values = record.verdict.as_ref()?.heads.numbers(measure);
    values.into_iter().filter(|x| x.is_finite()).reduce(f64::max)
}

/// The most that any head is held against a criterion by.
pub fn held(record: &Record, measure: &str) -> Option<f64> {
    let verdict = record.verdict.as_ref()?;
    let criterion = verdict.criteria.iter().find(|criterion| criterion.measure == measure)?;
    criterion.held_against(&verdict.heads).into_iter().filter(|x| x.is_finite()).reduce(f64::max)
}

/// The share of the residual stream's variance that the token's identity explains after the first block, at the end.
pub fn identity(record: &Record) -> Option<f64> {
    let table = record.analyses.iter().find(|a| a.probe == "stream_composition")?.table("identity")?;
    let (step, depth, share) = (table.index("step")?, table.index("depth")?, table.index("share")?);
    let last = table.rows.last()?[step].clone();
    table.rows.iter().find(|row| row[step] == last && row[depth].integer() == Some(1))?[share].number()
}

/// The share of held-out tokens that the last occurrence of the token before predicts.
pub fn predicted(record: &Record) -> Option<f64> {
    let table = record.analyses.iter().find(|a| a.probe == "last_occurrence")?.table("shares")?;
    table.numbers("predicted").last().copied()
}

fn found(run: &Run) -> bool {
    run.record.verdict.as_ref().is_some_and(|v| v.verdict == Outcome::Found)
}

/// Runs of a group in which a head was found.
pub fn found_in(group: &Group<'_>) -> usize {
    group.runs.iter().filter(|run| found(run)).count()
}

/// Least, mean and greatest.
pub fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let (lo, hi) = crate::figures::axis::range(values.iter().copied())?;
    Some((lo, values.iter().sum::<f64>() / values.len() as f64, hi))
}

/// The paragraph.
pub fn paragraph(runs: &[Run], groups: &[Group<'_>]) -> String {
    let mut said = Vec::new();
    let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    said.push(match (runs.len(), groups.len() == runs.len()) {
        (1, _) => "One run.".into(),
        (n, true) => format!("{n} runs, each of its own configuration."),
        (_, false) => {
            let (runs, groups) = (many(runs.len(), "run"), many(groups.len(), "configuration"));
            format!("{runs} of {groups}; those that differ only in their seed are counted together.")
        }
    });
    let judged = runs.iter().filter(|run| run.record.is_judged()).count();
    let with_head = runs.iter().filter(|run| found(run)).count();
    said.push(match (with_head, judged) {
        (_, 0) => "None of them has a verdict yet.".into(),
        (0, 1) => "No induction head formed in the one that was judged.".into(),
        (1, 1) => "An induction head formed.".into(),
        (0, n) => format!("An induction head formed in none of the {n} that were judged."),
        (k, n) if k == n => format!("An induction head formed in all {n}."),
        (k, n) => format!("An induction head formed in {k} of {n}."),
    });
    match (judged, runs.len() - judged) {
        (0, _) | (_, 0) => {}
        (_, 1) => said.push("One is not finished.".into()),
        (_, n) => said.push(format!("{n} are not finished.")),
    }
    said.extend(texts(runs));
    // Of many only those that have something to tell.
    let telling = |group: &&Group<'_>| groups.len() <= 4 || found_in(group) > 0;
    let telling: Vec<&Group<'_>> = groups.iter().filter(telling).collect();
    if groups.len() > 1 && telling.len() <= 8 {
        said.extend(telling.into_iter().filter_map(of_group));
    }
    if let [group] = groups {
        said.extend(of_group(group).filter(|_| group.runs.len() > 1));
    }
    said.extend(losses(groups));
    said.join(" ")
}

/// What a run read: its dataset, the digest of what lay there, its tokenizer.
fn read(record: &Record) -> (Option<&toml::Value>, &str, Option<&toml::Value>) {
    let of = |key: &str| record.provenance.pointer(key).and_then(serde_json::Value::as_str);
    // What has no path is made from the seed.
    let digest = of("/dataset/path").and(of("/dataset/digest"));
    (record.plan.get("dataset"), digest.unwrap_or_default(), record.plan.get("tokenizer"))
}

/// Whether all runs read one text, in the same tokens.
pub fn of_one_text(groups: &[&Group<'_>]) -> bool {
    let mut runs = groups.iter().flat_map(|group| &group.runs).map(|run| read(&run.record));
    let first = runs.next();
    runs.all(|other| Some(other) == first)
}

/// That runs of one dataset did not read the same of it, where files came or went between them.
fn texts(runs: &[Run]) -> Option<String> {
    let mut texts: Vec<(Option<&toml::Value>, &str)> = Vec::new();
    for (dataset, digest, _) in runs.iter().map(|run| read(&run.record)) {
        if !digest.is_empty() && !texts.contains(&(dataset, digest)) {
            texts.push((dataset, digest));
        }
    }
    let more =
        |(dataset, _): &&(Option<&toml::Value>, &str)| texts.iter().filter(|(d, _)| d == dataset).count() > 1;
    let several = texts.iter().filter(more).count();
    (several > 0).then(|| {
        format!(
            "Not all of them read the same text: what lies at the dataset's path changed between runs ({several} \
             states, by their digests), so that losses on held-out text are not of the same text either."
        )
    })
}

/// How often and when a head formed in a group.
fn of_group(group: &Group<'_>) -> Option<String> {
    let judged = group.runs.iter().filter(|run| run.record.is_judged()).count();
    let with_head = found_in(group);
    let label = escape::text(&group.label);
    let times: Vec<f64> = group.runs.iter().filter_map(|run| formed(&run.record)).collect();
    let when = match spread(&times) {
        None => String::new(),
        Some((lo, _, hi)) if lo == hi => format!(", after {} tokens", count(lo)),
        Some((lo, mean, hi)) => {
            format!(", after {} to {} tokens (mean {})", count(lo), count(hi), count(mean))
        }
    };
    match (with_head, judged) {
        (_, 0) => None,
        (0, 1) => Some(format!("{label}: not found.")),
        (1, 1) => Some(format!("{label}: found{when}.")),
        (k, n) => Some(format!("{label}: found in {k} of {n}{when}.")),
    }
}

/// The losses at the end, and whether they differ more between configurations than between seeds.
fn losses(groups: &[Group<'_>]) -> Option<String> {
    if !of_one_text(&groups.iter().collect::<Vec<_>>()) {
        let why = "their texts or their tokens are not the same";
        return Some(format!("Their losses on held-out text are not ranked: {why}."));
    }
    let of = |group: &Group<'_>| {
        let values: Vec<f64> = group.runs.iter().filter_map(|run| validation(&run.record)).collect();
        spread(&values)
    };
    let mut means: Vec<(&str, (f64, f64, f64))> =
        groups.iter().filter_map(|group| Some((group.label.as_str(), of(group)?))).collect();
    means.sort_by(|a, b| a.1.1.total_cmp(&b.1.1));
    let (first, last) = (means.first()?, means.last()?);
    let within = means.iter().map(|(_, (lo, _, hi))| hi - lo).fold(0.0, f64::max);
    let seeds = groups.iter().any(|group| group.runs.len() > 1);
    if means.len() == 1 {
        let (lo, mean, hi) = first.1;
        let spread = format!(" ({} to {})", decimal(lo, 3), decimal(hi, 3));
        let spread = if seeds { spread } else { String::new() };
        return Some(format!("The loss on held-out text ends at {}{spread} nats a token.", decimal(mean, 3)));
    }
    let between = last.1.1 - first.1.1;
    // Those that seeds do not tell from the lowest.
    let near = means.iter().take_while(|(_, (_, mean, _))| mean - first.1.1 <= within);
    let near: Vec<String> = near.map(|(label, _)| escape::text(label)).collect();
    let (lowest, least) = match near.len() == means.len() {
        true => (near[0].clone(), decimal(first.1.1, 3)),
        false if near.len() == 1 => (near[0].clone(), decimal(first.1.1, 3)),
        false => {
            let greatest = means[near.len() - 1].1.1;
            (near.join("; "), format!("{} to {}", decimal(first.1.1, 3), decimal(greatest, 3)))
        }
    };
    let lead = format!(
        "The loss on held-out text is lowest with {lowest} ({least} nats a token) and highest with {} ({}), {} apart",
        escape::text(last.0),
        decimal(last.1.1, 3),
        decimal(between, 3),
    );
    Some(match (seeds, between > within) {
        (false, _) => format!("{lead}; how much of that another seed would change is not known."),
        (true, true) => {
            format!(
                "{lead}, more than seeds differ within any configuration ({} at most).",
                decimal(within, 3)
            )
        }
        (true, false) => {
            format!("{lead}, no more than seeds differ within a configuration ({}).", decimal(within, 3))
        }
    })
}
