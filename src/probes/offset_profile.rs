//! Where after an earlier occurrence a head looks: offset 1 is the textbook induction head.

use super::prefix_matching::mass;
use super::repeated::{self, Repeated};
use super::{Context, ProbeKind};
use crate::error::Result;
use crate::record::Table;
use crate::spec::{Checking, Kind, Trait};

/// Offsets measured: 0, the earlier occurrence itself, to 4 after it.
const OFFSETS: std::ops::RangeInclusive<usize> = 0..=4;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "offset_profile",
        doc: "The sequences of prefix_matching (Olsson et al. 2022): mean attention mass at every \
              offset 0 to 4 after earlier occurrences of the query's token. Offset 1 is prefix \
              matching; above a depthwise convolution of width 3 a head forms at offset 2, which \
              copies perfectly and which prefix matching does not see. A share, 0 to 1.",
        example: "probe = \"offset_profile\"",
        keys: &[repeated::TOKENS, repeated::SEQUENCES, repeated::LENGTH, repeated::EXCLUDE],
        traits: &[Trait::NeedsHeads],
        check,
    },
    measure,
    finish: None,
};

/// Two copies: the mass is not shared among several earlier occurrences.
fn check(cx: &mut Checking<'_>) {
    repeated::check(cx, 50, 2, 1);
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let repeated: Repeated = cx.config()?;
    let sequences = repeated.sequences(cx)?;
    let patterns = cx.subject.patterns(&sequences)?;
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("layer", ""),
        ("head", ""),
        ("offset", "positions"),
        ("score", "share of attention"),
    ];
    let mut table = Table::new("offsets", &columns);
    for ((layer, head), of_sequences) in patterns.heads() {
        for offset in OFFSETS {
            let score = mass(&sequences, &of_sequences, repeated.sequence_length, offset);
            table.push(cx.row([layer.into(), head.into(), offset.into(), score.into()]));
        }
    }
    Ok(vec![table])
}

#[cfg(test)]
mod tests {
    use super::super::repeated::after_occurrences;
    use super::super::testing::{Bench, pattern_of};
    use super::*;

    #[test]
    fn a_shifted_head_is_seen_at_its_offset() {
        let bench = Bench::new(128, 60);
        let shifted = |s: &[usize], q: usize| after_occurrences(s, q, 2).collect::<Vec<_>>();
        let tables = bench.measure(&KIND, "", &|s: &[usize]| pattern_of(s, &shifted));
        let scores = tables[0].numbers("score");
        assert_eq!(scores.len(), 5);
        assert!((scores[2] - 1.0).abs() < 1e-6, "{scores:?}");
        assert!([0, 1, 3, 4].iter().all(|&o| scores[o] < 0.05), "{scores:?}");
    }
}
