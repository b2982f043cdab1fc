//! Copying: whether attending to a token raises its own logit.

use super::circuits;
use super::repeated::{self, Repeated};
use super::{Context, ProbeKind};
use crate::error::{Error, Result};
use crate::record::Table;
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use nalgebra::DMatrix;
use serde::Deserialize;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 2,
    kind: Kind {
        name: "copying",
        doc: "Olsson et al. 2022, appendix: 25 distinct random tokens (the most and least common \
              excluded), no start token. A head's result goes straight through the final norm's gain \
              and centring and the unembedding to logits, of which the mean over the vocabulary is \
              subtracted and what is negative dropped: the raise. \"The ratio of the amount it raises \
              the logits of the token being attended to, to that of all tokens in this sample\" is \
              taken as a / (a + the sum over the sample's tokens), which alone has the published \
              range, 0 (only others are raised) to 0.5 (only the attended token is); it is rescaled \
              to -1 to 1, so that 0 is a third of the raise. The result is a sum of what each \
              attended token gives to it: by default the ratio is of each such part, weighted by its \
              attention, and says what the OV circuit does, however spread the attention is. \
              result = \"whole\" takes the ratio of the whole result, with the attention-weighted mean \
              of the attended tokens' raises for a. Mean over queries and 10 sequences. The table \
              `chance` holds the same score of what the sample's other tokens get on average: a copying \
              head is one whose score is above it.",
        example: "probe = \"copying\"",
        keys: &[
            Key {
                name: "result",
                ty: Type::Word(&["parts", "whole"]),
                default: Default::Value("\"parts\""),
                doc: "the ratio of what each attended token gives to the result, or of the whole",
            },
            repeated::TOKENS,
            repeated::SEQUENCES,
            repeated::LENGTH,
            repeated::EXCLUDE,
        ],
        traits: &[Trait::NeedsHeads],
        check,
    },
    measure,
    finish: None,
};

fn check(cx: &mut Checking<'_>) {
    repeated::check(cx, 25, 1, 0);
}

#[derive(Debug, Deserialize)]
struct Config {
    result: String,
    #[serde(flatten)]
    repeated: Repeated,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let config: Config = cx.config()?;
    let repeated = Repeated { repeats: 1, ..config.repeated };
    let with_start = repeated.sequences(cx)?;
    let sequences: Vec<Vec<usize>> = with_start.iter().map(|s| s[1..].to_vec()).collect();
    let patterns = cx.subject.patterns(&sequences)?;
    let values = cx.subject.values(&sequences)?;
    let missing = || Error::message("the model has no unembedding");
    let w_u = circuits::unembedding(cx.subject).ok_or_else(missing)?.cast::<f64>();
    let mean_logit = w_u.column_mean();
    // Of every sequence: its distinct tokens, and their columns of W_U less the mean.
    let samples: Vec<(Vec<usize>, DMatrix<f64>)> = sequences
        .iter()
        .map(|sequence| {
            let mut tokens = sequence.clone();
            tokens.sort_unstable();
            tokens.dedup();
            let mut columns = w_u.select_columns(&tokens);
            columns.column_iter_mut().for_each(|mut column| column -= &mean_logit);
            (tokens, columns)
        })
        .collect();
    let (mut scores, mut chances) = (Vec::new(), Vec::new());
    for head in circuits::heads(cx.subject) {
        let place = (head.layer, head.head);
        let Some((_, of_head)) = patterns.heads().find(|(at, _)| *at == place) else { continue };
        let mut ratios = Ratios::default();
        for (i, (sequence, (tokens, columns))) in sequences.iter().zip(&samples).enumerate() {
            let width = sequence.len();
            let rows: Vec<f64> = values.of(place, i).concat().into_iter().map(f64::from).collect();
            let values = DMatrix::from_row_slice(width, head.w_o.nrows(), &rows);
            let pattern = DMatrix::from_row_iterator(width, width, of_head[i].iter().map(|&x| f64::from(x)));
            // What each key gives to the logits of the sample's tokens, [key, token].
            let parts = values * (&head.w_o * columns);
            let attended: Vec<usize> =
                sequence.iter().map(|token| tokens.binary_search(token).unwrap_or_default()).collect();
            match config.result.as_str() {
                "whole" => ratios.of_results(&pattern, &(&pattern * parts), &attended),
                _ => ratios.of_parts(&pattern, &parts, &attended),
            }
        }
        scores.push((place, ratios.score(|ratio| ratio.attended)));
        chances.push((place, ratios.score(|ratio| ratio.other)));
    }
    let chance = Table { name: "chance".into(), ..cx.heads_table(UNIT, chances) };
    Ok(vec![cx.heads_table(UNIT, scores), chance])
}

const UNIT: &str = "from −1 to 1";

/// The ratios of one result or a part of it, 0…0.5.
struct Ratio {
    weight: f64,
    /// Of the attended token.
    attended: f64,
    /// Of what the sample's other tokens get on average.
    other: f64,
}

/// Ratios with their weights.
#[derive(Default)]
struct Ratios(Vec<Ratio>);

impl Ratios {
    /// Logits `[key, token]` of each key's part of the result; `attended` is each key's token.
    fn of_parts(&mut self, pattern: &DMatrix<f64>, parts: &DMatrix<f64>, attended: &[usize]) {
        for (key, &token) in attended.iter().enumerate() {
            let weight = pattern.column(key).sum();
            self.push(weight, parts[(key, token)].max(0.0), raised(parts, key), parts.ncols());
        }
    }

    /// Logits `[query, token]` of the whole result.
    fn of_results(&mut self, pattern: &DMatrix<f64>, results: &DMatrix<f64>, attended: &[usize]) {
        for query in 0..results.nrows() {
            let raise =
                |(key, &token): (usize, &usize)| pattern[(query, key)] * results[(query, token)].max(0.0);
            let of_attended = attended.iter().enumerate().map(raise).sum();
            self.push(1.0, of_attended, raised(results, query), results.ncols());
        }
    }

    /// Where nothing is raised there is no ratio.
    fn push(&mut self, weight: f64, of_attended: f64, of_all: f64, tokens: usize) {
        if of_all != 0.0 {
            let ratio = |raise: f64| raise / (raise + of_all);
            let of_other = (of_all - of_attended) / (tokens - 1).max(1) as f64;
            self.0.push(Ratio { weight, attended: ratio(of_attended), other: ratio(of_other) });
        }
    }

    /// The weighted mean, from 0…0.5 to -1…1.
    fn score(&self, which: fn(&Ratio) -> f64) -> f64 {
        let weight: f64 = self.0.iter().map(|ratio| ratio.weight).sum();
        4.0 * self.0.iter().map(|ratio| ratio.weight * which(ratio)).sum::<f64>() / weight - 1.0
    }
}

/// The sum of a row's positive logits; `NaN` if one is no number, which `max` would hide.
fn raised(logits: &DMatrix<f64>, row: usize) -> f64 {
    let positive = |x: &f64| if x.is_nan() { f64::NAN } else { x.max(0.0) };
    logits.row(row).iter().map(positive).sum()
}

#[cfg(test)]
mod tests {
    use super::super::mean;
    use super::*;

    /// Two keys, tokens 0 and 1; the second query attends to both alike.
    fn score(parts: [f64; 4], whole: bool) -> f64 {
        let pattern = DMatrix::from_row_slice(2, 2, &[1.0, 0.0, 0.5, 0.5]);
        let parts = DMatrix::from_row_slice(2, 2, &parts);
        let mut ratios = Ratios::default();
        match whole {
            true => ratios.of_results(&pattern, &(&pattern * parts), &[0, 1]),
            false => ratios.of_parts(&pattern, &parts, &[0, 1]),
        }
        ratios.score(|ratio| ratio.attended)
    }

    #[test]
    fn chance_is_what_the_others_get() {
        // Raises of three tokens by one key, of which the first is attended to: 6, 2 and 4.
        let mut ratios = Ratios::default();
        let parts = DMatrix::from_row_slice(1, 3, &[6.0, 2.0, 4.0]);
        ratios.of_parts(&DMatrix::from_element(1, 1, 1.0), &parts, &[0]);
        assert!((ratios.score(|ratio| ratio.attended) - (4.0 * 6.0 / 18.0 - 1.0)).abs() < 1e-12);
        assert!((ratios.score(|ratio| ratio.other) - (4.0 * 3.0 / 15.0 - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn the_range_is_from_only_others_to_only_the_attended() {
        assert_eq!(score([2.0, -1.0, -1.0, 5.0], false), 1.0);
        assert_eq!(score([-2.0, 1.0, 1.0, -5.0], false), -1.0);
        // A third of the raise is the middle.
        assert!(score([1.0, 2.0, 2.0, 1.0], false).abs() < 1e-12);
    }

    #[test]
    fn spread_attention_costs_only_the_whole_result() {
        // Query 0 raises its token alone: ratio 1/2. Query 1 raises both by 1/2: a = 1/2, ratio 1/3.
        let expected = 4.0 * mean([1.0 / 2.0, 1.0 / 3.0]) - 1.0;
        assert!((score([1.0, 0.0, 0.0, 1.0], true) - expected).abs() < 1e-12);
        assert_eq!(score([1.0, 0.0, 0.0, 1.0], false), 1.0);
    }

    #[test]
    fn nothing_raised_is_nothing_measured() {
        assert!(score([-1.0; 4], false).is_nan());
        assert!(score([f64::NAN, 1.0, 1.0, 1.0], false).is_nan());
    }
}
