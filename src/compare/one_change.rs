//! One change at a time: what the one thing did in which two configurations differ.

use super::factors::{Change, Factor, changes, value};
use super::groups::Group;
use super::measures::Measure;
use super::page::table;
use super::words;
use crate::diff::Difference;
use crate::figures::text::{decimal, shorten};
use crate::report::escape;

/// The section; nothing where fewer than two things were varied, as the other tables tell of one as well.
pub fn section(factors: &[Factor], groups: &[Group<'_>], measures: &[&Measure]) -> String {
    let judged = |i: &usize| groups[*i].runs.iter().all(|run| run.record.is_judged());
    let mut changes = changes(factors, groups.len());
    changes.retain(|change| change.between.iter().all(judged));
    if factors.len() < 2 || changes.is_empty() {
        return String::new();
    }
    let mut out =
        "\n## One change at a time\n\nPairs of configurations that differ in one thing alone, be it one \
                   key or several that change together. What differs between the outcomes of such a pair comes of \
                   that change, all else being as that row says, if it is more than seeds differ. Numbers are means \
                   over seeds.\n\n"
            .to_string();
    for (i, factor) in factors.iter().enumerate() {
        let of_factor: Vec<&Change> = changes.iter().filter(|change| change.factor == i).collect();
        if !of_factor.is_empty() {
            out += &format!("- {}\n", sentence(factor, &of_factor, groups, measures));
        }
    }
    lost(&changes, groups).iter().for_each(|sentence| out += &format!("- {sentence}\n"));
    let header: Vec<&str> = ["change", "all else", "found"]
        .into_iter()
        .chain(measures.iter().map(|measure| measure.heading))
        .collect();
    out += "\n";
    out + &table(&header, changes.iter().map(|change| row(change, factors, groups, measures)))
}

/// Configurations in which a head was found in every run, and in none after any single change that was tried: all of
/// what they have is needed.
fn lost(changes: &[Change], groups: &[Group<'_>]) -> Vec<String> {
    let neighbours = |i: usize| -> Vec<usize> {
        let other = |change: &Change| match change.between {
            [a, b] if a == i => Some(b),
            [a, b] if b == i => Some(a),
            _ => None,
        };
        changes.iter().filter_map(other).collect()
    };
    let sentence = |(i, group): (usize, &Group<'_>)| {
        let neighbours = neighbours(i);
        let always = words::found_in(group) == group.runs.len();
        let never = neighbours.iter().all(|&other| words::found_in(&groups[other]) == 0);
        (always && never && neighbours.len() > 1).then(|| {
            format!(
                "{}: found in every run, and in none after any of the {} single changes from there that were tried. \
                 Within what was trained, it takes all of them together.",
                escape::text(&group.label),
                neighbours.len()
            )
        })
    };
    groups.iter().enumerate().filter_map(sentence).collect()
}

fn row(change: &Change, factors: &[Factor], groups: &[Group<'_>], measures: &[&Measure]) -> Vec<String> {
    let [before, after] = change.between;
    let changed = &factors[change.factor];
    let of_key = |row: &Difference| {
        let [before, after] = [before, after].map(|i| escape::code(&shorten(value(row, i), 60)));
        let name = if changed.rows().len() > 1 { row.key() } else { row.name.clone() };
        format!("{}: {before} → {after}", escape::code(&name))
    };
    let what: Vec<String> = changed.rows().iter().map(of_key).collect();
    let others = factors.iter().enumerate().filter(|(i, _)| *i != change.factor);
    let all_else: Vec<String> = others.map(|(_, other)| escape::text(&other.says(before))).collect();
    let found = |i: usize| format!("{} of {}", words::found_in(&groups[i]), groups[i].runs.len());
    let found = format!("{} → {}", found(before), found(after));
    let numbers = measures.iter().map(|measure| {
        let [before, after] = [before, after].map(|i| measure.cell(mean(&groups[i], measure.of)));
        if before == after { before } else { format!("{before} → {after}") }
    });
    [what.join("; "), all_else.join(", "), found].into_iter().chain(numbers).collect()
}

fn mean(group: &Group<'_>, of: fn(&crate::record::Record) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = group.runs.iter().filter_map(|run| of(&run.record)).collect();
    words::spread(&values).map(|(_, mean, _)| mean)
}

/// What changing one thing did, over all its pairs.
fn sentence(factor: &Factor, changes: &[&Change], groups: &[Group<'_>], measures: &[&Measure]) -> String {
    let share = |i: usize| words::found_in(&groups[i]) as f64 / groups[i].runs.len() as f64;
    let more =
        |sign: f64| changes.iter().filter(move |c| sign * (share(c.between[1]) - share(c.between[0])) > 0.0);
    let (more, less, n) = (more(1.0).count(), more(-1.0).count(), changes.len());
    let found = match (more, less, n) {
        (0, 0, 1) => "a head was found no more and no less often after it".to_string(),
        (1, _, 1) => "a head was found more often after it".into(),
        (_, _, 1) => "a head was found less often after it".into(),
        (0, 0, _) => format!("a head was found no more and no less often after it ({n} pairs)"),
        (more, 0, _) => format!("a head was found more often after it in {more} of {n} pairs"),
        (0, less, _) => format!("a head was found less often after it in {less} of {n} pairs"),
        _ => format!("a head was found more often after it in {more} and less often in {less} of {n} pairs"),
    };
    let change: Vec<String> = factor.rows().iter().map(|row| values(row, changes)).collect();
    let change = change.join(" with ");
    let told = measures.iter().filter(|measure| !measure.told.is_empty());
    let moved: Vec<String> = told.filter_map(|measure| moved(measure, changes, groups)).collect();
    let moved = if moved.is_empty() { String::new() } else { format!("; {}", moved.join(", ")) };
    format!("{change}: {found}{moved}.")
}

/// A key, its first value, and those it changed to.
fn values(row: &Difference, changes: &[&Change]) -> String {
    let from = value(row, changes[0].between[0]);
    let all: std::collections::BTreeSet<&str> =
        changes.iter().flat_map(|change| change.between.map(|i| value(row, i))).collect();
    let said = |value: &str| escape::code(&shorten(value, 60));
    let to: Vec<String> = all.into_iter().filter(|value| *value != from).map(said).collect();
    format!("{} {} → {}", escape::code(&row.key()), said(from), to.join(" or "))
}

/// How far a measure's mean moved, over all pairs.
fn moved(measure: &Measure, changes: &[&Change], groups: &[Group<'_>]) -> Option<String> {
    let of_one_text = |c: &&&Change| words::of_one_text(&c.between.map(|i| &groups[i]));
    if measure.is_loss && !changes.iter().all(|c| of_one_text(&c)) {
        return None;
    }
    let of = |i: usize| mean(&groups[i], measure.of);
    let steps: Vec<f64> =
        changes.iter().filter_map(|c| Some(of(c.between[1])? - of(c.between[0])?)).collect();
    let (lo, mean, hi) = words::spread(&steps)?;
    let [lo, mean, hi] =
        [lo, mean, hi].map(|x| format!("{}{}", if x > 0.0 { "+" } else { "" }, decimal(x, 2)));
    let range = if steps.len() == 1 { String::new() } else { format!(" ({lo} to {hi})") };
    Some(format!("{} moved by {mean}{range}", measure.told))
}
