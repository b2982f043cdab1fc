//! What breaks without a head: the causal half of the evidence.

use super::repeated::{self, Repeated};
use super::repeated_loss::{copies, losses};
use super::{Context, ProbeKind};
use crate::error::Result;
use crate::record::Table;
use crate::spec::{Checking, Kind, Trait};

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "ablation",
        doc: "Each head's result is replaced by zero, one head at a time, all else as it was: the \
              rise of the mean loss on the second copy of [BOS, s, s], nats (Olsson et al. 2022, \
              zero ablation). An induction head's removal raises it; other heads' hardly.",
        example: "probe = \"ablation\"",
        keys: &[repeated::TOKENS, repeated::SEQUENCES, repeated::LENGTH, repeated::EXCLUDE],
        traits: &[Trait::NeedsHeads],
        check,
    },
    measure,
    finish: None,
};

fn check(cx: &mut Checking<'_>) {
    repeated::check(cx, 50, 2, 0);
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let repeated: Repeated = cx.config()?;
    let second = |without: &[(usize, usize)]| {
        let losses = losses(cx, &repeated, without)?;
        Ok(copies(&losses, repeated.sequence_length).1)
    };
    let intact = second(&[])?;
    let mut rises = Vec::new();
    for (layer, n_heads) in cx.subject.heads() {
        for head in 0..*n_heads {
            rises.push(((*layer, head), second(&[(*layer, head)])? - intact));
        }
    }
    let mut baseline =
        Table::new("baseline", &[("step", "steps"), ("tokens", "tokens"), ("second_copy", "nats")]);
    baseline.push(cx.row([intact.into()]));
    Ok(vec![cx.heads_table("nats", rises), baseline])
}
