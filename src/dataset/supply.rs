//! Where windows come from: a store of tokenised text, sequences made on the spot, or a mixture.

use super::Stored;
use super::copies::Copies;
use super::sequences::{self, Sequences, tiled};
use super::windows::Windows;
use crate::plan::Plan;
use crate::random::{self, Stream};
use crate::tokenizer::Tokenizer;
use std::path::{Path, PathBuf};

/// A source of windows.
#[derive(Debug)]
pub enum Supply {
    /// Token ids on disk.
    Stored(Box<Stored>),
    /// Sequences made on the spot.
    Sequences(Box<dyn Sequences>),
    /// Several, each with its share of the sequences; the shares sum to one.
    Mixture(Vec<(f64, Supply)>),
}

/// What windows are cut by.
pub struct Cut<'a> {
    pub plan: &'a Plan,
    pub tokenizer: &'a Tokenizer,
}

impl Cut<'_> {
    /// Tokens of a window: one more than positions.
    fn width(&self) -> usize {
        self.plan.architecture.n_ctx + 1
    }
}

impl Supply {
    /// One training window.
    pub fn training(&self, cut: &Cut<'_>, rng: &mut Stream) -> Vec<usize> {
        match self {
            Supply::Stored(stored) => repeating(&stored.windows, cut, rng),
            Supply::Sequences(made) => made.draw(rng, cut.width()),
            Supply::Mixture(parts) => {
                let mut draw = random::unit(rng);
                let chosen = parts.iter().find(|(share, _)| {
                    draw -= share;
                    draw < 0.0
                });
                // Rounding may leave a draw beyond the last share.
                let chosen = chosen.or(parts.last());
                chosen.map_or_else(Vec::new, |(_, part)| part.training(cut, rng))
            }
        }
    }

    /// Held-out windows, evenly spread; fewer where there is less text.
    pub fn validation(&self, cut: &Cut<'_>, count: usize) -> Vec<Vec<usize>> {
        match self {
            Supply::Stored(stored) => stored.windows.validation(count, cut.width()),
            Supply::Sequences(made) => {
                let mut rng = random::stream(cut.plan.seed, "validation", 0);
                (0..count).map(|_| made.draw(&mut rng, cut.width())).collect()
            }
            Supply::Mixture(parts) => {
                let of_part = |(part, count): (&Supply, usize)| part.validation(cut, count);
                divided(parts, count).flat_map(of_part).collect()
            }
        }
    }

    /// Held-out passages without a start token inside; none where there is no text.
    pub fn passages(&self, cut: &Cut<'_>, rng: &mut Stream, count: usize, length: usize) -> Vec<Vec<usize>> {
        match self {
            Supply::Stored(stored) => stored.windows.passages(rng, count, length, cut.tokenizer.start()),
            Supply::Sequences(_) => Vec::new(),
            Supply::Mixture(parts) => {
                // Among the parts that have any.
                let text: Vec<(f64, &Supply)> =
                    parts.iter().filter(|(_, part)| part.has_text()).map(|(s, part)| (*s, part)).collect();
                let of_part = |(part, count): (&&Supply, usize)| part.passages(cut, rng, count, length);
                divided(&text, count).flat_map(of_part).collect()
            }
        }
    }

    /// At most so many tokens of the training part, evenly spread.
    pub fn stretches(&self, cut: &Cut<'_>, tokens: usize) -> Vec<Vec<usize>> {
        match self {
            Supply::Stored(stored) => stored.windows.stretches(tokens),
            Supply::Sequences(made) => sequences::sample(&**made, cut.plan, "bigrams", tokens),
            Supply::Mixture(parts) => {
                let of_part = |(part, tokens): (&Supply, usize)| part.stretches(cut, tokens);
                divided(parts, tokens).flat_map(of_part).collect()
            }
        }
    }

    /// How often each token occurs in training, up to a factor, `[d_vocab]`.
    pub fn frequencies(&self, plan: &Plan) -> Vec<u64> {
        match self {
            Supply::Stored(stored) => stored.frequencies.clone(),
            Supply::Sequences(made) => made.frequencies(plan),
            Supply::Mixture(parts) => {
                let mut mixed = vec![0; plan.d_vocab()];
                for (share, part) in parts {
                    let counts = part.frequencies(plan);
                    let sum = counts.iter().sum::<u64>().max(1) as f64;
                    // Of 2³² tokens, so that even a rare one of a small part still counts.
                    let scaled =
                        counts.iter().map(|&n| (share * n as f64 / sum * 2f64.powi(32)).ceil() as u64);
                    mixed.iter_mut().zip(scaled).for_each(|(mixed, n)| *mixed += n);
                }
                mixed
            }
        }
    }

    /// How much of each text is there more than once.
    pub fn copies(&self, window: usize, bytes_per_token: f64) -> Vec<Copies> {
        match self {
            Supply::Stored(stored) => vec![Copies::count(&stored.windows, window, bytes_per_token)],
            Supply::Sequences(_) => Vec::new(),
            Supply::Mixture(parts) => {
                parts.iter().flat_map(|(_, part)| part.copies(window, bytes_per_token)).collect()
            }
        }
    }

    /// The folders of tokens that were made of text.
    pub fn stores(&self) -> Vec<&Path> {
        match self {
            Supply::Stored(stored) => stored.store.iter().map(PathBuf::as_path).collect(),
            Supply::Sequences(_) => Vec::new(),
            Supply::Mixture(parts) => parts.iter().flat_map(|(_, part)| part.stores()).collect(),
        }
    }

    /// Whether any of it is text, or tokens of one.
    pub fn has_text(&self) -> bool {
        match self {
            Supply::Stored(_) => true,
            Supply::Sequences(_) => false,
            Supply::Mixture(parts) => parts.iter().any(|(_, part)| part.has_text()),
        }
    }
}

/// A whole number of things, divided by share: the parts' numbers sum to it.
fn divided<T>(parts: &[(f64, T)], count: usize) -> impl Iterator<Item = (&T, usize)> {
    let whole: f64 = parts.iter().map(|(share, _)| share).sum();
    let (mut shares, mut given) = (0.0, 0);
    parts.iter().map(move |(share, part)| {
        shares += share;
        let until = (count as f64 * (shares / whole)).round() as usize;
        let own = until.saturating_sub(given);
        given = until.max(given);
        (part, own)
    })
}

/// One training window of text, of the kind that `repeat` draws.
fn repeating(windows: &Windows, cut: &Cut<'_>, rng: &mut Stream) -> Vec<usize> {
    let (width, repeat) = (cut.width(), cut.plan.repeat());
    let draw = random::unit(rng);
    if draw < repeat.passages {
        let period = sequences::period(rng, repeat.period);
        tiled(&windows.training(rng, period), width)
    } else if draw < repeat.passages + repeat.random {
        let period = sequences::period(rng, repeat.period);
        let start = cut.tokenizer.start() as usize;
        tiled(&sequences::uniform(rng, cut.plan.d_vocab(), start, period), width)
    } else {
        windows.training(rng, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_divided_is_all_given_out() {
        let parts = [(0.5, 'a'), (0.25, 'b'), (0.25, 'c')];
        let of = |count| divided(&parts, count).map(|(_, n)| n).collect::<Vec<_>>();
        assert_eq!(of(8), [4, 2, 2]);
        for count in 0..50 {
            assert_eq!(of(count).iter().sum::<usize>(), count);
        }
        // Shares of a part of the parts sum to less than one.
        assert_eq!(divided(&parts[1..], 10).map(|(_, n)| n).collect::<Vec<_>>(), [5, 5]);
    }
}
