//! The probes of weights and circuits on models whose heads are set by hand.

mod common;

use dfdx::prelude::Cpu;
use indhead::dataset::Dataset;
use indhead::model::{Backend, Model};
use indhead::plan::Plan;
use indhead::probes::Observer;
use indhead::record::{Analysis, Table};

/// Tokens; the stream has a half for the token itself and a half for something else.
const V: usize = 32;
const D: usize = 2 * V;
const ATTENTION: &str = "[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 1\nd_head = 32\n";

fn plan(blocks: &str, probes: &[&str]) -> Plan {
    let analyses: String = probes.iter().map(|p| format!("[[analyses]]\n{p}\n")).collect();
    common::good_plan(&format!(
        "[architecture]\nd_model = {D}\nn_ctx = 64\npositions = \"relative_bias\"\nnormalization = \"none\"\n{blocks}\
         [tokenizer]\nkind = \"ids\"\nd_vocab = {V}\n[dataset]\nkind = \"repeated_random\"\n[training]\nsteps = 1\n{analyses}"
    ))
}

/// A matrix `[rows, columns]` that takes feature `i + from` to feature `i + to`, scaled.
fn shift(rows: usize, columns: usize, from: usize, to: usize, scale: f32) -> Vec<f32> {
    let mut matrix = vec![0.0; rows * columns];
    (0..V).for_each(|i| matrix[(i + from) * columns + i + to] = scale);
    matrix
}

/// The identity before and after the layers, and what is set between; all else is zero.
fn model(plan: &Plan, set: &dyn Fn(&str) -> Option<Vec<f32>>) -> Model<Cpu> {
    let mut model = Model::new(plan, <Cpu as Backend>::open().unwrap()).unwrap();
    let mut tensors = model.to_host();
    for (name, shape, values) in &mut tensors {
        let ends = match name.as_str() {
            "embed.W_E" => Some(shift(V, D, 0, 0, 1.0)),
            "unembed.W_U" => Some(shift(D, V, 0, 0, 1.0)),
            _ => None,
        };
        *values = set(name).or(ends).unwrap_or_else(|| vec![0.0; shape.iter().product()]);
    }
    model.set(&tensors).unwrap();
    model
}

fn observe(plan: &Plan, model: &Model<Cpu>) -> Vec<Analysis> {
    let cache = tempfile::tempdir().unwrap();
    let dataset = Dataset::open(plan, cache.path(), &mut |_| {}).unwrap();
    let mut observer = Observer::new(plan, &dataset);
    observer.observe(1, plan.tokens_at(1), model).unwrap();
    observer.analyses().unwrap()
}

fn table<'a>(analyses: &'a [Analysis], id: &str, name: &str) -> &'a Table {
    analyses.iter().find(|a| a.id == id).unwrap().table(name).unwrap()
}

fn score(analyses: &[Analysis], id: &str) -> f64 {
    table(analyses, id, "heads").numbers("score")[0]
}

/// One head that reads the token as its value and writes what `w_o` makes of it.
fn one_head(w_o: Vec<f32>) -> Vec<Analysis> {
    let whole = "probe = \"copying\"\nid = \"whole\"\nresult = \"whole\"";
    let plan = plan(ATTENTION, &["probe = \"copying\"", whole, "probe = \"ov_eigenvalues\""]);
    let model = model(&plan, &|name| match name {
        "blocks.0.attn.W_V" => Some(shift(D, V, 0, 0, 1.0)),
        "blocks.0.attn.W_O" => Some(w_o.clone()),
        // Attention to the current token alone.
        "blocks.0.attn.rel_bias" => Some((0..64).map(|i| if i == 0 { 100.0 } else { 0.0 }).collect()),
        _ => None,
    });
    observe(&plan, &model)
}

#[test]
fn a_copying_head_copies_by_every_measure() {
    let analyses = one_head(shift(V, D, 0, 0, 3.0));
    for id in ["copying", "whole", "ov_eigenvalues"] {
        assert!((score(&analyses, id) - 1.0).abs() < 1e-6, "{id}: {}", score(&analyses, id));
    }
    let found = table(&analyses, "ov_eigenvalues", "eigenvalues");
    assert_eq!(found.rows.len(), V);
    assert!(found.numbers("re").iter().all(|re| (re - 3.0).abs() < 1e-9));
}

#[test]
fn its_opposite_is_the_opposite() {
    let analyses = one_head(shift(V, D, 0, 0, -3.0));
    for id in ["copying", "whole", "ov_eigenvalues"] {
        assert!((score(&analyses, id) + 1.0).abs() < 1e-6, "{id}: {}", score(&analyses, id));
    }
}

#[test]
fn turning_tokens_into_one_another_has_imaginary_eigenvalues() {
    let mut turn = vec![0.0; V * D];
    for i in (0..V).step_by(2) {
        turn[i * D + i + 1] = 2.0;
        turn[(i + 1) * D + i] = -2.0;
    }
    let analyses = one_head(turn);
    assert!(score(&analyses, "ov_eigenvalues").abs() < 1e-9);
    let im = table(&analyses, "ov_eigenvalues", "eigenvalues").numbers("im");
    assert!(im.iter().all(|im| (im.abs() - 2.0).abs() < 1e-9), "{im:?}");
}

#[test]
fn one_direction_copied_is_one_eigenvalue() {
    // Token 5 is written back with weight 2, all others are dropped.
    let mut rank_one = vec![0.0; V * D];
    rank_one[5 * D + 5] = 2.0;
    let analyses = one_head(rank_one);
    assert!((score(&analyses, "copying") - 1.0).abs() < 1e-6);
    let re = table(&analyses, "ov_eigenvalues", "eigenvalues").numbers("re");
    assert!((re[0] - 2.0).abs() < 1e-9 && re[1..].iter().all(|re| re.abs() < 1e-9), "{re:?}");
}

#[test]
fn weights_that_are_not_finite_measure_nothing() {
    let mut broken = shift(V, D, 0, 0, 1.0);
    broken[3] = f32::NAN;
    let analyses = one_head(broken);
    for id in ["copying", "whole", "ov_eigenvalues"] {
        assert!(score(&analyses, id).is_nan(), "{id}");
    }
    assert!(table(&analyses, "ov_eigenvalues", "eigenvalues").rows.is_empty());
}

/// The positivity of a head above a convolution; it reads values from feature `from` on.
fn above_a_convolution(depthwise: bool, kernel: &[f32], from: usize) -> f64 {
    let conv =
        format!("[[architecture.blocks]]\nkind = \"conv1d\"\nkernel_size = 2\ndepthwise = {depthwise}\n");
    let plan = plan(&(conv + ATTENTION), &["probe = \"ov_eigenvalues\""]);
    let model = model(&plan, &|name| match name {
        "blocks.0.conv.W" => Some(kernel.to_vec()),
        "blocks.1.attn.W_V" => Some(shift(D, V, from, 0, 1.0)),
        "blocks.1.attn.W_O" => Some(shift(V, D, 0, 0, 1.0)),
        _ => None,
    });
    score(&observe(&plan, &model), "ov_eigenvalues")
}

#[test]
fn above_a_convolution_tokens_come_by_its_current_tap() {
    // Into the second half, from where alone the head reads: `[output, input, tap]`.
    let mut full = vec![0.0; D * D * 2];
    (0..V).for_each(|i| full[((i + V) * D + i) * 2 + 1] = 1.0);
    assert!((above_a_convolution(false, &full, V) - 1.0).abs() < 1e-9);
    // The tap of the token before takes no part.
    let mut before = vec![0.0; D * D * 2];
    (0..V).for_each(|i| before[((i + V) * D + i) * 2] = 1.0);
    assert!(above_a_convolution(false, &before, V).is_nan());
    // x - 2 x: the token comes with the other sign.
    let turned: Vec<f32> = (0..D * 2).map(|i| if i % 2 == 1 { -2.0 } else { 5.0 }).collect();
    assert!((above_a_convolution(true, &turned, 0) + 1.0).abs() < 1e-9);
}

#[test]
fn heads_compose_by_what_one_writes_and_the_other_reads() {
    let plan = plan(&ATTENTION.repeat(2), &["probe = \"composition\""]);
    let model = model(&plan, &|name| match name {
        // The token, into the second half; there the other head's keys read it.
        "blocks.0.attn.W_V" => Some(shift(D, V, 0, 0, 1.0)),
        "blocks.0.attn.W_O" => Some(shift(V, D, 0, V, 1.0)),
        "blocks.1.attn.W_Q" => Some(shift(D, V, 0, 0, 30.0)),
        "blocks.1.attn.W_K" => Some(shift(D, V, V, 0, 30.0)),
        "blocks.1.attn.W_V" => Some(shift(D, V, 0, 0, 1.0)),
        "blocks.1.attn.W_O" => Some(shift(V, D, 0, 0, 3.0)),
        _ => None,
    });
    let analyses = observe(&plan, &model);
    let table = table(&analyses, "composition", "composition");
    let ratio = |term: &str| table.filter("term", term).numbers("ratio")[0];
    // Identities of rank V: |A B| = |A| = |B| = sqrt(V).
    assert!((ratio("K") - 1.0 / (V as f64).sqrt()).abs() < 1e-9, "{}", ratio("K"));
    assert_eq!((ratio("Q"), ratio("V")), (0.0, 0.0));
}

#[test]
fn fresh_heads_compose_as_chance_has_it() {
    let blocks = ATTENTION.replace("n_heads = 1", "n_heads = 4").repeat(2);
    let plan = plan(&blocks, &["probe = \"composition\""]);
    let analyses = observe(&plan, &Model::new(&plan, <Cpu as Backend>::open().unwrap()).unwrap());
    let table = table(&analyses, "composition", "composition");
    let scores = table.numbers("score");
    assert_eq!(scores.len(), 3 * 4 * 4);
    assert!(table.numbers("ratio").iter().all(|ratio| *ratio > 0.1));
    assert!(scores.iter().all(|score| score.abs() < 0.02), "{scores:?}");
}
