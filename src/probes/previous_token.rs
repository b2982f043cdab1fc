//! The previous-token head: the bottleneck of attention→attention.

use super::{Context, ProbeKind, Windows, mean, windows};
use crate::error::Result;
use crate::record::Table;
use crate::spec::check::nothing;
use crate::spec::{Kind, Trait};

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "previous_token",
        doc: "Mean attention from every position to the one before it (Elhage et al. 2021), on \
              held-out windows. A share, 0 to 1.",
        example: "probe = \"previous_token\"",
        keys: &[windows("16")],
        traits: &[Trait::NeedsHeads],
        check: nothing,
    },
    measure,
    finish: None,
};

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let Windows { sequences } = cx.config()?;
    let n_ctx = cx.subject.n_ctx();
    let mut windows = cx.material.validation(sequences);
    windows.iter_mut().for_each(|w| w.truncate(n_ctx));
    let patterns = cx.subject.patterns(&windows)?;
    let width = patterns.positions;
    let of_sequence = |p: &&[f32]| mean((1..width).map(|q| f64::from(p[q * width + q - 1])));
    let scores = patterns.heads().map(|(head, p)| (head, mean(p.iter().map(of_sequence))));
    Ok(vec![cx.heads_table("share of attention", scores)])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, pattern_of};
    use super::*;

    #[test]
    fn only_the_position_right_before_counts() {
        let bench = Bench::new(32, 20);
        let score = |pattern: &dyn Fn(&[usize], usize) -> Vec<usize>| {
            let tables = bench.measure(&KIND, "", &|s: &[usize]| pattern_of(s, &pattern));
            tables[0].numbers("score")[0]
        };
        assert!((score(&|_, q| vec![q.saturating_sub(1)]) - 1.0).abs() < 1e-6);
        assert_eq!(score(&|_, q| vec![q]), 0.0);
        // Uniform attention: the mean of 1/(q+1) over queries 1 to 31.
        let harmonic = mean((1..32).map(|q| 1.0 / f64::from(q + 1)));
        assert!((score(&|_, q| (0..=q).collect()) - harmonic).abs() < 1e-6);
    }
}
