//! What there is to gain from an induction head: tokens that the last occurrence of the one before predicts.

use super::{Context, ProbeKind, Windows, mean, windows};
use crate::dataset::Bigrams;
use crate::error::Result;
use crate::record::Table;
use crate::spec::Kind;
use crate::spec::check::nothing;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "last_occurrence",
        doc: "What the data offer an induction head, and how much of it a model takes. For every token of \
              held-out windows, the last earlier occurrence of the token before it is looked up in the \
              window: the token that followed there is what an induction head would say. A share of all \
              tokens (0 to 1) is predicted so; the `context` group is predicted so and not by the most \
              frequent pair of the corpus (at most 2^21 training tokens), `both` by both, `other` not so. \
              Beside each share the model's mean loss on the group, nats a token: an induction head shows \
              in `context`. The shares are of the data alone and the same at every checkpoint.",
        example: "probe = \"last_occurrence\"",
        keys: &[windows("64")],
        traits: &[],
        check: nothing,
    },
    measure,
    finish: None,
};

/// How a token can be predicted.
const GROUPS: [&str; 3] = ["context", "both", "other"];

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let Windows { sequences } = cx.config()?;
    let windows = cx.material.validation(sequences);
    let losses = cx.subject.losses(&windows)?;
    let (bigrams, d_vocab) = (cx.material.bigrams(), cx.subject.d_vocab());
    let frequent: Vec<Option<usize>> = (0..d_vocab).map(|token| most_frequent(bigrams, token)).collect();
    let mut by_group: [Vec<f64>; 3] = [const { Vec::new() }; 3];
    let (mut tokens, mut recurring) = (0_usize, 0_usize);
    for (window, losses) in windows.iter().zip(&losses) {
        for ((said, next), loss) in last_occurrences(window).into_iter().zip(&window[1..]).zip(losses) {
            let pair = |token: usize| frequent.get(token).copied().flatten() == Some(*next);
            let group = match said {
                Some((token, said)) if said == *next => usize::from(pair(token)),
                _ => 2,
            };
            by_group[group].push(f64::from(*loss));
            tokens += 1;
            recurring += usize::from(said.is_some());
        }
    }
    let share = |count: usize| count as f64 / tokens as f64;
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("group", ""),
        ("share", "share of tokens"),
        ("loss", "nats"),
    ];
    let mut groups = Table::new("groups", &columns);
    for (name, losses) in GROUPS.into_iter().zip(&by_group) {
        groups.push(cx.row([name.into(), share(losses.len()).into(), mean(losses.iter().copied()).into()]));
    }
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("recurring", "share of tokens"),
        ("predicted", "share of tokens"),
        ("predicted_of_recurring", "share of those"),
    ];
    let mut shares = Table::new("shares", &columns);
    let predicted = by_group[0].len() + by_group[1].len();
    let of_recurring = predicted as f64 / recurring as f64;
    shares.push(cx.row([share(recurring).into(), share(predicted).into(), of_recurring.into()]));
    Ok(vec![groups, shares])
}

/// For every token of a window but the last, as the one before a prediction: itself and what followed its last
/// earlier occurrence, if there was one.
fn last_occurrences(window: &[usize]) -> Vec<Option<(usize, usize)>> {
    let mut last = std::collections::BTreeMap::new();
    let followed = |(i, &token): (usize, &usize)| {
        let earlier: Option<usize> = last.insert(token, i);
        earlier.map(|j| (token, window[j + 1]))
    };
    window[..window.len().saturating_sub(1)].iter().enumerate().map(followed).collect()
}

/// What follows a token most often; of several the first.
fn most_frequent(bigrams: &Bigrams, token: usize) -> Option<usize> {
    let most = bigrams.after(token).iter().map(|(_, count)| *count).max()?;
    bigrams.after(token).iter().find(|(_, count)| *count == most).map(|(next, _)| *next)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    #[test]
    fn the_last_occurrence_speaks_and_not_the_first() {
        let said = last_occurrences(&[1, 5, 1, 7, 1, 7]);
        assert_eq!(said, [None, None, Some((1, 5)), None, Some((1, 7))]);
        // A token twice in a row is followed by itself.
        assert_eq!(last_occurrences(&[4, 4, 4, 2]), [None, Some((4, 4)), Some((4, 4))]);
        assert_eq!(last_occurrences(&[]), []);
    }

    #[test]
    fn the_most_frequent_follower_is_the_first_of_equals() {
        let bigrams = Bigrams::count(5, [vec![1, 3, 1, 2, 1, 2, 1, 3]]);
        assert_eq!(most_frequent(&bigrams, 1), Some(2));
        assert_eq!(most_frequent(&bigrams, 4), None);
    }

    #[test]
    fn shares_are_of_all_tokens_and_sum_to_one() {
        let bench = Bench::new(30, 5);
        let tables = bench.measure(&KIND, "sequences = 40", &|s| vec![0.0; s.len() * s.len()]);
        let [groups, shares] = &tables[..] else { panic!("{tables:?}") };
        assert!((groups.numbers("share").iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let [context, both, _] = groups.numbers("share")[..] else { panic!("{groups:?}") };
        let predicted = shares.numbers("predicted")[0];
        assert!((context + both - predicted).abs() < 1e-12);
        // Random tokens of few: nearly all recur, and one in four or five is what followed before.
        let [recurring, of_recurring] = ["recurring", "predicted_of_recurring"].map(|c| shares.numbers(c)[0]);
        assert!(recurring > 0.8 && (0.1..0.4).contains(&of_recurring), "{recurring} {of_recurring}");
        assert!((recurring * of_recurring - predicted).abs() < 1e-12);
    }
}
