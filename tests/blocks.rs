//! Every kind of block, from the registry: gradients against finite differences, and causality.

mod common;

use dfdx::prelude::*;
use indhead::model::{Backend, Model, Pass, Subject, blocks};
use indhead::plan::Plan;
use indhead::random;

const N_CTX: usize = 9;
const D_VOCAB: usize = 11;

/// One-block plans: each kind's own example, and its variants.
fn plans() -> Vec<(String, Plan)> {
    let variants: &[(&str, &[&str])] = &[
        (
            "attention",
            &[
                "n_heads = 2\npositions = \"relative_bias\"",
                "n_heads = 2\npositions = \"rotary\"",
                "n_heads = 2\npositions = \"shortformer\"",
                "n_heads = 2\npositions = \"none\"\nsmeared_keys = true",
                "n_heads = 3\nd_head = 2\npositions = \"rotary\"\nsmeared_keys = true",
            ],
        ),
        ("conv1d", &["kernel_size = 3\ndepthwise = true", "kernel_size = 1", "kernel_size = 9"]),
        ("mlp", &["d_mlp = 5\nactivation = \"relu\""]),
    ];
    let mut plans = Vec::new();
    for kind in blocks::KINDS {
        let own = variants.iter().filter(|(name, _)| *name == kind.kind.name).flat_map(|(_, v)| v.iter());
        let tables = own.map(|v| format!("kind = {:?}\n{v}", kind.kind.name));
        for table in std::iter::once(kind.kind.example.to_string()).chain(tables) {
            for norm in ["layer", "rms", "none"] {
                let spec = format!(
                    "[architecture]\nd_model = 8\nn_ctx = {N_CTX}\npositions = \"none\"\nnormalization = \"{norm}\"\n\
                     init = {{ unembedding_std = 0.4 }}\n[[architecture.blocks]]\n{table}\n\
                     [tokenizer]\nkind = \"ids\"\nd_vocab = {D_VOCAB}\n\
                     [dataset]\nkind = \"repeated_random\"\nperiod = [2, 4]\n[training]\nsteps = 1\n"
                );
                plans.push((format!("{table}\nnormalization = {norm}"), common::good_plan(&spec)));
            }
        }
    }
    plans
}

/// A model whose zero and one starts are moved off, so that every path counts.
fn model(plan: &Plan) -> Model<Cpu> {
    let mut model = Model::new(plan, <Cpu as Backend>::open().unwrap()).unwrap();
    let mut tensors = model.to_host();
    for (i, (_, _, values)) in tensors.iter_mut().enumerate() {
        let noise = random::normals(&mut random::stream(7, "noise", i as u64), values.len());
        values.iter_mut().zip(noise).for_each(|(x, n)| *x += 0.2 * n);
    }
    model.set(&tensors).unwrap();
    model
}

fn tokens(count: usize) -> Vec<usize> {
    let mut rng = random::stream(3, "tokens", 0);
    (0..count).map(|_| random::below(&mut rng, D_VOCAB as u64) as usize).collect()
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let windows = tokens(2 * (N_CTX + 1));
    for (name, plan) in plans() {
        let mut model = model(&plan);
        let mut gradients = model.loss(&windows, 2).unwrap().backward();
        let mut taken = Vec::new();
        for param in model.params.iter() {
            gradients.try_alloc_for(&param.value).unwrap();
            let gradient = gradients.get(&param.value);
            taken.push((param.name.clone(), gradient.as_vec()));
        }
        let start = model.to_host();
        for (index, (parameter, gradient)) in taken.iter().enumerate() {
            // Along one random direction: the difference of two losses against the dot product.
            let direction = random::normals(&mut random::stream(9, parameter, 0), gradient.len());
            let mut loss_at = |by: f32| {
                let mut moved = start.clone();
                moved[index].2.iter_mut().zip(&direction).for_each(|(x, d)| *x += by * d);
                model.set(&moved).unwrap();
                // The mean in f64, of losses in f32.
                let losses = model.token_losses(&windows, 2, &mut Pass::default()).unwrap();
                losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len() as f64
            };
            let h = 2e-3f32;
            // Richardson's extrapolation: relu kinks and curvature cost less than at one step.
            let slope = |h: f32, up: f64, down: f64| (up - down) / (2.0 * f64::from(h));
            let (near, far) =
                (slope(h, loss_at(h), loss_at(-h)), slope(2.0 * h, loss_at(2.0 * h), loss_at(-2.0 * h)));
            let numeric = (4.0 * near - far) / 3.0;
            let exact: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
            let scale = exact.abs().max(0.05);
            assert!(
                (numeric - exact).abs() < 0.02 * scale,
                "{name}\n{parameter}: gradient {exact}, finite difference {numeric}"
            );
        }
    }
}

#[test]
fn no_position_sees_the_future() {
    let before = tokens(N_CTX);
    for (name, plan) in plans() {
        let model = model(&plan);
        let logits = |tokens: &[usize]| model.logits(tokens, 1, &mut Pass::default()).unwrap();
        let reference = logits(&before);
        for changed in 0..N_CTX {
            let mut after = before.clone();
            after[changed] = (after[changed] + 1) % D_VOCAB;
            let moved = logits(&after);
            let same = |position: usize| {
                let range = position * D_VOCAB..(position + 1) * D_VOCAB;
                reference[range.clone()] == moved[range]
            };
            assert!((0..changed).all(same), "{name}\nposition {changed} was seen before its time");
            assert!(!same(changed), "{name}\nposition {changed} does not see itself");
        }
    }
}

#[test]
fn without_a_head_its_result_is_missing_and_nothing_else() {
    let (_, plan) = plans().into_iter().find(|(name, _)| name.contains("relative_bias")).unwrap();
    let mut model = model(&plan);
    let windows = vec![tokens(N_CTX + 1)];
    let without = model.losses(&windows, &[(0, 1)]).unwrap();
    // The same model with the head's part of W_O set to zero.
    let mut tensors = model.to_host();
    let (_, shape, w_o) = tensors.iter_mut().find(|t| t.0.ends_with("W_O")).unwrap();
    let size = shape[1] * shape[2];
    w_o[size..2 * size].fill(0.0);
    model.set(&tensors).unwrap();
    let silenced = model.losses(&windows, &[]).unwrap();
    assert_eq!(without, silenced);
}
