//! The duplicate-token head: it looks at earlier copies of the current token itself.

use super::repeated::after_occurrences;
use super::{Context, ProbeKind, Windows, mean, windows};
use crate::error::Result;
use crate::record::Table;
use crate::spec::check::nothing;
use crate::spec::{Kind, Trait};

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "duplicate_token",
        doc: "Mean attention to all earlier copies of the current token (Wang et al. 2022, \
              section 3.1; the detection pattern of TransformerLens's head detector), on held-out \
              windows, over the positions whose token has occurred before. A share, 0 to 1. \
              Uniform attention scores as much as tokens recur.",
        example: "probe = \"duplicate_token\"",
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
    let of_window = |(window, p): (&Vec<usize>, &&[f32])| -> Vec<f64> {
        let copies = |q: usize| after_occurrences(window, q, 0).map(move |key| f64::from(p[q * width + key]));
        let recurs = |q: &usize| after_occurrences(window, *q, 0).next().is_some();
        (0..width).filter(recurs).map(|q| copies(q).sum()).collect()
    };
    let score = |p: &[&[f32]]| mean(windows.iter().zip(p).flat_map(of_window));
    let scores = patterns.heads().map(|(head, p)| (head, score(&p)));
    Ok(vec![cx.heads_table("share of attention", scores)])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, pattern_of};
    use super::*;

    #[test]
    fn only_earlier_copies_count() {
        // Twelve tokens in windows of 64: nearly every one recurs.
        let bench = Bench::new(64, 12);
        let score = |pattern: &dyn Fn(&[usize], usize) -> Vec<usize>| {
            let tables = bench.measure(&KIND, "", &|s: &[usize]| pattern_of(s, &pattern));
            tables[0].numbers("score")[0]
        };
        let copies = |s: &[usize], q: usize| -> Vec<usize> { (0..q).filter(|&k| s[k] == s[q]).collect() };
        assert!((score(&copies) - 1.0).abs() < 1e-6);
        assert_eq!(score(&|_, q| vec![q]), 0.0);
        // Half on a copy, half on the token itself.
        let halves = |s: &[usize], q: usize| copies(s, q).into_iter().take(1).chain([q]).collect();
        assert!((score(&halves) - 0.5).abs() < 1e-6);
        // Uniform attention over the past finds about one token in eleven.
        let uniform = score(&|_, q| (0..=q).collect());
        assert!((0.05..0.13).contains(&uniform), "{uniform}");
    }
}
