//! Sequences made on the spot, and sequences that repeat themselves.

use crate::plan::Plan;
use crate::random::{self, Stream};
use crate::spec::Checking;
use std::fmt::Debug;

/// The token that starts sequences of ids: none of those made here has it.
pub const START: usize = 0;

/// What makes the sequences of a dataset. What all of them share is made once, beforehand.
pub trait Sequences: Debug + Send + Sync {
    /// A sequence of `width` tokens: a function of the stream alone.
    fn draw(&self, rng: &mut Stream, width: usize) -> Vec<usize>;

    /// How often each token occurs, up to a factor, `[d_vocab]`: every one alike but the start token,
    /// where nothing else is said.
    fn frequencies(&self, plan: &Plan) -> Vec<u64> {
        (0..plan.d_vocab()).map(|token| u64::from(token != START)).collect()
    }
}

/// Sequences of at most so many tokens altogether, from a stream of their own.
pub fn sample(made: &dyn Sequences, plan: &Plan, stream: &str, tokens: usize) -> Vec<Vec<usize>> {
    let width = plan.architecture.n_ctx + 1;
    let mut rng = random::stream(plan.seed, stream, 0);
    (0..tokens / width).map(|_| made.draw(&mut rng, width)).collect()
}

/// What every dataset of token ids has to check: that nothing else is to read them, and that none of
/// its sequences are to repeat; `why` they cannot be.
pub fn only_ids(cx: &mut Checking<'_>, why: &str) {
    if cx.facts.tokenizes_text == Some(true) {
        let kind = cx.text("kind").unwrap_or_default();
        let message = format!("`{kind}` makes token ids, and this tokenizer reads text");
        let help = "write [tokenizer] kind = \"ids\", d_vocab = 128";
        cx.clash("kind", message, ("tokenizer.kind", "this tokenizer"), help);
    }
    no_repeats(cx, why);
}

/// Reports a share of sequences that is to repeat.
pub fn no_repeats(cx: &mut Checking<'_>, why: &str) {
    let shares = cx.config.get("repeat").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    for share in ["passages", "random"] {
        if shares.get(share).and_then(toml::Value::as_float).is_some_and(|x| x > 0.0) {
            cx.error(&format!("repeat.{share}"), why, "leave `repeat` out");
        }
    }
}

/// A period between both ends, every one equally likely. A fixed period would teach copying by
/// position instead of by content.
pub fn period(rng: &mut Stream, [low, high]: [usize; 2]) -> usize {
    low + random::below(rng, (high - low + 1) as u64) as usize
}

/// The tokens again and again, `width` of them.
pub fn tiled(tokens: &[usize], width: usize) -> Vec<usize> {
    tokens.iter().copied().cycle().take(width).collect()
}

/// Uniformly random tokens other than the start token.
pub fn uniform(rng: &mut Stream, d_vocab: usize, start: usize, count: usize) -> Vec<usize> {
    let token = |rng: &mut Stream| {
        let drawn = random::below(rng, d_vocab as u64 - 1) as usize;
        if drawn >= start { drawn + 1 } else { drawn }
    };
    (0..count).map(|_| token(rng)).collect()
}
