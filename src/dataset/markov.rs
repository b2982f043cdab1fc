//! A Markov chain of its own for every sequence: what comes next can only be counted in the context.

use super::chain::{Categorical, dirichlet, stationary};
use super::sequences::{self, START, Sequences};
use super::{DatasetKind, Source};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::random::{self, Stream};
use crate::spec::{Checking, Default, Key, Kind, Range, Type};
use crate::tokenizer::Tokenizer;
use serde::Deserialize;

/// The dataset's name.
pub const NAME: &str = "markov";

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: NAME,
        doc: "In-context learning of Markov chains (Edelman et al. 2024): every sequence has a transition \
              matrix of its own, P(j|i), whose rows are independent draws from Dirichlet(concentration, …, \
              concentration) over k states; x_1 is drawn from the chain's stationary distribution and \
              x_{t+1} from P(·|x_t). State i is token i + 1. Nothing is to be learned across sequences but \
              to count: the best prediction is (n_ij + concentration) / (n_i + k·concentration), of pairs \
              counted in the context. Needs the tokenizer \"ids\".",
        example: "kind = \"markov\"\nstates = 3",
        keys: &[
            Key {
                name: "states",
                ty: Type::Integer(2, MOST as i64),
                default: Default::Computed("every token but the start token, at most 256"),
                doc: "states of every chain",
            },
            Key {
                name: "concentration",
                // Below it, chains all but stay where they are for a whole sequence.
                ty: Type::Number(Range { min: 0.1, max: 1000.0, min_included: true }),
                default: Default::Value("1.0"),
                doc: "of the rows' Dirichlet distribution: 1 is uniform over rows, less makes them sparse",
            },
            Key {
                name: "first_state",
                ty: Type::Word(&["stationary", "uniform"]),
                default: Default::Value("\"stationary\""),
                doc: "where a sequence starts: as its chain goes on, or in any state alike",
            },
        ],
        traits: &[],
        check,
    },
    source: Source::Sequences(open),
};

/// States at most: finding where to start takes the cube of them, for every sequence.
const MOST: usize = 256;

fn check(cx: &mut Checking<'_>) {
    sequences::only_ids(cx, "a sequence of `markov` repeats no other than by its chain");
    let Some(room) = cx.facts.d_vocab.map(|d_vocab| d_vocab.saturating_sub(1)) else { return };
    cx.default("states", room.min(MOST) as i64);
    if let Some(states) = cx.integer("states").filter(|states| *states as usize > room) {
        let message = format!("{states} states need {} tokens: one is the start token", states + 1);
        let help = format!("use d_vocab = {} or fewer states", states + 1);
        cx.clash("states", message, ("tokenizer.d_vocab", "tokens"), help);
    }
}

#[derive(Debug, Deserialize)]
struct Markov {
    states: usize,
    concentration: f64,
    first_state: String,
}

fn open(plan: &Plan, _: &Tokenizer) -> Result<Box<dyn Sequences>> {
    let markov: Markov = plan.dataset.config().map_err(|e| Error::message(e.to_string()))?;
    Ok(Box::new(markov))
}

impl Markov {
    /// A sequence's own transition probabilities, `[state][next]`.
    fn chain(&self, rng: &mut Stream) -> Vec<Vec<f64>> {
        let parameters = vec![self.concentration; self.states];
        (0..self.states).map(|_| dirichlet(rng, &parameters)).collect()
    }
}

impl Sequences for Markov {
    fn draw(&self, rng: &mut Stream, width: usize) -> Vec<usize> {
        let chain = self.chain(rng);
        let mut state = match self.first_state.as_str() {
            "uniform" => random::below(rng, self.states as u64) as usize,
            _ => Categorical::new(&stationary(&chain)).draw(rng),
        };
        let rows: Vec<Categorical> = chain.iter().map(|row| Categorical::new(row)).collect();
        let mut tokens = Vec::with_capacity(width);
        while tokens.len() < width {
            tokens.push(START + 1 + state);
            state = rows[state].draw(rng);
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markov(states: usize, first_state: &str) -> Markov {
        Markov { states, concentration: 1.0, first_state: first_state.into() }
    }

    #[test]
    fn every_sequence_follows_its_own_chain() {
        let made = markov(4, "stationary");
        let mut chains = Vec::new();
        for i in 0..5 {
            let mut rng = random::stream(0, "test", i);
            let chain = made.chain(&mut rng.clone());
            let tokens = made.draw(&mut rng, 100_000);
            assert!(tokens.iter().all(|token| (1..=4).contains(token)));
            let mut counts = [[0.0; 4]; 4];
            tokens.windows(2).for_each(|pair| counts[pair[0] - 1][pair[1] - 1] += 1.0);
            for (row, probabilities) in counts.iter().zip(&chain) {
                let total: f64 = row.iter().sum();
                for (count, p) in row.iter().zip(probabilities) {
                    // Five standard deviations.
                    let allowed = 5.0 * (p * (1.0 - p) / total).sqrt() + 1e-9;
                    assert!((count / total - p).abs() < allowed, "{counts:?} {chain:?}");
                }
            }
            chains.push(chain);
        }
        assert!(chains.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn a_sequence_starts_where_it_is_told_to() {
        // A stationary start is as likely in a state as that state is later; a uniform one is not.
        for (first_state, fits) in [("stationary", true), ("uniform", false)] {
            let made = markov(2, first_state);
            let mut gap = 0.0;
            for i in 0..4000 {
                let mut rng = random::stream(1, "test", i);
                let expected = stationary(&made.chain(&mut rng.clone()))[0];
                let first = f64::from(u8::from(made.draw(&mut rng, 1) == [1]));
                gap += (first - 0.5) * (expected - 0.5) - (expected - 0.5).powi(2);
            }
            assert_eq!((gap / 4000.0).abs() < 0.01, fits, "{first_state}: {}", gap / 4000.0);
        }
    }
}
