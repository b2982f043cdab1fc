//! Sequences that repeat themselves, which most of the published definitions are about.

use super::Context;
use crate::error::{Error, Result};
use crate::random;
use crate::spec::{Checking, Default, Key, Range, Type};
use serde::Deserialize;

/// Where the repeated tokens come from.
pub const TOKENS: Key = Key {
    name: "tokens",
    ty: Type::Word(&["random", "passages"]),
    default: Default::Value("\"random\""),
    doc: "random tokens, or passages of held-out text",
};

/// How many sequences are averaged over.
pub const SEQUENCES: Key = Key {
    name: "sequences",
    ty: Type::Integer(1, 10_000),
    default: Default::Value("10"),
    doc: "sequences averaged over",
};

/// How many tokens are repeated.
pub const LENGTH: Key = Key {
    name: "sequence_length",
    ty: Type::Integer(2, 65536),
    default: Default::Computed("as published, or less where n_ctx is too short"),
    doc: "tokens in one copy",
};

/// Which tokens are too common or too rare to be drawn.
pub const EXCLUDE: Key = Key {
    name: "exclude",
    ty: Type::Number(Range { min: 0.0, max: 0.45, min_included: true }),
    default: Default::Value("0.05"),
    doc: "share of the vocabulary left out at either end of the token frequencies",
};

/// How repeated sequences are made.
#[derive(Debug, Clone, Deserialize)]
pub struct Repeated {
    /// `random` or `passages`.
    pub tokens: String,
    /// Sequences.
    pub sequences: usize,
    /// Tokens in one copy.
    pub sequence_length: usize,
    /// Copies.
    #[serde(default = "twice")]
    pub repeats: usize,
    /// Share of the vocabulary left out at either end of the frequencies.
    pub exclude: f64,
}

fn twice() -> usize {
    2
}

/// Fills in the length of a copy, and checks that the copies fit.
pub fn check(cx: &mut Checking<'_>, published: usize, repeats: usize, room: usize) {
    let Some(random) = cx.text("tokens").map(|tokens| tokens == "random") else { return };
    if !random && cx.facts.has_passages == Some(false) {
        let message = "this dataset has no passages: it is not text";
        cx.clash("tokens", message, ("dataset.kind", "this dataset"), "use \"random\"");
    }
    let Some(n_ctx) = cx.facts.n_ctx else { return };
    let fits = (n_ctx - room) / repeats;
    // Half of a tiny vocabulary, so that what is drawn is still random.
    let drawable = cx.facts.d_vocab.map_or(usize::MAX, |v| v.saturating_sub(1) / 2);
    let published = if random { published.min(drawable) } else { published };
    cx.default("sequence_length", published.min(fits).max(2) as i64);
    let Some(length) = cx.integer("sequence_length").map(|length| length as usize) else { return };
    let needed = length * repeats + room;
    if needed > n_ctx {
        let message =
            format!("{repeats} copies of {length} tokens are {needed} positions, and n_ctx is {n_ctx}");
        let (key, help) = match cx.written("sequence_length") && fits > 1 {
            true => ("sequence_length", format!("use a sequence_length of at most {fits}")),
            false => ("repeats", format!("use at most {} repeats", (n_ctx - room) / length.min(n_ctx / 2))),
        };
        cx.clash(key, message, ("architecture.n_ctx", "positions in a sequence"), help);
    }
    if let Some(d_vocab) = cx.facts.d_vocab.filter(|v| random && *v < length + 1) {
        let message = format!("{length} distinct random tokens need a larger vocabulary than {d_vocab}");
        let help = format!("repeat at most {} tokens", d_vocab - 1);
        cx.clash("sequence_length", message, ("tokenizer", "its vocabulary"), help);
    }
}

impl Repeated {
    /// `[start, s, s, …]`, one row a sequence.
    ///
    /// # Errors
    /// If the held-out text is too short for such passages.
    pub fn sequences(&self, cx: &Context<'_>) -> Result<Vec<Vec<usize>>> {
        let mut rng = cx.rng.clone();
        let passages = if self.tokens == "passages" {
            let found = cx.material.passages(&mut rng, self.sequences, self.sequence_length);
            if found.is_empty() {
                let length = self.sequence_length;
                return Err(Error::message(format!("the held-out text has no passage of {length} tokens")));
            }
            found
        } else {
            let allowed = self.allowed(cx);
            (0..self.sequences).map(|_| distinct(&mut rng, &allowed, self.sequence_length)).collect()
        };
        let start = cx.material.tokenizer().start() as usize;
        let tile = |s: Vec<usize>| std::iter::once(start).chain(s.repeat(self.repeats)).collect();
        Ok(passages.into_iter().map(tile).collect())
    }

    /// The tokens that may be drawn: neither the start token, nor unseen, nor the most or least common.
    fn allowed(&self, cx: &Context<'_>) -> Vec<usize> {
        let start = cx.material.tokenizer().start() as usize;
        let counts = cx.material.frequencies();
        let count = |t: usize| counts.get(t).copied().unwrap_or(0);
        let all = (0..cx.subject.d_vocab()).filter(|t| *t != start);
        let mut seen: Vec<usize> = all.clone().filter(|t| count(*t) > 0).collect();
        // A stable sort by count, ties by id: the same order everywhere.
        seen.sort_by_key(|t| count(*t));
        let cut = (seen.len() as f64 * self.exclude) as usize;
        let middle: Vec<usize> = seen[cut..seen.len() - cut].to_vec();
        if middle.len() >= self.sequence_length { middle } else { all.collect() }
    }
}

/// `length` different tokens, in random order.
fn distinct(rng: &mut random::Stream, allowed: &[usize], length: usize) -> Vec<usize> {
    let mut pool = allowed.to_vec();
    let length = length.min(pool.len());
    for i in 0..length {
        let j = i + random::below(rng, (pool.len() - i) as u64) as usize;
        pool.swap(i, j);
    }
    pool.truncate(length);
    pool
}

/// The keys `j <= query` that stand `offset` positions after an earlier occurrence of the query's token.
pub fn after_occurrences(sequence: &[usize], query: usize, offset: usize) -> impl Iterator<Item = usize> {
    let token = sequence[query];
    let earlier = (0..query).filter(move |&p| sequence[p] == token);
    earlier.map(move |p| p + offset).filter(move |&key| key <= query)
}
