//! Whether a head's OV circuit copies: the eigenvalues of what it makes of each token.

use super::circuits::{self, eigenvalues};
use super::{Context, ProbeKind};
use crate::error::Result;
use crate::record::{Cell, Table};
use crate::spec::check::nothing;
use crate::spec::{Kind, Trait};

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "ov_eigenvalues",
        doc: "Elhage et al. 2021: the eigenvalues of a head's OV circuit W_E W_V W_O W_U, which says \
              what attending to each token does to the logits of each: where they are positive, a \
              token raises itself. They are those of W_O W_U W_E W_V, d_head × d_head; the rest are \
              zero. The norm's gain and centring before W_V and before W_U are folded in, its scale \
              and biases left out. Above a convolution W_E is replaced by the current-token path, \
              W_E + norm(W_E) K with K the kernel's tap of the current token; what heads and MLPs \
              below add is left out. The score is the positivity, the sum of Re λ over the sum of \
              |λ|: 1 copying, 0 neither, -1 its opposite; none where a weight is not finite.",
        example: "probe = \"ov_eigenvalues\"",
        keys: &[],
        traits: &[Trait::NeedsHeads],
        check: nothing,
    },
    measure,
    finish: None,
};

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("layer", ""),
        ("head", ""),
        ("re", "logits"),
        ("im", "logits"),
    ];
    let mut table = Table::new("eigenvalues", &columns);
    let layers = circuits::read_and_written(cx.subject).unwrap_or_default();
    let mut scores = Vec::new();
    for head in circuits::heads(cx.subject) {
        let product = layers.iter().find(|(layer, _)| *layer == head.layer);
        let found = product.and_then(|(_, product)| eigenvalues(&head.w_o * product * &head.w_v));
        for &(re, im) in found.iter().flatten() {
            let place = [Cell::from(head.layer), head.head.into()];
            table.push(cx.row([place[0].clone(), place[1].clone(), re.into(), im.into()]));
        }
        scores.push(((head.layer, head.head), positivity(&found.unwrap_or_default())));
    }
    Ok(vec![cx.heads_table("Σ Re λ / Σ |λ|", scores), table])
}

/// `Σ Re λ / Σ |λ|`, from -1 to 1; `NaN` where nothing is there or all is zero.
fn positivity(eigenvalues: &[(f64, f64)]) -> f64 {
    let (sum, size) = eigenvalues.iter().fold((0.0, 0.0), |(s, n), (re, im)| (s + re, n + re.hypot(*im)));
    sum / size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positivity_is_the_share_of_what_is_real_and_positive() {
        assert_eq!(positivity(&[(2.0, 0.0), (1.0, 0.0)]), 1.0);
        assert_eq!(positivity(&[(3.0, 4.0), (3.0, -4.0)]), 0.6);
        assert_eq!(positivity(&[(1.0, 0.0), (-3.0, 0.0)]), -0.5);
        assert!(positivity(&[]).is_nan() && positivity(&[(0.0, 0.0)]).is_nan());
    }
}
