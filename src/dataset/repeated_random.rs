//! Random tokens that repeat: the cleanest task an induction head can have.

use super::{DatasetKind, Source, sequences};
use crate::plan::Plan;
use crate::plan::period_fits;
use crate::random::Stream;
use crate::spec::{Checking, Default, Key, Kind, Type};

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "repeated_random",
        doc: "Uniformly random tokens whose first P are repeated to the end of the sequence, P uniform \
              in `period`. Nothing can be predicted but by looking back. Needs the tokenizer \"ids\".",
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
    source: Source::Sequences(make),
};

fn check(cx: &mut Checking<'_>) {
    if cx.facts.tokenizes_text == Some(true) {
        let message = "`repeated_random` makes token ids, and this tokenizer reads text";
        let help = "write [tokenizer] kind = \"ids\", d_vocab = 128";
        cx.clash("kind", message, ("tokenizer.kind", "this tokenizer"), help);
    }
    let Some(n_ctx) = cx.facts.n_ctx else { return };
    let period: Vec<toml::Value> = [n_ctx / 8, n_ctx / 2].map(|p| (p.max(1) as i64).into()).into();
    cx.default("period", period);
    if let Some(&[low, high]) = cx.integers("period").as_deref() {
        let path = format!("{}.period", cx.path);
        period_fits(cx.findings, &path, (low, high), n_ctx);
    }
    let shares = cx.config.get("repeat").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    for share in ["passages", "random"] {
        if shares.get(share).and_then(toml::Value::as_float).is_some_and(|x| x > 0.0) {
            let message = "every sequence of `repeated_random` repeats already";
            cx.error(&format!("repeat.{share}"), message, "leave `repeat` out");
        }
    }
}

fn make(plan: &Plan, rng: &mut Stream, width: usize) -> Vec<usize> {
    let period = plan.dataset.config.get("period").cloned();
    let period = period.and_then(|p| p.try_into().ok()).unwrap_or([1, 1]);
    let period = sequences::period(rng, period);
    // Token 0 starts sequences of ids.
    sequences::tiled(&sequences::uniform(rng, plan.d_vocab(), 0, period), width)
}
