//! How much of what an earlier head writes a later head reads: Q-, K- and V-composition.

use super::circuits::{self, Head};
use super::{Context, ProbeKind, mean};
use crate::error::Result;
use crate::random::{self, Stream};
use crate::record::{Cell, Table};
use crate::spec::check::nothing;
use crate::spec::{Default, Key, Kind, Trait, Type};
use nalgebra::DMatrix;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "composition",
        doc: "Elhage et al. 2021: of every head and every head of an earlier layer, with W_OV = W_V W_O \
              of the earlier head and, of the later one, W = W_Q W_K^T (Q-composition), W_K W_Q^T (K) \
              or W_V W_O (V), the ratio of Frobenius norms |W_OV W| / (|W_OV| |W|), 0 to 1, and as \
              the score that ratio minus its mean over Gaussian matrices of the same shapes (as the \
              corrected figure has it): 0 is chance. An induction head shows K-composition with a \
              previous-token head. The norm before the later head's maps is folded in, as \
              TransformerLens does with fold_ln; the scale drops out. What convolutions and MLPs \
              write is no head's and not measured.",
        example: "probe = \"composition\"",
        keys: &[Key {
            name: "samples",
            ty: Type::Integer(1, 10_000),
            default: Default::Value("32"),
            doc: "random matrices of each shape that the mean is taken over",
        }],
        traits: &[Trait::NeedsHeads, Trait::NeedsHeadsBelow],
        check: nothing,
    },
    measure,
    finish: None,
};

#[derive(Debug, Deserialize)]
struct Config {
    samples: usize,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let Config { samples } = cx.config()?;
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("earlier_layer", ""),
        ("earlier_head", ""),
        ("layer", ""),
        ("head", ""),
        ("term", ""),
        ("ratio", "ratio of norms"),
        ("score", "ratio of norms above chance"),
    ];
    let mut table = Table::new("composition", &columns);
    let heads = circuits::heads(cx.subject);
    let written: Vec<Product> = heads.iter().map(|h| Product::new(h.w_v.clone(), h.w_o.clone())).collect();
    let mut chances = BTreeMap::new();
    for later in &heads {
        for (term, read) in terms(later) {
            for (earlier, written) in heads.iter().zip(&written).filter(|(e, _)| e.layer < later.layer) {
                let shape = (earlier.w_v.ncols(), later.w_v.ncols());
                let chance = chances
                    .entry(shape)
                    .or_insert_with(|| chance(&mut cx.rng.clone(), later.w_v.nrows(), shape, samples));
                let ratio = ratio(written, &read);
                let places = [earlier.layer, earlier.head, later.layer, later.head].map(Cell::from);
                let [a, b, c, d] = places;
                table.push(cx.row([a, b, c, d, term.into(), ratio.into(), (ratio - *chance).into()]));
            }
        }
    }
    Ok(vec![table])
}

/// A matrix `[d_model, d_model]` as a product of `left` `[d_model, d_head]` and `right`
/// `[d_head, d_model]`; it is never made whole.
struct Product {
    left: DMatrix<f64>,
    right: DMatrix<f64>,
    /// `left^T left` `[d_head, d_head]`
    left_gram: DMatrix<f64>,
    /// `right right^T` `[d_head, d_head]`
    right_gram: DMatrix<f64>,
}

impl Product {
    fn new(left: DMatrix<f64>, right: DMatrix<f64>) -> Self {
        let (left_gram, right_gram) = (left.tr_mul(&left), &right * right.transpose());
        Product { left, right, left_gram, right_gram }
    }

    /// The Frobenius norm.
    fn norm(&self) -> f64 {
        self.left_gram.dot(&self.right_gram).sqrt()
    }
}

/// What a head reads by each way of composing.
fn terms(head: &Head) -> [(&'static str, Product); 3] {
    let Head { w_q, w_k, w_v, w_o, .. } = head;
    [
        ("Q", Product::new(w_q.clone(), w_k.transpose())),
        ("K", Product::new(w_k.clone(), w_q.transpose())),
        ("V", Product::new(w_v.clone(), w_o.clone())),
    ]
}

/// `|A B| / (|A| |B|)` in Frobenius norms; with M what lies between the outer factors,
/// `|left M right|² = Σ (left^T left M) ∘ (M right right^T)`.
fn ratio(a: &Product, b: &Product) -> f64 {
    let between = &a.right * &b.left;
    let square = (&a.left_gram * &between).dot(&(&between * &b.right_gram));
    square.max(0.0).sqrt() / (a.norm() * b.norm())
}

/// The mean ratio of products of Gaussian matrices.
fn chance(rng: &mut Stream, d_model: usize, (earlier, later): (usize, usize), samples: usize) -> f64 {
    let mut product = |d_head: usize| {
        let mut factor = |rows, columns| {
            let values = random::normals(rng, rows * columns);
            DMatrix::from_iterator(rows, columns, values.into_iter().map(f64::from))
        };
        let left = factor(d_model, d_head);
        Product::new(left, factor(d_head, d_model))
    };
    mean((0..samples).map(|_| {
        let a = product(earlier);
        ratio(&a, &product(later))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(seed: u64, d_model: usize, d_head: usize) -> Product {
        let mut rng = random::stream(seed, "test", 0);
        let mut factor = |rows, columns| {
            let values = random::normals(&mut rng, rows * columns);
            DMatrix::from_iterator(rows, columns, values.into_iter().map(f64::from))
        };
        let left = factor(d_model, d_head);
        Product::new(left, factor(d_head, d_model))
    }

    #[test]
    fn the_ratio_is_that_of_the_whole_matrices() {
        let (a, b) = (product(0, 12, 3), product(1, 12, 5));
        let (whole_a, whole_b) = (&a.left * &a.right, &b.left * &b.right);
        let known = (&whole_a * &whole_b).norm() / (whole_a.norm() * whole_b.norm());
        assert!((ratio(&a, &b) - known).abs() < 1e-12, "{} {known}", ratio(&a, &b));
    }

    #[test]
    fn aligned_heads_compose_and_random_ones_do_as_chance() {
        let unit = |i: usize| DMatrix::from_fn(8, 1, |row, _| if row == i { 1.0 } else { 0.0 });
        let map = |from, to| Product::new(unit(from), unit(to).transpose());
        assert_eq!(ratio(&map(0, 3), &map(3, 5)), 1.0);
        assert_eq!(ratio(&map(0, 3), &map(4, 5)), 0.0);
        let chance = chance(&mut random::stream(7, "test", 0), 64, (32, 16), 32);
        let found = mean((0..20).map(|seed| ratio(&product(seed, 64, 32), &product(100 + seed, 64, 16))));
        assert!(chance > 0.1 && (found - chance).abs() < 0.003, "{found} {chance}");
    }
}
