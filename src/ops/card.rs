//! What exists at a time on a card, said here so that memory can be planned where there is none.

/// What kernels count to: numbers in one place are fewer, with room for a stride in 32 bits.
pub const COUNTED: usize = 1 << 31;
/// Logits, at most about: so many that the unembedding, read and written for every chunk, is little beside them.
const LOGITS: usize = 256 << 20;
/// Scores of attention, at most about.
pub const SCORES: usize = 64 << 20;
/// Queries of a sequence whose scores exist at a time: keys after the last of them are left out.
pub const QUERIES: usize = 128;

/// Tokens whose logits exist at a time, of so many, with `stride` numbers for each.
pub fn chunk(stride: usize, tokens: usize) -> usize {
    let most = (LOGITS / stride.max(1)).max(128);
    (most - most % 128).min(tokens.max(1))
}
