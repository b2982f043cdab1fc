//! Which evidence decides: how many heads reach each criterion, and what is said of the heads that matter most.

use super::groups::Group;
use super::page::table;
use super::words;
use crate::figures::text::decimal;
use crate::record::{Criterion, Verdict};
use crate::report::escape;

/// How many heads reach each criterion, and how many all of them.
pub fn section(groups: &[Group<'_>]) -> String {
    let Some(first) = verdicts(groups.iter()).next() else { return String::new() };
    let measures: Vec<&str> = first.criteria.iter().map(|c| c.measure.as_str()).collect();
    let same =
        |verdict: &Verdict| verdict.criteria.iter().map(|c| c.measure.as_str()).eq(measures.iter().copied());
    if measures.is_empty() || !verdicts(groups.iter()).all(same) {
        return String::new();
    }
    let mut header = vec!["configuration".to_string(), "heads, of all runs".into()];
    header.extend(measures.iter().map(|measure| format!("reach {}", measure.replace('_', " "))));
    header.push("all at once".into());
    let judged = groups.iter().filter(|group| verdicts([*group].into_iter()).next().is_some());
    let rows = judged.map(|group| {
        let mut reached = vec![0; measures.len()];
        let (mut heads, mut all) = (0, 0);
        for verdict in verdicts([group].into_iter()) {
            let reach: Vec<Vec<bool>> = verdict.criteria.iter().map(|c| reach(c, verdict)).collect();
            for head in 0..verdict.heads.rows.len() {
                heads += 1;
                reach.iter().zip(&mut reached).for_each(|(of_head, n)| *n += usize::from(of_head[head]));
                all += usize::from(reach.iter().all(|of_head| of_head[head]));
            }
        }
        let numbers = [heads].into_iter().chain(reached).chain([all]);
        [escape::text(&group.label)].into_iter().chain(numbers.map(|n| n.to_string())).collect()
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut out = format!("\n## Which evidence decides\n\n{}", table(&header, rows));
    let mut said: Vec<String> = groups.iter().filter_map(meeting).collect();
    said.extend(lacking(groups));
    if !said.is_empty() {
        out += &format!("\n{}\n", said.join("\n"));
    }
    out
}

fn verdicts<'a>(groups: impl Iterator<Item = &'a Group<'a>>) -> impl Iterator<Item = &'a Verdict> {
    groups
        .flat_map(|group| &group.runs)
        .filter(|run| run.record.is_judged())
        .filter_map(|run| run.record.verdict.as_ref())
}

fn reach(criterion: &Criterion, verdict: &Verdict) -> Vec<bool> {
    let values = criterion.held_against(&verdict.heads);
    values.into_iter().map(|value| value >= criterion.threshold).collect()
}

/// Of a configuration in which a head is found: that it is one head that does it all, in the run in which it is clearest.
fn meeting(group: &Group<'_>) -> Option<String> {
    let heads =
        verdicts([group].into_iter()).filter_map(|verdict| Some((verdict.induction_heads.first()?, verdict)));
    let (head, verdict) = heads.max_by(|a, b| a.0.ablation.total_cmp(&b.0.ablation))?;
    let looks = head.prefix_matching.max(head.prefix_matching_passages.unwrap_or(f64::NAN));
    let others =
        removals(verdict).into_iter().filter(|(other, _)| *other != [head.layer as f64, head.head as f64]);
    let next = others.map(|(_, rise)| rise).fold(f64::NAN, f64::max);
    let beside = match next {
        next if next.is_nan() => String::new(),
        next if next < head.ablation => {
            format!(", more than without any other ({} at most)", decimal(next, 2))
        }
        next => format!(", though another is missed more ({})", decimal(next, 2)),
    };
    let label = escape::text(&group.label);
    let most = if group.runs.len() > 1 { ", in the run in which it is missed most," } else { "" };
    Some(format!(
        "- {label}: head {}.{}{most} puts {} of its attention on what followed before and raises the token it attends \
         to, and without it the second copy of a sequence costs {} nats more{beside}.",
        head.layer,
        head.head,
        decimal(looks, 2),
        decimal(head.ablation, 2),
    ))
}

/// Every head with what its removal costs.
fn removals(verdict: &Verdict) -> Vec<([f64; 2], f64)> {
    let Some(criterion) = verdict.criteria.iter().find(|c| c.measure == "ablation") else {
        return Vec::new();
    };
    let heads = verdict.heads.numbers("layer").into_iter().zip(verdict.heads.numbers("head"));
    let removals = criterion.held_against(&verdict.heads);
    heads.zip(removals).map(|((layer, head), rise)| ([layer, head], rise)).collect()
}

/// Of configurations in which heads are missed and none is found: what those heads lack.
fn lacking(groups: &[Group<'_>]) -> Option<String> {
    let missed: Vec<(&Group<'_>, Missed)> =
        groups.iter().filter_map(|group| Some((group, missed_most(group)?))).collect();
    let labels: Vec<String> = missed.iter().map(|(group, _)| escape::text(&group.label)).collect();
    let (who, one) = match labels.as_slice() {
        [] => return None,
        [label] => (label.clone(), true),
        [_, _] | [_, _, _] => (labels.join("; "), false),
        [..] => {
            (format!("{} configurations in which heads are missed and none is found", labels.len()), false)
        }
    };
    let range = |of: fn(&Missed) -> f64| {
        let (lo, _, hi) = words::spread(&missed.iter().map(|(_, missed)| of(missed)).collect::<Vec<_>>())?;
        let [lo, hi] = [lo, hi].map(|x| decimal(x, 2));
        Some(if lo == hi { lo } else { format!("{lo} to {hi}") })
    };
    let nearest = missed.iter().map(|(_, missed)| missed.nearest).fold(f64::NAN, f64::max);
    Some(format!(
        "- {who}: the head that is missed most{} costs {} nats, but puts {} of its attention on what followed before, and \
         no head more than {}, where {} is asked. On tokens so far from text the removal of any head costs a model of few \
         heads something, whatever it does: alone it shows nothing.",
        if one { "" } else { " in each" },
        range(|missed| missed.removal)?,
        range(|missed| missed.matching)?,
        decimal(nearest, 2),
        missed[0].1.threshold,
    ))
}

/// The head of a configuration that is missed most.
struct Missed {
    removal: f64,
    /// Its prefix matching.
    matching: f64,
    /// The highest prefix matching of any head.
    nearest: f64,
    threshold: f64,
}

/// It, where its removal costs enough to count, and no head is found in any run.
fn missed_most(group: &Group<'_>) -> Option<Missed> {
    let judged: Vec<&Verdict> = verdicts([group].into_iter()).collect();
    if judged.iter().any(|verdict| !verdict.induction_heads.is_empty()) {
        return None;
    }
    let of = |verdict: &Verdict, measure: &str| {
        let criterion = verdict.criteria.iter().find(|c| c.measure == measure)?;
        Some((criterion.held_against(&verdict.heads), criterion.threshold))
    };
    let most = judged.iter().filter_map(|verdict| {
        let ((removals, enough), (matching, threshold)) =
            (of(verdict, "ablation")?, of(verdict, "prefix_matching")?);
        let finite = removals.iter().enumerate().filter(|(_, rise)| rise.is_finite());
        let (head, removal) = finite.max_by(|a, b| a.1.total_cmp(b.1))?;
        let counts = *removal >= enough && matching[head] < threshold;
        let nearest = matching.iter().copied().fold(f64::NAN, f64::max);
        counts.then(|| Missed { removal: *removal, matching: matching[head], nearest, threshold })
    });
    let all: Vec<Missed> = most.collect();
    let nearest = all.iter().map(|missed| missed.nearest).fold(f64::NAN, f64::max);
    let most = all.into_iter().max_by(|a, b| a.removal.total_cmp(&b.removal))?;
    Some(Missed { nearest, ..most })
}
