//! What is asked of the runs and what their numbers mean: for a reader who knows what an attention head is, and no
//! more.

use super::Run;
use super::measures::Measure;
use super::page::table;
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
