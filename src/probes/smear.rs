//! How much of the previous key a smeared head mixes into each.

use super::{Context, ProbeKind};
use crate::error::Result;
use crate::record::Table;
use crate::spec::check::nothing;
use crate::spec::{Kind, Trait};

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "smear",
        doc: "The share of the current token in each head's keys, sigma(a) of \
              k_t <- sigma(a) k_t + (1 - sigma(a)) k_(t-1) (Olsson et al. 2022, smeared keys). \
              It starts at one half; an induction head needs the token before, and a falls.",
        example: "probe = \"smear\"",
        keys: &[],
        traits: &[Trait::NeedsSmear],
        check: nothing,
    },
    measure,
    finish: None,
};

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let of_layer = |layer: usize| {
        let a = cx.subject.parameter(&format!("blocks.{layer}.attn.smear"));
        let a = a.map_or(Vec::new(), |a| a.values);
        a.into_iter().enumerate().map(move |(head, a)| ((layer, head), share(a)))
    };
    let scores: Vec<_> = (0..cx.subject.n_layers()).flat_map(of_layer).collect();
    Ok(vec![cx.heads_table("share of the current token", scores)])
}

fn share(a: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(a)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_a_sigmoid() {
        assert_eq!(share(0.0), 0.5);
        assert!((share(3f32.ln()) - 0.75).abs() < 1e-7);
        assert!(share(-1e4) == 0.0 && share(1e4) == 1.0);
    }
}
