//! What is asked of the runs, what their numbers mean, and which evidence decides: for a reader who knows what an
//! attention head is, and no more.

use super::Run;
use super::groups::Group;
use super::measures::Measure;
use super::page::table;
use crate::figures::text::decimal;
use crate::record::{Criterion, Record, Verdict};
use crate::report::escape;

/// The question and the rule, with the thresholds that the runs were judged by.
pub fn question(runs: &[Run]) -> String {
    let mut out = "## The question\n\nAn *induction head* is an attention head that, at a token [A] that was \
                   there before, attends to the token [B] that followed it then, and so predicts it again: \
                   [A][B] … [A] → [B] (Elhage et al. 2021, Olsson et al. 2022). To look for the token before [B] it has \
                   to find, at [B], what came before it: something below the head, or in its keys, has to bring \
                   that there. Heads are called *layer.head*, both from 0.\n"
        .to_string();
    out += &match criteria(runs) {
        Criteria::One(criteria) => {
            let rows = criteria.iter().map(|criterion| {
                let (measure, unit) = (criterion.measure.replace('_', " "), escape::text(&criterion.unit));
                vec![
                    escape::text(&measure),
                    format!("{} {unit}", criterion.threshold),
                    escape::text(&criterion.meaning),
                ]
            });
            format!(
                "\nOne is *found* in a run if a single head reaches all of this at the last checkpoint:\n\n{}\nThe \
                 first is what the head looks at, the last what it does with it, and the removal shows that the \
                 model depends on it: attention may look right and do nothing, and a head that is missed may do \
                 something else.\n",
                table(&["criterion", "at least", "meaning"], rows)
            )
        }
        Criteria::Several => {
            "\nThe runs were not all judged by the same thresholds: each one's report states its own.\n"
                .into()
        }
        Criteria::None => String::new(),
    };
    out + "\n"
}

/// The measures one by one.
pub fn columns(measures: &[&Measure]) -> String {
    let line = |measure: &&Measure| format!("- *{}*: {}.\n", measure.heading, measure.meaning);
    format!("\nWhat the columns say:\n\n{}", measures.iter().map(line).collect::<String>())
}

enum Criteria<'a> {
    None,
    One(&'a [Criterion]),
    Several,
}

/// What the runs were judged by.
fn criteria(runs: &[Run]) -> Criteria<'_> {
    let mut all = runs.iter().filter_map(|run| run.record.verdict.as_ref()).map(|verdict| &verdict.criteria);
    match all.next() {
        None => Criteria::None,
        Some(first) if all.all(|other| other == first) => Criteria::One(first),
        Some(_) => Criteria::Several,
    }
}

/// The least share of attention that counts as prefix matching, if all runs were judged by the same.
pub fn prefix_matching_threshold<'a>(records: impl Iterator<Item = &'a Record>) -> Option<f64> {
    let of = |verdict: &'a Verdict| verdict.criteria.iter().find(|c| c.measure == "prefix_matching");
    let mut all = records.filter_map(|record| of(record.verdict.as_ref()?)).map(|c| c.threshold);
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// How many heads reach each criterion, and how many all of them.
pub fn evidence(groups: &[Group<'_>]) -> String {
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
    let rows = groups.iter().map(|group| {
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
    let said: Vec<String> =
        groups.iter().filter_map(|group| meeting(group).or_else(|| lacking(group))).collect();
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

/// Of a configuration in which heads are missed and none is found: what those heads lack.
fn lacking(group: &Group<'_>) -> Option<String> {
    let judged: Vec<&Verdict> = verdicts([group].into_iter()).collect();
    if judged.is_empty() || judged.iter().any(|verdict| !verdict.induction_heads.is_empty()) {
        return None;
    }
    // Every head's removal and what it looks at, the most missed first.
    let of = |verdict: &Verdict, measure: &str| {
        let criterion = verdict.criteria.iter().find(|c| c.measure == measure)?;
        Some((criterion.held_against(&verdict.heads), criterion.threshold))
    };
    let pairs = judged.iter().filter_map(|verdict| {
        let (removal, (matching, threshold)) = (of(verdict, "ablation")?, of(verdict, "prefix_matching")?);
        let (head, most) =
            removal.0.iter().enumerate().filter(|(_, x)| x.is_finite()).max_by(|a, b| a.1.total_cmp(b.1))?;
        (*most >= removal.1 && matching[head] < threshold).then_some((*most, matching[head], threshold))
    });
    let (most, matching, threshold) = pairs.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!(
        "- {}: the head that is missed most costs {} nats, but puts {} of its attention on what followed before, where \
         {threshold} is asked: the model depends on it for something else, as a model of few heads depends on each.",
        escape::text(&group.label),
        decimal(most, 2),
        decimal(matching, 2),
    ))
}
