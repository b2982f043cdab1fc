//! The verdict in words.

use crate::plan::Thresholds;
use crate::record::{Criterion, InductionHead, Outcome, ShiftedHead, Table};

/// What a head had to show: prefix matching, an effect of its removal, copying.
pub fn criteria(thresholds: &Thresholds) -> [Criterion; 3] {
    [
        Criterion {
            measure: "prefix_matching".into(),
            threshold: thresholds.prefix_matching,
            unit: "share of attention".into(),
            meaning: "attention to what followed earlier occurrences of the current token, on random tokens \
                      or on repeated passages"
                .into(),
        },
        Criterion {
            measure: "ablation".into(),
            threshold: thresholds.ablation,
            unit: "nats".into(),
            meaning:
                "rise of the loss on the second copy of random tokens when the head's result is set to zero, \
                      with attention patterns free to change or preserved"
                    .into(),
        },
        Criterion {
            measure: "copying".into(),
            threshold: thresholds.copying,
            unit: "from −1 to 1".into(),
            meaning:
                "how far the head's copying score is above chance: how much of what it adds to the logits of a \
                 sample's tokens goes to the token it attends to, beyond what the others get on average"
                    .into(),
        },
    ]
}

/// One sentence that says why.
pub fn summary(
    outcome: Outcome,
    found: &[InductionHead],
    shifted: &[ShiftedHead],
    heads: &Table,
    thresholds: &Thresholds,
) -> String {
    let best =
        |column: &str| heads.numbers(column).into_iter().filter(|x| x.is_finite()).fold(f64::NAN, f64::max);
    let (random, passages) = (best("prefix_matching"), best("prefix_matching_passages"));
    let strongest = random.max(passages);
    match (outcome, found, shifted) {
        (Outcome::Found, [first, rest @ ..], _) => {
            let others = match rest.len() {
                0 => String::new(),
                1 => ", and one more head meets the criteria".into(),
                n => format!(", and {n} more heads meet the criteria"),
            };
            format!(
                "Head {}.{} is an induction head: it puts {:.2} of its attention on what followed earlier \
                 occurrences of the current token, and without it the loss on repeated tokens rises by {:.2} nats{others}.",
                first.layer,
                first.head,
                first.prefix_matching.max(first.prefix_matching_passages.unwrap_or(0.0)),
                first.ablation,
            )
        }
        (Outcome::NotFound, _, [first, ..]) => format!(
            "No textbook induction head, but a shifted one: head {}.{} puts {:.2} of its attention {} positions \
             after the previous occurrence, and without it the loss on repeated tokens rises by {:.2} nats.",
            first.layer, first.head, first.attention, first.offset, first.ablation,
        ),
        (Outcome::NotFound, ..) => format!(
            "No head is an induction head: the strongest prefix matching is {strongest:.3}, and {:.2} is needed \
             together with a rise of {:.2} nats when the head is removed and copying {:.2} above chance.",
            thresholds.prefix_matching, thresholds.ablation, thresholds.copying,
        ),
        _ if heads.rows.is_empty() => "The model has no attention heads that were measured.".into(),
        _ => "The evidence is incomplete: prefix matching, ablation and copying have to be measured at the last \
              checkpoint."
            .into(),
    }
}
