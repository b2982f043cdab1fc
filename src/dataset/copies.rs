//! How much of a text is there more than once.
//!
//! Passages are compared by their shingles (Broder 1997, *On the resemblance and containment of documents*):
//! all stretches of so many tokens, of which those are kept whose hash is a multiple of eight (his sketch by
//! modulus), so that both copies keep the same ones wherever they begin. A passage is nearly a copy if half of
//! what was kept of it stands in another passage, too.

use super::windows::Windows;
use rayon::prelude::*;

/// How many tokens are looked at, at most; of more, 64 stretches, evenly spread.
const LOOKED_AT: usize = 1 << 23;
/// About how many bytes of text a shingle has: as many as hardly ever stand twice by chance.
const SHINGLE: f64 = 48.0;
/// One of so many shingles is kept.
const KEPT: u64 = 8;
/// The shortest passage, in shingles: a shorter one keeps too little to tell.
const SHORTEST: usize = 4;
/// The share of passages from which on people are warned.
pub const MANY: f64 = 0.05;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Copies {
    /// Share of the passages that nearly are copies of another.
    pub share: f64,
    /// Tokens that were looked at.
    pub tokens: usize,
    /// Whether these were all of the training part.
    pub all: bool,
}

impl Copies {
    /// Looks for them in the training part, in passages of a window's length. Takes 100 MiB, and less than a
    /// second, however much there is: of a large corpus, what is copied outside of the stretches is not seen.
    pub fn count(windows: &Windows, window: usize, bytes_per_token: f64) -> Copies {
        let shingle = (SHINGLE / bytes_per_token).ceil() as usize;
        let passage = window.max(SHORTEST * shingle);
        let stretches = windows.stretches(LOOKED_AT);
        let tokens = stretches.iter().map(Vec::len).sum();
        let all = tokens == windows.parts()[0].1.len();
        let mut kept = Vec::<(u64, u32)>::new();
        let mut first = 0;
        for stretch in &stretches {
            keep(stretch, shingle, &mut |hash, at| kept.push((hash, first + (at / passage) as u32)));
            // No passage of one stretch is beside one of the next.
            first += (stretch.len() / passage) as u32 + 2;
        }
        drop(stretches);
        kept.par_sort_unstable();
        let mut passages = vec![(0u32, 0u32); first as usize];
        for same in kept.chunk_by(|a, b| a.0 == b.0) {
            let (lowest, highest) = (same[0].1, same[same.len() - 1].1);
            for &(_, passage) in same {
                let (of, copied) = &mut passages[passage as usize];
                *of += 1;
                // What is said again right away is a way to speak, and no copy.
                *copied += u32::from(lowest + 1 < passage || passage + 1 < highest);
            }
        }
        // One shingle alone tells nothing.
        let told = passages.iter().filter(|(of, _)| *of > 1);
        let (told, copies) =
            told.fold((0, 0), |(n, copies), (of, copied)| (n + 1, copies + u32::from(2 * copied >= *of)));
        Copies { share: f64::from(copies) / f64::from(told.max(1)), tokens, all }
    }

    /// What to beware of, if there is much of it.
    pub fn warning(&self) -> Option<String> {
        (self.share >= MANY).then(|| {
            let of = if self.all { String::new() } else { format!(" of {} tokens looked at", self.tokens) };
            let share = 100.0 * self.share;
            format!(
                "{share:.0} % of the passages{of} nearly are copies of another: what is learned of them may be \
                 learned by heart, and held-out text may have been trained on"
            )
        })
    }
}

/// Passes on the hash and the place of every shingle that is kept.
fn keep(ids: &[usize], shingle: usize, take: &mut dyn FnMut(u64, usize)) {
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
    let outgoing = (0..shingle).fold(1u64, |power, _| power.wrapping_mul(BASE));
    let mut rolling = 0u64;
    for (at, &id) in ids.iter().enumerate() {
        rolling = rolling.wrapping_mul(BASE).wrapping_add(id as u64 + 1);
        if at >= shingle {
            rolling = rolling.wrapping_sub(outgoing.wrapping_mul(ids[at - shingle] as u64 + 1));
        }
        // A polynomial is no hash yet: its bits are mixed (the finaliser of SplitMix64).
        let mut hash = (rolling ^ (rolling >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        if at + 1 >= shingle && hash.is_multiple_of(KEPT) {
            take(hash, at + 1 - shingle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ids::Ids;
    use crate::random;

    /// Documents of 300 tokens, of which these are nearly the ones before: every fortieth token is another.
    fn documents(count: usize, again: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
        let mut rng = random::stream(1, "documents", 0);
        let mut all: Vec<Vec<usize>> = Vec::new();
        for i in 0..count {
            let fresh: Vec<usize> = (0..300).map(|_| random::below(&mut rng, 1000) as usize).collect();
            all.push(match again(i) {
                true => all[i - 1]
                    .iter()
                    .enumerate()
                    .map(|(j, id)| if j % 40 == 7 { fresh[j] } else { *id })
                    .collect(),
                false => fresh,
            });
        }
        // Copies come anywhere, and begin anywhere.
        all.sort_by_key(|document| document[0]);
        all
    }

    fn share(documents: &[Vec<usize>]) -> Copies {
        let file = tempfile::NamedTempFile::new().unwrap();
        let ids = documents.iter().enumerate().flat_map(|(i, d)| [vec![0; 1 + i % 7], d.clone()].concat());
        let bytes: Vec<u8> = ids.flat_map(|id| (id as u16).to_le_bytes()).collect();
        std::fs::write(file.path(), bytes).unwrap();
        let ids = Ids::open(file.path(), 2).unwrap();
        let cut = ids.len() - 40;
        Copies::count(&Windows::cut(ids, cut), 33, 4.0)
    }

    #[test]
    fn a_tenth_that_is_nearly_there_twice_is_told() {
        let none = share(&documents(1000, |_| false));
        assert_eq!((none.share, none.all, none.warning()), (0.0, true, None));
        // Of 1000 documents 100 are copies of as many others.
        let some = share(&documents(1000, |i| i % 10 == 9));
        assert!((0.1..0.21).contains(&some.share), "{some:?}");
        assert!(some.warning().unwrap().contains("% of the passages nearly are copies"));
        let few = share(&documents(1000, |i| i % 100 == 99));
        assert!(few.share > 0.0 && few.warning().is_none(), "{few:?}");
    }

    #[test]
    fn what_is_copied_exactly_is_told_whole() {
        let once = documents(200, |_| false);
        let twice = share(&[once.clone(), once].concat());
        assert!(twice.share > 0.95, "{twice:?}");
    }

    #[test]
    fn what_repeats_at_once_is_no_copy() {
        let mut rng = random::stream(2, "documents", 0);
        let twice = |_| {
            let word: Vec<usize> = (0..24).map(|_| random::below(&mut rng, 1000) as usize).collect();
            [word.clone(), word].concat()
        };
        let documents: Vec<Vec<usize>> = (0..400).map(twice).collect();
        assert!(share(&documents).share < 0.01);
    }

    #[test]
    fn the_hash_of_a_shingle_is_its_own_wherever_it_stands() {
        let ids: Vec<usize> = (0..500).map(|i| i * i % 701).collect();
        let kept = |from: usize| {
            let mut all = Vec::new();
            keep(&ids[from..], 12, &mut |hash, at| all.push((hash, at + from)));
            all
        };
        let (whole, late) = (kept(0), kept(100));
        assert!(late.len() > 20 && whole.ends_with(&late));
    }
}
