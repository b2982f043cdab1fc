//! Sequences that repeat themselves.

use crate::random::{self, Stream};

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
