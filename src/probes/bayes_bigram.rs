//! How far a model is from the best there is on Markov chains: counting pairs in the context.

use super::{Context, ProbeKind, mean};
use crate::dataset::MARKOV;
use crate::error::{Error, Result};
use crate::record::Table;
use crate::spec::{Checking, Default, Key, Kind, Range, Type};
use serde::Deserialize;
use toml::Value;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "bayes_bigram",
        doc: "KL(Bayes ‖ model) on fresh sequences of the dataset `markov`, mean over positions, nats a \
              token, 0 or more; Bayes is p(j|i) = (n_ij + α) / (n_i + kα) after state i, from the pairs \
              counted in the context so far, k states and the dataset's concentration α (Edelman et al. \
              2024, section 2; the first state's own evidence on the chain is left aside, so that it is \
              exact with first_state = \"uniform\"). For reference the same distance of two predictors \
              that know less: p(j) = 1/k, and the tokens counted in the context, \
              p(j) = (n_j + α) / (n + kα). Models start at the first, or above it by what they give the \
              start token, stay a while at the second, and fall towards 0 where induction heads form. \
              Also by position: tokens read so far, from 1.",
        example: "probe = \"bayes_bigram\"",
        keys: &[
            Key {
                name: "sequences",
                ty: Type::Integer(1, 10_000),
                default: Default::Value("64"),
                doc: "fresh sequences averaged over",
            },
            Key {
                name: "states",
                ty: Type::Integer(2, 1 << 20),
                default: Default::Computed("the dataset's"),
                doc: "states of a chain, k",
            },
            Key {
                name: "concentration",
                ty: Type::Number(Range::POSITIVE),
                default: Default::Computed("the dataset's"),
                doc: "pseudo-count of every pair, α",
            },
        ],
        traits: &[],
        check,
    },
    measure,
    finish: None,
};

fn check(cx: &mut Checking<'_>) {
    let facts = cx.facts;
    let Some(dataset) = &facts.dataset else { return };
    let kind = dataset.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind != MARKOV {
        let message = format!(
            "`bayes_bigram` needs sequences that each have a Markov chain of their own, and `{kind}` has none"
        );
        let help = "leave the probe out, or use the dataset \"markov\"";
        cx.clash("probe", message, ("dataset.kind", "this dataset"), help);
        return;
    }
    for key in ["states", "concentration"] {
        let Some(theirs) = dataset.get(key) else { continue };
        cx.default(key, theirs.clone());
        if let Some(own) = cx.config.get(key).filter(|own| *own != theirs) {
            let message =
                format!("with `{key}` = {own} this is not the best prediction: the dataset's is {theirs}");
            let other = format!("dataset.{key}");
            cx.clash(key, message, (&other, "the dataset's"), "leave it out");
        }
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    sequences: usize,
    states: usize,
    concentration: f64,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let config: Config = cx.config()?;
    let (n_ctx, d_vocab) = (cx.subject.n_ctx(), cx.subject.d_vocab());
    // [position][sequence][model, unigram, uniform]
    let mut distances: Vec<Vec<[f64; 3]>> = vec![Vec::new(); n_ctx];
    for mut window in cx.material.validation(config.sequences) {
        window.truncate(n_ctx);
        let counted = counted(&window, config.states, config.concentration)?;
        let log_probs = cx.subject.log_probs(&window)?;
        for (at, ([bayes, unigram], model)) in counted.iter().zip(log_probs.chunks_exact(d_vocab)).enumerate()
        {
            let model = model.iter().skip(1).map(|log_prob| f64::from(*log_prob));
            let uniform = -(config.states as f64).ln();
            distances[at].push([
                divergence(bayes, model),
                divergence(bayes, unigram.iter().map(|p| p.ln())),
                divergence(bayes, std::iter::repeat(uniform)),
            ]);
        }
    }
    let means = |all: &[[f64; 3]]| [0, 1, 2].map(|i| mean(all.iter().map(|d| d[i])));
    let place = [("step", "steps"), ("tokens", "tokens")];
    let columns = [("model", "nats"), ("unigram", "nats"), ("uniform", "nats")];
    let mut scores = Table::new("scores", &[&place[..], &columns].concat());
    scores.push(cx.row(means(&distances.concat()).map(Into::into)));
    let mut positions = Table::new("positions", &[&place[..], &[("position", "")], &columns].concat());
    for (at, of_position) in distances.iter().enumerate() {
        let [model, unigram, uniform] = means(of_position).map(Into::into);
        positions.push(cx.row([(at + 1).into(), model, unigram, uniform]));
    }
    Ok(vec![scores, positions])
}

/// What counting pairs and counting tokens predict after every token of a sequence,
/// `[position][pairs, tokens][state]`.
fn counted(tokens: &[usize], states: usize, alpha: f64) -> Result<Vec<[Vec<f64>; 2]>> {
    let mut pairs = vec![vec![alpha; states]; states];
    let mut singles = vec![alpha; states];
    let mut last: Option<usize> = None;
    let mut predictions = Vec::with_capacity(tokens.len());
    for &token in tokens {
        // Token 0 is the start token.
        let state = token.checked_sub(1).filter(|state| *state < states);
        let state =
            state.ok_or_else(|| Error::message(format!("token {token} is none of {states} states")))?;
        if let Some(last) = last.replace(state) {
            pairs[last][state] += 1.0;
        }
        singles[state] += 1.0;
        predictions.push([&pairs[state], &singles].map(|counts| {
            let total: f64 = counts.iter().sum();
            counts.iter().map(|count| count / total).collect()
        }));
    }
    Ok(predictions)
}

/// Σ p (ln p − ln q), given ln q.
fn divergence(p: &[f64], log_q: impl Iterator<Item = f64>) -> f64 {
    p.iter().zip(log_q).map(|(p, log_q)| p * (p.ln() - log_q)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    const PARAMETERS: &str = "sequences = 5\nstates = 4\nconcentration = 0.5";

    #[test]
    fn counts_are_as_by_hand() {
        let found = counted(&[1, 2, 1, 2, 3], 3, 1.0).unwrap();
        let thirds = vec![1.0 / 3.0; 3];
        assert_eq!(found[0], [thirds.clone(), vec![0.5, 0.25, 0.25]], "nothing is known of state 1 yet");
        assert_eq!(found[1], [thirds.clone(), vec![0.4, 0.4, 0.2]]);
        assert_eq!(found[2][0], [0.25, 0.5, 0.25], "1 was followed by 2, once");
        assert_eq!(found[3][0], [0.5, 0.25, 0.25], "2 was followed by 1, once");
        assert_eq!(found[4], [thirds, vec![3.0 / 8.0, 3.0 / 8.0, 2.0 / 8.0]]);
        let sparse = counted(&[2, 2, 2], 2, 0.5).unwrap();
        assert_eq!(sparse[2], [vec![0.5 / 3.0, 2.5 / 3.0], vec![0.5 / 4.0, 3.5 / 4.0]]);
    }

    #[test]
    fn a_token_that_is_no_state_is_told() {
        for tokens in [[1, 0], [1, 4]] {
            let said = counted(&tokens, 3, 1.0).unwrap_err().to_string();
            assert!(said.contains(&format!("token {}", tokens[1])), "{said}");
        }
    }

    /// What a stand-in for a model says that predicts one of both.
    fn predicting(which: usize) -> impl Fn(&[usize]) -> Vec<f32> {
        move |tokens| {
            let row = |p: &[Vec<f64>; 2]| {
                let logs = p[which].iter().map(|p| p.ln() as f32);
                std::iter::once(f32::NEG_INFINITY).chain(logs).collect::<Vec<_>>()
            };
            counted(tokens, 4, 0.5).unwrap().iter().flat_map(row).collect()
        }
    }

    #[test]
    fn a_model_that_counts_pairs_is_at_no_distance() {
        let bench = Bench::new(12, 5);
        let scores = &bench.measure_predicting(&KIND, PARAMETERS, &predicting(0))[0];
        assert!(scores.numbers("model")[0].abs() < 1e-6);
        assert!(scores.numbers("unigram")[0] > 0.02 && scores.numbers("uniform")[0] > 0.02);
    }

    #[test]
    fn a_model_that_counts_tokens_is_where_they_are_marked() {
        let bench = Bench::new(12, 5);
        for table in bench.measure_predicting(&KIND, PARAMETERS, &predicting(1)) {
            let both = table.numbers("model").into_iter().zip(table.numbers("unigram")).collect::<Vec<_>>();
            assert!(both.iter().all(|(model, unigram)| (model - unigram).abs() < 1e-6), "{both:?}");
        }
    }

    #[test]
    fn what_a_model_gives_the_start_token_is_lost() {
        // The bench's model predicts all five tokens alike, and only four are states.
        let bench = Bench::new(12, 5);
        let tables = bench.measure(&KIND, PARAMETERS, &|s| vec![0.0; s.len() * s.len()]);
        assert_eq!(tables[1].rows.len(), 12);
        for table in tables {
            let lost = table.numbers("model").into_iter().zip(table.numbers("uniform")).map(|(m, u)| m - u);
            assert!(lost.into_iter().all(|lost| (lost - 1.25f64.ln()).abs() < 1e-6));
        }
    }
}
