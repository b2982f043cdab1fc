//! Which token follows which, and how often.

/// Counts of pairs of neighbouring tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bigrams {
    /// Where the followers of each token begin, and where the last one's end, `[d_vocab + 1]`.
    starts: Vec<usize>,
    /// A token and how often it follows, by the token followed, then by itself.
    followers: Vec<(usize, u64)>,
}

impl Bigrams {
    /// Counts the pairs in stretches of tokens; tokens beyond the vocabulary are passed over.
    pub fn count(d_vocab: usize, stretches: impl IntoIterator<Item = Vec<usize>>) -> Self {
        let mut pairs: Vec<[u32; 2]> = Vec::new();
        for stretch in stretches {
            let known = stretch.windows(2).filter(|pair| pair.iter().all(|&t| t < d_vocab));
            pairs.extend(known.map(|pair| [pair[0] as u32, pair[1] as u32]));
        }
        pairs.sort_unstable();
        let (mut starts, mut followers) = (vec![0; d_vocab + 1], Vec::new());
        for same in pairs.chunk_by(|a, b| a == b) {
            let [token, next] = same[0].map(|t| t as usize);
            followers.push((next, same.len() as u64));
            starts[token + 1] = followers.len();
        }
        for i in 1..starts.len() {
            starts[i] = starts[i].max(starts[i - 1]);
        }
        Bigrams { starts, followers }
    }

    /// What follows a token: tokens in ascending order, each with how often it does.
    pub fn after(&self, token: usize) -> &[(usize, u64)] {
        match (self.starts.get(token), self.starts.get(token + 1)) {
            (Some(&from), Some(&to)) => &self.followers[from..to],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_within_stretches() {
        let bigrams = Bigrams::count(5, [vec![1, 2, 1, 2, 1, 4], vec![4, 1, 9, 1]]);
        assert_eq!(bigrams.after(1), [(2, 2), (4, 1)]);
        assert_eq!(bigrams.after(2), [(1, 2)]);
        assert_eq!(bigrams.after(4), [(1, 1)]);
        for token in [0, 3, 5, usize::MAX - 1] {
            assert_eq!(bigrams.after(token), []);
        }
    }
}
