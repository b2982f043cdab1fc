//! How far a model's predictions are from those of counting tokens and pairs of tokens.

use super::{Context, ProbeKind, Windows, mean, windows};
use crate::dataset::Bigrams;
use crate::error::Result;
use crate::record::Table;
use crate::spec::Kind;
use crate::spec::check::nothing;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "ngram_baseline",
        doc: "KL(n-gram ‖ model), mean over the tokens of held-out windows, nats a token: what a code \
              made for the model's predictions wastes on text that follows only the corpus's unigrams or \
              bigrams. 0: the model predicts as counting does (Hoogland et al. 2024 take the cross-entropy, \
              which differs by the n-gram's own entropy). Unigrams p(w) = (c(w) + 1) / (N + V) of all \
              training tokens; bigrams p(w|v) = (c(v, w) + p(w)) / (c(v) + 1) (MacKay & Peto 1995, with \
              one pseudo-count) of at most 2^21 training tokens. Both fall as a model learns to count; \
              they rise again where it learns more.",
        example: "probe = \"ngram_baseline\"",
        keys: &[windows("8")],
        traits: &[],
        check: nothing,
    },
    measure,
    finish: None,
};

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let Windows { sequences } = cx.config()?;
    let (n_ctx, d_vocab) = (cx.subject.n_ctx(), cx.subject.d_vocab());
    let unigram = Unigram::new(cx.material.frequencies());
    let bigrams = cx.material.bigrams();
    let mut divergences: Vec<[f64; 2]> = Vec::new();
    // One at a time: predictions have a number for every token of the vocabulary.
    for mut window in cx.material.validation(sequences) {
        window.truncate(n_ctx);
        let predictions = cx.subject.log_probs(&window)?;
        let of_position = window.iter().zip(predictions.chunks_exact(d_vocab));
        divergences.extend(of_position.map(|(&token, model)| unigram.divergences(bigrams, token, model)));
    }
    let [one, two] = [0, 1].map(|i| mean(divergences.iter().map(|d| d[i])));
    let columns = [("step", "steps"), ("tokens", "tokens"), ("unigram", "nats"), ("bigram", "nats")];
    let mut table = Table::new("scores", &columns);
    table.push(cx.row([one.into(), two.into()]));
    Ok(vec![table])
}

/// The corpus's tokens, whatever came before.
struct Unigram {
    /// p(w), `[d_vocab]`
    p: Vec<f64>,
    /// Σ p ln p
    negentropy: f64,
}

impl Unigram {
    fn new(counts: &[u64]) -> Self {
        let total = counts.iter().sum::<u64>() as f64 + counts.len() as f64;
        let p: Vec<f64> = counts.iter().map(|&count| (count as f64 + 1.0) / total).collect();
        let negentropy = p.iter().map(|p| p * p.ln()).sum();
        Unigram { p, negentropy }
    }

    /// KL(unigram ‖ model) and KL(bigram ‖ model) after a token, given the model's log-probabilities
    /// `[d_vocab]`.
    ///
    /// The bigrams are a multiple of the unigrams but for the few tokens that were seen to follow: the
    /// sums over the vocabulary are the unigrams'.
    fn divergences(&self, bigrams: &Bigrams, token: usize, model: &[f32]) -> [f64; 2] {
        let expected: f64 = self.p.iter().zip(model).map(|(p, log_prob)| p * f64::from(*log_prob)).sum();
        let followers = bigrams.after(token);
        let seen: u64 = followers.iter().map(|(_, count)| count).sum();
        let share = 1.0 / (seen as f64 + 1.0);
        let mut divergence = share * (share.ln() + self.negentropy - expected);
        for &(next, count) in followers {
            let (Some(&p), Some(&log_prob)) = (self.p.get(next), model.get(next)) else { continue };
            let bigram = share * (count as f64 + p);
            divergence += bigram * (bigram.ln() - f64::from(log_prob));
            divergence -= share * p * ((share * p).ln() - f64::from(log_prob));
        }
        [self.negentropy - expected, divergence]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    /// p(w|v) by its definition, over the whole vocabulary.
    fn bigram(unigram: &Unigram, bigrams: &Bigrams, token: usize) -> Vec<f64> {
        let mut counts = unigram.p.clone();
        bigrams.after(token).iter().for_each(|&(next, count)| counts[next] += count as f64);
        let total: f64 = counts.iter().sum();
        counts.into_iter().map(|count| count / total).collect()
    }

    fn logs(p: &[f64]) -> Vec<f32> {
        p.iter().map(|p| p.ln() as f32).collect()
    }

    #[test]
    fn a_model_that_counts_is_at_no_distance() {
        let unigram = Unigram::new(&[5, 0, 3, 1]);
        assert_eq!(unigram.p, [6.0 / 13.0, 1.0 / 13.0, 4.0 / 13.0, 2.0 / 13.0]);
        let bigrams = Bigrams::count(4, [vec![0, 2, 0, 2, 0, 3, 3, 0]]);
        let exact = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum::<f64>();
        for token in 0..4 {
            let table = bigram(&unigram, &bigrams, token);
            for (model, at_zero) in [(&unigram.p, 0), (&table, 1)] {
                let found = unigram.divergences(&bigrams, token, &logs(model));
                let wanted = [exact(&unigram.p, model), exact(&table, model)];
                assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-6), "{found:?} {wanted:?}");
                assert!(found[at_zero].abs() < 1e-6);
            }
        }
        assert!(unigram.divergences(&bigrams, 2, &logs(&unigram.p))[1] > 0.1);
        // After a token that was never seen, the bigrams are the unigrams.
        assert!(unigram.divergences(&bigrams, 1, &logs(&unigram.p))[1].abs() < 1e-6);
    }

    #[test]
    fn a_uniform_model_is_as_far_as_the_corpus_is_from_uniform() {
        // On the bench every token is as frequent, and one token follows each, once.
        let d_vocab = 20;
        let bench = Bench::new(8, d_vocab);
        let tables = bench.measure(&KIND, "sequences = 3", &|s| vec![0.0; s.len() * s.len()]);
        assert!(tables[0].numbers("unigram")[0].abs() < 1e-6);
        let seen = 0.5 * (1.0 + 1.0 / d_vocab as f64);
        let unseen = 0.5 / d_vocab as f64;
        let followed = seen * (seen * 20.0).ln() + 19.0 * unseen * (unseen * 20.0).ln();
        let bigram = tables[0].numbers("bigram")[0];
        // The last token is followed by none: windows may hold it.
        assert!(bigram > 0.8 * followed && bigram <= followed + 1e-6, "{bigram} {followed}");
    }
}
