//! Prefix matching: how much a head attends to what followed earlier occurrences of the current token.

use super::repeated::{self, Repeated, after_occurrences};
use super::{Context, ProbeKind, mean};
use crate::error::Result;
use crate::record::{Cell, Table};
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use serde::Deserialize;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "prefix_matching",
        doc: "Olsson et al. 2022, appendix: 25 distinct random tokens (the most and least common \
              excluded) repeated 4 times after a start token; mean over queries from the second copy \
              on of the attention mass on the positions that follow earlier occurrences of the \
              query's token (erratum of 2022-09-20: follow, not precede), mean over 10 sequences. \
              average = \"entries\" takes the mean of those attention entries instead of their sum. \
              definition = \"diagonal\" (TransformerLens, ARENA): [BOS, s, s], mean attention of the \
              second copy on the one position after the previous occurrence. A share, 0 to 1.",
        example: "probe = \"prefix_matching\"\ntokens = \"passages\"",
        keys: &[
            Key {
                name: "definition",
                ty: Type::Word(&["olsson", "diagonal"]),
                default: Default::Value("\"olsson\""),
                doc: "the published definition",
            },
            repeated::TOKENS,
            Key {
                name: "average",
                ty: Type::Word(&["mass", "entries"]),
                default: Default::Value("\"mass\""),
                doc: "sum the entries of a query, or average them",
            },
            repeated::SEQUENCES,
            repeated::LENGTH,
            Key {
                name: "repeats",
                ty: Type::Integer(2, 1000),
                default: Default::Computed("4 copies of random tokens; 2 of passages, and in the diagonal"),
                doc: "copies",
            },
            repeated::EXCLUDE,
        ],
        traits: &[Trait::NeedsHeads],
        check,
    },
    measure,
    finish: None,
};

fn check(cx: &mut Checking<'_>) {
    let (Some(definition), Some(tokens)) = (cx.text("definition"), cx.text("tokens")) else { return };
    let (diagonal, passages) = (definition == "diagonal", tokens == "passages");
    cx.default("repeats", if diagonal || passages { 2 } else { 4 });
    let Some(repeats) = cx.integer("repeats").map(|repeats| repeats as usize) else { return };
    if diagonal && repeats != 2 {
        cx.error("repeats", "the diagonal is defined on two copies", "leave `repeats` out");
        return;
    }
    repeated::check(cx, if diagonal || passages { 50 } else { 25 }, repeats, 1);
}

#[derive(Debug, Deserialize)]
struct Config {
    definition: String,
    average: String,
    #[serde(flatten)]
    repeated: Repeated,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let config: Config = cx.config()?;
    let sequences = config.repeated.sequences(cx)?;
    let patterns = cx.subject.patterns(&sequences)?;
    let period = config.repeated.sequence_length;
    let score = |of_sequences: &[&[f32]]| match (config.definition.as_str(), config.average.as_str()) {
        ("diagonal", _) => {
            mean(sequences.iter().zip(of_sequences).map(|(s, p)| diagonal(p, s.len(), period)))
        }
        (_, "entries") => {
            mean(sequences.iter().zip(of_sequences).flat_map(|(s, p)| entries(p, s, period, 1)))
        }
        _ => mass(&sequences, of_sequences, period, 1),
    };
    let scores = patterns.heads().map(|(head, p)| (head, score(&p)));
    let mut chance =
        Table::new("chance", &[("step", "steps"), ("tokens", "tokens"), ("score", "share of attention")]);
    let uniform: Vec<Vec<f32>> = sequences.iter().map(|s| uniform_pattern(s.len())).collect();
    let uniform: Vec<&[f32]> = uniform.iter().map(Vec::as_slice).collect();
    chance.push(cx.row([Cell::from(score(&uniform))]));
    Ok(vec![cx.heads_table("share of attention", scores), chance])
}

/// The mean over queries from the second copy on of the attention mass `offset` positions after
/// earlier occurrences of the query's token, mean over sequences. Each pattern is `[query, key]`.
pub fn mass(sequences: &[Vec<usize>], patterns: &[&[f32]], period: usize, offset: usize) -> f64 {
    let of_sequence = |(sequence, pattern): (&Vec<usize>, &&[f32])| {
        let width = sequence.len();
        let of_query = |query: usize| {
            let keys = after_occurrences(sequence, query, offset);
            keys.map(|key| f64::from(pattern[query * width + key])).sum::<f64>()
        };
        mean((1 + period..width).map(of_query))
    };
    mean(sequences.iter().zip(patterns).map(of_sequence))
}

/// Every attention entry that the mass would sum.
fn entries(pattern: &[f32], sequence: &[usize], period: usize, offset: usize) -> Vec<f64> {
    let width = sequence.len();
    let of_query = |query: usize| {
        after_occurrences(sequence, query, offset).map(move |key| f64::from(pattern[query * width + key]))
    };
    (1 + period..width).flat_map(of_query).collect()
}

/// Mean attention from each position of the second copy to the one after its previous occurrence.
fn diagonal(pattern: &[f32], width: usize, period: usize) -> f64 {
    mean((1 + period..width).map(|query| f64::from(pattern[query * width + query - period + 1])))
}

/// What a head that attends everywhere alike would do: the chance level.
fn uniform_pattern(width: usize) -> Vec<f32> {
    let entry = |i: usize| {
        let (query, key) = (i / width, i % width);
        if key <= query { 1.0 / (query + 1) as f32 } else { 0.0 }
    };
    (0..width * width).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, pattern_of};
    use super::*;

    fn score(parameters: &str, pattern: impl Fn(&[usize], usize) -> Vec<usize>) -> f64 {
        let bench = Bench::new(128, 60);
        let tables = bench.measure(&KIND, parameters, &|s: &[usize]| pattern_of(s, &pattern));
        tables[0].numbers("score")[0]
    }

    /// The positions after every earlier occurrence.
    fn textbook(s: &[usize], query: usize) -> Vec<usize> {
        after_occurrences(s, query, 1).collect()
    }

    #[test]
    fn a_textbook_head_scores_one_by_every_definition() {
        for parameters in ["", "definition = \"diagonal\"", "tokens = \"passages\""] {
            assert!((score(parameters, textbook) - 1.0).abs() < 1e-6, "{parameters}");
        }
    }

    #[test]
    fn entries_average_what_mass_sums() {
        // Copies 2, 3, 4 have 1, 2, 3 earlier occurrences: uniform over them, 3 queries' masses of
        // 1 are 6 entries, so the entries average 3/6.
        assert!((score("average = \"entries\"", textbook) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn neighbouring_positions_do_not_count() {
        let shifted = |s: &[usize], q: usize| after_occurrences(s, q, 2).collect();
        let duplicate = |s: &[usize], q: usize| after_occurrences(s, q, 0).collect();
        assert_eq!(score("", shifted), 0.0);
        assert_eq!(score("", duplicate), 0.0);
        assert_eq!(score("", |_, q| vec![q.saturating_sub(1)]), 0.0);
    }

    #[test]
    fn the_chance_level_is_that_of_uniform_attention() {
        let bench = Bench::new(128, 60);
        let everywhere = |_: &[usize], q: usize| (0..=q).collect::<Vec<_>>();
        let tables = bench.measure(&KIND, "", &|s: &[usize]| pattern_of(s, &everywhere));
        let (score, chance) = (tables[0].numbers("score")[0], tables[1].numbers("score")[0]);
        assert!((score - chance).abs() < 1e-6 && chance < 0.05, "{score} {chance}");
    }
}
