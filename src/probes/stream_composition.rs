//! What the residual stream is made of, and whether the current token can still be read in it.

use super::{Context, ProbeKind, Windows, mean, windows};
use crate::error::Result;
use crate::record::Table;
use crate::spec::Kind;
use crate::spec::check::nothing;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "stream_composition",
        doc: "Two ways to divide the variance of the residual stream over the tokens of held-out windows, \
              summed over features, before every block and at the end. By source: the share of the \
              embedding, of positions and of each block's output is Cov(source, stream) / Var(stream); \
              sources that go together halve what they share, sources that cancel have shares below 0 and \
              above 1, and all sum to 1. By token: the share between groups of one current token, corrected \
              for the number of groups (epsilon squared, Kelley 1935: one minus the mean square within over \
              the total mean square); 0 by chance, 1 where the token decides the stream.",
        example: "probe = \"stream_composition\"",
        keys: &[windows("32")],
        traits: &[],
        check: nothing,
    },
    measure,
    finish: None,
};

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let Windows { sequences } = cx.config()?;
    let n_ctx = cx.subject.n_ctx();
    let mut windows = cx.material.validation(sequences);
    windows.iter_mut().for_each(|window| window.truncate(n_ctx));
    let streams = cx.subject.streams(&windows)?;
    let width = streams.d_model.max(1);

    let columns = [("step", "steps"), ("tokens", "tokens"), ("depth", "blocks")];
    let mut shares =
        Table::new("shares", &[&columns[..], &[("source", ""), ("share", "share of variance")]].concat());
    let mut identity = Table::new("identity", &[&columns[..], &[("share", "share of variance")]].concat());
    let tokens = windows.concat();
    for (i, (_, stream)) in streams.after.iter().enumerate().skip(streams.inputs.max(1) - 1) {
        let depth = i + 1 - streams.inputs;
        let stream = Centred::of(stream, width);
        let mut before: Option<&[f32]> = None;
        for (source, after) in &streams.after[..=i] {
            let share = stream.share(before, after);
            shares.push(cx.row([depth.into(), source.as_str().into(), share.into()]));
            before = Some(after);
        }
        identity.push(cx.row([depth.into(), stream.explained(&tokens).into()]));
    }
    Ok(vec![shares, identity])
}

/// Vectors without their mean, `[token, feature]`.
struct Centred {
    values: Vec<f64>,
    width: usize,
}

impl Centred {
    fn of(values: &[f32], width: usize) -> Self {
        let feature = |j: usize| values.iter().skip(j).step_by(width).map(|x| f64::from(*x));
        let means: Vec<f64> = (0..width).map(|j| mean(feature(j))).collect();
        let centred = values.iter().zip(means.iter().cycle()).map(|(x, mean)| f64::from(*x) - mean);
        Centred { values: centred.collect(), width }
    }

    /// The sum of squares.
    fn total(&self) -> f64 {
        self.values.iter().map(|x| x * x).sum()
    }

    /// Cov(source, stream) / Var(stream), where the source took the stream from `before` to `after`.
    fn share(&self, before: Option<&[f32]>, after: &[f32]) -> f64 {
        // Centring one of the two is enough.
        let with = |vectors: &[f32]| -> f64 {
            vectors.iter().zip(&self.values).map(|(x, centred)| f64::from(*x) * centred).sum()
        };
        (with(after) - before.map_or(0.0, with)) / self.total()
    }

    /// The share of the variance between the groups of equal tokens, corrected for their number.
    fn explained(&self, tokens: &[usize]) -> f64 {
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&i| tokens[i]);
        let (mut groups, mut within) = (0, 0.0);
        for group in order.chunk_by(|&a, &b| tokens[a] == tokens[b]) {
            groups += 1;
            for j in 0..self.width {
                let feature = group.iter().map(|i| self.values[i * self.width + j]);
                let centre = mean(feature.clone());
                within += feature.map(|x| (x - centre) * (x - centre)).sum::<f64>();
            }
        }
        let n = tokens.len() as f64;
        1.0 - within / (n - f64::from(groups)) / (self.total() / (n - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;
    use crate::random;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }

    #[test]
    fn independent_sources_have_their_variances_and_means_do_not_count() {
        // Two features of four tokens: the embedding varies in the first, a block in the second, twice
        // as far; and it moves all by a hundred.
        let embedding = [1.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0];
        let after = [1.0, 102.0, 1.0, 98.0, -1.0, 102.0, -1.0, 98.0];
        let stream = Centred::of(&after, 2);
        close(stream.share(None, &embedding), 0.2);
        close(stream.share(Some(&embedding), &after), 0.8);
    }

    #[test]
    fn what_cancels_has_a_share_below_zero() {
        let embedding = [3.0, -3.0];
        let stream = Centred::of(&[1.0, -1.0], 1);
        close(stream.share(None, &embedding), 3.0);
        close(stream.share(Some(&embedding), &[1.0, -1.0]), -2.0);
    }

    #[test]
    fn a_token_explains_all_or_half_or_nothing() {
        close(Centred::of(&[1.0, 5.0, 1.0, 5.0], 1).explained(&[7, 2, 7, 2]), 1.0);
        // Between groups 4 of 8; mean squares 4 / (4 - 2) within and 8 / (4 - 1) in all.
        close(Centred::of(&[2.0, 0.0, 0.0, -2.0], 1).explained(&[7, 7, 2, 2]), 1.0 - 2.0 / (8.0 / 3.0));
        // Tokens drawn apart from the stream, most of them alone: no share, where without the
        // correction it would be more than half.
        let mut rng = random::stream(0, "test", 0);
        let values: Vec<f32> = (0..4000 * 4).map(|_| random::unit(&mut rng) as f32).collect();
        let tokens: Vec<usize> = (0..4000).map(|_| random::below(&mut rng, 3000) as usize).collect();
        let share = Centred::of(&values, 4).explained(&tokens);
        assert!(share.abs() < 0.1, "{share}");
        // Every token alone: nothing is known.
        assert!(Centred::of(&[1.0, 2.0], 1).explained(&[0, 1]).is_nan());
    }

    #[test]
    fn every_depth_is_divided_whole() {
        // On the bench a layer doubles a stream that is its token.
        let tables = Bench::new(16, 20).measure(&KIND, "", &|s| vec![0.0; s.len() * s.len()]);
        let shares: Vec<_> = tables[0].numbers("depth").into_iter().zip(tables[0].numbers("share")).collect();
        let wanted = [(0.0, 1.0), (1.0, 0.5), (1.0, 0.5)];
        assert!(shares.iter().zip(wanted).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-9), "{shares:?}");
        tables[1].numbers("share").into_iter().for_each(|share| close(share, 1.0));
    }
}
