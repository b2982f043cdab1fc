//! Runs that differ only in their seed, together.

use super::Run;
use super::factors::{Factor, factors};
use crate::diff::{self, Difference, Subject};

/// Runs of one configuration.
pub struct Group<'a> {
    /// What tells it from the others, in few words.
    pub label: String,
    /// The same for a figure: where the label says what varies, the values alone.
    pub short: String,
    /// Its runs, one a seed.
    pub runs: Vec<&'a Run>,
}

/// Keys that do not make another configuration: what is measured changes nothing of what is trained.
const SAME: &[&str] = &["name", "description", "seed", "analyses", "report"];

/// The groups, in the order of their first runs, and what they were varied by.
pub fn groups<'a>(title: &str, runs: &'a [Run]) -> (Vec<Group<'a>>, Vec<Factor>) {
    let key = |run: &Run| {
        let mut plan = run.record.plan.clone();
        SAME.iter().for_each(|key| {
            plan.remove(*key);
        });
        // Taken by the blocks already, unless they are added to the stream.
        if let Some(architecture) = plan.get_mut("architecture").and_then(toml::Value::as_table_mut)
            && architecture.get("positions").and_then(toml::Value::as_str) != Some("learned")
        {
            architecture.remove("positions");
        }
        plan
    };
    let mut groups: Vec<Group<'a>> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|group| key(group.runs[0]) == key(run)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { label: String::new(), short: String::new(), runs: vec![run] }),
        }
    }
    let factors = factors(differing(&groups));
    let mut labels = labels(&groups, &factors);
    if let ([_], [label]) = (groups.as_slice(), labels.as_mut_slice())
        && runs.len() > 1
    {
        *label = (title.to_string(), title.to_string());
    }
    groups
        .iter_mut()
        .zip(labels)
        .for_each(|(group, (label, short))| (group.label, group.short) = (label, short));
    (groups, factors)
}

/// What differs between the groups, each by its first run, the seed aside.
fn differing(groups: &[Group<'_>]) -> Vec<Difference> {
    let subject = |group: &Group<'_>| Subject::of_text(&group.label, &group.runs[0].plan);
    let subjects: Vec<Subject> = groups.iter().map(subject).collect();
    let found = diff::compare(&subjects, false);
    let told = |row: &Difference| row.key() != "architecture.positions";
    let rows = found.results.into_iter().chain(found.cosmetic.into_iter().filter(told));
    let same = |row: &Difference| SAME.contains(&row.key().split(['.', '[']).next().unwrap_or_default());
    rows.filter(|row| !same(row)).collect()
}

/// Whether what varies is so little that configurations are called by it.
pub fn by_values(factors: &[Factor]) -> bool {
    let short = |factor: &Factor| {
        let there = 0..factor.telling().values.len();
        there.into_iter().all(|i| factor.value(i).chars().count() <= 32)
    };
    (1..=3).contains(&factors.len()) && factors.iter().all(short)
}

/// The values that differ, where they are few and short; else the names of the runs. Each in full, and for a figure.
fn labels(groups: &[Group<'_>], factors: &[Factor]) -> Vec<(String, String)> {
    let label = |(i, group): (usize, &Group<'_>)| match by_values(factors) {
        false => {
            let name = in_common(&group.runs.iter().map(|run| run.label.as_str()).collect::<Vec<_>>());
            (name.clone(), name)
        }
        true => {
            let join =
                |say: &dyn Fn(&Factor) -> String| factors.iter().map(say).collect::<Vec<_>>().join(", ");
            let alone =
                if factors.len() > 1 { join(&|f| f.value(i).to_string()) } else { join(&|f| f.says(i)) };
            (join(&|f| f.says(i)), alone)
        }
    };
    groups.iter().enumerate().map(label).collect()
}

/// What the names of runs begin with, up to where a part of them ends: `seeds/attn` of `seeds/attn/seed=0` and
/// `seeds/attn/seed=1`.
fn in_common(labels: &[&str]) -> String {
    let first = labels[0];
    let shared = |length: usize| labels.iter().all(|label| label.starts_with(&first[..length]));
    let mut ends = first.match_indices(['/', ',']).map(|(at, _)| at).filter(|at| *at > 0 && shared(*at));
    match ends.next_back() {
        Some(end) if labels.len() > 1 => first[..end].to_string(),
        _ => first.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_configuration_are_called_by_what_their_names_share() {
        assert_eq!(in_common(&["seeds/attn/seed=0", "seeds/attn/seed=1"]), "seeds/attn");
        assert_eq!(in_common(&["lr=1,seed=0", "lr=1,seed=1"]), "lr=1");
        assert_eq!(in_common(&["seed=0", "seed=1"]), "seed=0");
        assert_eq!(in_common(&["a/b"]), "a/b");
    }
}
