//! A bigram language in which some tokens are followed by what the sequence alone decides.

use super::chain::{Categorical, dirichlet};
use super::sequences::{self, START, Sequences};
use super::{DatasetKind, Source};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::random::{self, Stream};
use crate::spec::{Checking, Default, Key, Kind, Range, Type};
use crate::tokenizer::Tokenizer;
use serde::Deserialize;

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "bigram_triggers",
        doc: "Bietti et al. 2023, section 3: K trigger tokens q_k, and for each sequence an output token \
              o_k of each, drawn from π_o. z_1 is drawn from π_u; after z_t = q_k comes o_k, after any \
              other token a draw from π_b(·|z_t). What follows a trigger the first time cannot be known, \
              from then on it can be copied; everything else is bigrams, the same in all sequences. An \
              output may be a trigger. There, π_u and π_b are those of the characters of Tiny Shakespeare; \
              here they are made from the seed: π_u(r) ∝ 1/r (Zipf), token r being the r-th most frequent, \
              and rows π_b(·|i) drawn from Dirichlet(concentration·N·π_u) over the N tokens but the start \
              token, whose mean is π_u. Needs the tokenizer \"ids\".",
        example: "kind = \"bigram_triggers\"\ntriggers = 5\ntrigger_tokens = \"random\"",
        keys: &[
            Key {
                name: "triggers",
                ty: Type::Integer(1, 1024),
                default: Default::Value("5"),
                doc: "trigger tokens of a sequence, K",
            },
            Key {
                name: "trigger_tokens",
                ty: Type::Word(&["frequent", "random"]),
                default: Default::Value("\"frequent\""),
                doc: "the K most frequent ones in every sequence, or for each K of its own from π_u",
            },
            Key {
                name: "outputs",
                ty: Type::Word(&["uniform", "bigram"]),
                default: Default::Value("\"uniform\""),
                doc: "π_o: uniform over all tokens, or π_b(·|q_k)",
            },
            Key {
                name: "concentration",
                ty: Type::Number(Range { min: 0.001, max: 1000.0, min_included: true }),
                default: Default::Value("0.2"),
                doc: "of the bigrams: the less, the fewer tokens follow each; 0.2 is about as English letters",
            },
        ],
        traits: &[],
        check,
    },
    source: Source::Sequences(open),
};

/// The largest vocabulary: there is a probability for every pair of tokens.
const MOST: usize = 4096;
/// Tokens in which frequencies are counted.
const COUNTED: usize = 1 << 18;

fn check(cx: &mut Checking<'_>) {
    sequences::only_ids(cx, "the sequences of `bigram_triggers` repeat what their triggers make them repeat");
    let Some(d_vocab) = cx.facts.d_vocab else { return };
    let vocabulary = ("tokenizer.d_vocab", "tokens");
    if d_vocab > MOST {
        let message = format!("`bigram_triggers` has a probability for every pair of {d_vocab} tokens");
        cx.clash("kind", message, vocabulary, format!("use a d_vocab of at most {MOST}"));
    }
    let room = (d_vocab.saturating_sub(1) / 2).max(1);
    if let Some(triggers) = cx.integer("triggers").filter(|triggers| *triggers as usize > room) {
        let message = format!("{triggers} triggers are more than half of a vocabulary of {d_vocab}");
        cx.clash("triggers", message, vocabulary, format!("use at most {room}, or a larger d_vocab"));
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    triggers: usize,
    trigger_tokens: String,
    outputs: String,
    concentration: f64,
}

/// Tokens are numbered from 0 here; the start token is none of them.
#[derive(Debug)]
struct BigramTriggers {
    config: Config,
    /// π_u
    unigram: Categorical,
    /// π_b, of each token.
    bigram: Vec<Categorical>,
}

fn open(plan: &Plan, _: &Tokenizer) -> Result<Box<dyn Sequences>> {
    let config = plan.dataset.config().map_err(|e| Error::message(e.to_string()))?;
    let mut rng = random::stream(plan.seed, "bigram_triggers", 0);
    Ok(Box::new(BigramTriggers::new(config, plan.d_vocab().saturating_sub(1), &mut rng)))
}

/// π_u over so many tokens.
fn zipf(tokens: usize) -> Vec<f64> {
    let sum: f64 = (1..=tokens).map(|rank| 1.0 / rank as f64).sum();
    (1..=tokens).map(|rank| 1.0 / (rank as f64 * sum)).collect()
}

/// π_b of every token, `[token][next]`.
fn rows(tokens: usize, concentration: f64, rng: &mut Stream) -> Vec<Vec<f64>> {
    let parameters: Vec<f64> = zipf(tokens).iter().map(|p| concentration * tokens as f64 * p).collect();
    (0..tokens).map(|_| dirichlet(rng, &parameters)).collect()
}

impl BigramTriggers {
    fn new(config: Config, tokens: usize, rng: &mut Stream) -> Self {
        let rows = rows(tokens, config.concentration, rng);
        let bigram = rows.iter().map(|row| Categorical::new(row)).collect();
        BigramTriggers { config, unigram: Categorical::new(&zipf(tokens)), bigram }
    }

    /// What follows each token in a sequence where it is a trigger, `[token]`.
    fn outputs(&self, rng: &mut Stream) -> Vec<Option<usize>> {
        let mut outputs = vec![None; self.bigram.len()];
        for k in 0..self.config.triggers.min(outputs.len()) {
            let mut trigger = k;
            if self.config.trigger_tokens == "random" {
                trigger = self.unigram.draw(rng);
                while outputs[trigger].is_some() {
                    trigger = self.unigram.draw(rng);
                }
            }
            outputs[trigger] = Some(match self.config.outputs.as_str() {
                "bigram" => self.bigram[trigger].draw(rng),
                _ => random::below(rng, self.bigram.len() as u64) as usize,
            });
        }
        outputs
    }
}

impl Sequences for BigramTriggers {
    fn draw(&self, rng: &mut Stream, width: usize) -> Vec<usize> {
        let outputs = self.outputs(rng);
        let mut token = self.unigram.draw(rng);
        let mut tokens = Vec::with_capacity(width);
        while tokens.len() < width {
            tokens.push(START + 1 + token);
            token = outputs[token].unwrap_or_else(|| self.bigram[token].draw(rng));
        }
        tokens
    }

    /// Counted: triggers make their outputs more frequent than bigrams would.
    fn frequencies(&self, plan: &Plan) -> Vec<u64> {
        let mut counts = vec![0; plan.d_vocab()];
        let sample = sequences::sample(self, plan, "frequencies", COUNTED);
        sample.into_iter().flatten().for_each(|token| counts[token] += 1);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const TOKENS: usize = 30;

    fn made(trigger_tokens: &str, outputs: &str) -> BigramTriggers {
        let (trigger_tokens, outputs) = (trigger_tokens.into(), outputs.into());
        let config = Config { triggers: 4, trigger_tokens, outputs, concentration: 0.2 };
        BigramTriggers::new(config, TOKENS, &mut random::stream(0, "chain", 0))
    }

    #[test]
    fn a_trigger_is_always_followed_by_its_output() {
        for trigger_tokens in ["frequent", "random"] {
            let made = made(trigger_tokens, "uniform");
            let (mut all, mut followed) = (BTreeMap::new(), 0);
            for i in 0..200 {
                let mut rng = random::stream(0, "test", i);
                let outputs = made.outputs(&mut rng.clone());
                assert_eq!(outputs.iter().flatten().count(), 4);
                let frequent = outputs[..4].iter().all(Option::is_some);
                assert!(trigger_tokens == "random" || frequent);
                for pair in made.draw(&mut rng, 65).windows(2) {
                    if let Some(output) = outputs[pair[0] - 1] {
                        assert_eq!(pair[1] - 1, output);
                        followed += 1;
                    }
                }
                let triggers = outputs.iter().enumerate().filter_map(|(t, output)| output.map(|_| t));
                triggers.for_each(|trigger| *all.entry(trigger).or_insert(0) += 1);
            }
            assert!(followed > 1000, "{followed}");
            // The same four in all sequences, or any, frequent ones more often.
            assert_eq!(all.len() == 4, trigger_tokens == "frequent", "{all:?}");
            assert!(all[&0] > 100, "{all:?}");
        }
    }

    #[test]
    fn other_tokens_are_followed_as_in_the_chain() {
        let made = made("frequent", "uniform");
        let chain = rows(TOKENS, 0.2, &mut random::stream(0, "chain", 0));
        let mut counts = vec![vec![0.0; TOKENS]; TOKENS];
        for i in 0..4000 {
            let tokens = made.draw(&mut random::stream(0, "test", i), 65);
            tokens.windows(2).for_each(|pair| counts[pair[0] - 1][pair[1] - 1] += 1.0);
        }
        for (token, (row, probabilities)) in counts.iter().zip(&chain).enumerate().skip(4) {
            let total: f64 = row.iter().sum();
            let apart: f64 = row.iter().zip(probabilities).map(|(n, p)| (n / total - p).abs()).sum();
            assert!(total > 500.0 && apart < 0.15, "token {token}: {apart} of {total}");
        }
        // After the triggers comes anything, whatever the chain says.
        for row in &counts[..4] {
            assert!(row.iter().all(|n| *n > 0.0), "{row:?}");
        }
    }

    #[test]
    fn outputs_can_follow_the_bigrams() {
        let made = made("frequent", "bigram");
        let chain = rows(TOKENS, 0.2, &mut random::stream(0, "chain", 0));
        let mut counts = [0.0; TOKENS];
        for i in 0..4000 {
            let output = made.outputs(&mut random::stream(0, "test", i))[1];
            counts[output.unwrap()] += 1.0 / 4000.0;
        }
        let apart: f64 = counts.iter().zip(&chain[1]).map(|(n, p)| (n - p).abs()).sum();
        assert!(apart < 0.1, "{apart}");
    }
}
