//! Random tokens that repeat: the cleanest task an induction head can have.

use super::sequences::{self, Sequences};
use super::{DatasetKind, Source};
use crate::error::{Error, Result};
use crate::plan::{Plan, period_fits};
use crate::random::Stream;
use crate::spec::{Checking, Default, Key, Kind, Type};
use crate::tokenizer::Tokenizer;
use serde::Deserialize;

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "repeated_random",
        doc: "Uniformly random tokens whose first P are repeated to the end of the sequence, P uniform \
              in `period`. Nothing can be predicted but by looking back. Needs the tokenizer \"ids\", but where \
              it is part of a mixture with text.",
        example: "kind = \"repeated_random\"\nperiod = [8, 32]",
        keys: &[Key {
            name: "period",
            ty: Type::List(&Type::Integer(1, 65536), 2, 2),
            default: Default::Computed("n_ctx/8 to n_ctx/2"),
            doc: "the period is uniform between these",
        }],
        traits: &[],
        check,
    },
    source: Source::Sequences(open),
};

fn check(cx: &mut Checking<'_>) {
    // As a part of a mixture that reads text, its tokens are those of the text.
    if cx.facts.has_passages != Some(true) {
        sequences::only_ids(cx, "every sequence of `repeated_random` repeats already");
    }
    let Some(n_ctx) = cx.facts.n_ctx else { return };
    let period: Vec<toml::Value> = [n_ctx / 8, n_ctx / 2].map(|p| (p.max(1) as i64).into()).into();
    cx.default("period", period);
    if let Some(&[low, high]) = cx.integers("period").as_deref() {
        let path = format!("{}.period", cx.path);
        period_fits(cx.findings, &path, (low, high), n_ctx);
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    period: [usize; 2],
}

#[derive(Debug)]
struct RepeatedRandom {
    period: [usize; 2],
    d_vocab: usize,
    start: usize,
}

fn open(plan: &Plan, tokenizer: &Tokenizer) -> Result<Box<dyn Sequences>> {
    let Config { period } = plan.dataset.config().map_err(|e| Error::message(e.to_string()))?;
    Ok(Box::new(RepeatedRandom { period, d_vocab: plan.d_vocab(), start: tokenizer.start() as usize }))
}

impl Sequences for RepeatedRandom {
    fn draw(&self, rng: &mut Stream, width: usize) -> Vec<usize> {
        let period = sequences::period(rng, self.period);
        sequences::tiled(&sequences::uniform(rng, self.d_vocab, self.start, period), width)
    }
}
