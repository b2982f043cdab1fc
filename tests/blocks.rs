//! Every kind of block, from the registry: gradients against finite differences, and causality.

mod common;

use dfdx::prelude::*;
use indhead::model::{Backend, Intervention, Model, Pass, Subject, blocks};
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
    let without = model.losses_under(&windows, &[Intervention::without((0, 1))]).unwrap().concat();
    // The same model with the head's part of W_O set to zero.
    let mut tensors = model.to_host();
    let (_, shape, w_o) = tensors.iter_mut().find(|t| t.0.ends_with("W_O")).unwrap();
    let size = shape[1] * shape[2];
    w_o[size..2 * size].fill(0.0);
    model.set(&tensors).unwrap();
    let silenced = model.losses(&windows).unwrap();
    assert_eq!(without, silenced);
}

/// A model of two attention layers, and windows for it.
fn two_layers() -> (Model<Cpu>, Vec<Vec<usize>>) {
    let plan = common::good_plan(
        "[architecture]\nd_model = 12\nn_ctx = 9\npositions = \"relative_bias\"\n\
         [[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\n\
         [[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\n\
         [tokenizer]\nkind = \"ids\"\nd_vocab = 11\n[dataset]\nkind = \"repeated_random\"\n[training]\nsteps = 1\n",
    );
    (model(&plan), vec![(0..10).collect(), (0..10).map(|i| i * i % 11).collect()])
}

#[test]
fn with_frozen_patterns_an_untouched_model_is_untouched() {
    let (model, windows) = two_layers();
    let run = |frozen_patterns| {
        let intervention = Intervention { frozen_patterns, ..Intervention::default() };
        model.losses_under(&windows, &[intervention]).unwrap().concat()
    };
    for (frozen, free) in run(true).concat().iter().zip(run(false).concat()) {
        assert!((frozen - free).abs() < 1e-5, "{frozen} {free}");
    }
}

#[test]
fn frozen_patterns_let_a_head_reach_others_by_values_alone() {
    let (mut model, windows) = two_layers();
    let without = |model: &Model<Cpu>, head, frozen_patterns| {
        let replaced = vec![(head, None)];
        model.losses_under(&windows, &[Intervention { replaced, frozen_patterns }]).unwrap().concat().concat()
    };
    let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // In the last layer nobody is left to look elsewhere.
    assert!(far(&without(&model, (1, 0), true), &without(&model, (1, 0), false)) < 1e-5);
    assert!(far(&without(&model, (0, 0), true), &without(&model, (0, 0), false)) > 1e-4);
    // Where the later layer writes nothing, it does not matter where it looks.
    let mut tensors = model.to_host();
    let (_, _, w_o) = tensors.iter_mut().find(|t| t.0 == "blocks.1.attn.W_O").unwrap();
    w_o.fill(0.0);
    model.set(&tensors).unwrap();
    assert!(far(&without(&model, (0, 0), true), &without(&model, (0, 0), false)) < 1e-5);
}

#[test]
fn a_replaced_result_is_that_at_every_position() {
    let (mut model, windows) = two_layers();
    let by: Vec<f32> = (0..6).map(|i| 0.3 * i as f32 - 0.7).collect();
    let replaced = vec![((1, 1), Some(by.clone()))];
    let intervention = Intervention { replaced, frozen_patterns: false };
    let losses = model.losses_under(&windows, &[intervention]).unwrap().concat();
    // The head silenced in the weights, and the constant added to the stream by hand.
    let mut tensors = model.to_host();
    let find = |tensors: &[(String, Vec<usize>, Vec<f32>)], name: &str| {
        tensors.iter().find(|t| t.0 == name).unwrap().2.clone()
    };
    let w_o = find(&tensors, "blocks.1.attn.W_O");
    let constant: Vec<f32> = (0..12).map(|d| (0..6).map(|e| by[e] * w_o[(6 + e) * 12 + d]).sum()).collect();
    let (_, _, w) = tensors.iter_mut().find(|t| t.0 == "blocks.1.attn.W_O").unwrap();
    w[6 * 12..].fill(0.0);
    model.set(&tensors).unwrap();
    let silenced = model.streams(&[windows[0][..9].to_vec()]).unwrap();
    let (gain, bias) = (find(&tensors, "ln_final.w"), find(&tensors, "ln_final.b"));
    let w_u = find(&tensors, "unembed.W_U");
    let last = &silenced.after.last().unwrap().1;
    for (t, x) in last.chunks(12).enumerate() {
        let x: Vec<f64> = x.iter().zip(&constant).map(|(x, c)| f64::from(x + c)).collect();
        let mean = x.iter().sum::<f64>() / 12.0;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 12.0;
        let normed: Vec<f64> = (0..12)
            .map(|d| (x[d] - mean) / (variance + 1e-5).sqrt() * f64::from(gain[d]) + f64::from(bias[d]))
            .collect();
        let logits: Vec<f64> =
            (0..11).map(|v| (0..12).map(|d| normed[d] * f64::from(w_u[d * 11 + v])).sum()).collect();
        let sum: f64 = logits.iter().map(|l| l.exp()).sum();
        let expected = sum.ln() - logits[windows[0][t + 1]];
        assert!((expected - f64::from(losses[0][t])).abs() < 1e-4, "{expected} {}", losses[0][t]);
    }
}

#[test]
fn a_token_that_is_none_is_told() {
    let (_, plan) = plans().remove(0);
    let model = Model::new(&plan, <Cpu as Backend>::open().unwrap()).unwrap();
    let windows: Vec<usize> =
        (0..2 * (N_CTX + 1)).map(|i| if i == 13 { D_VOCAB } else { i % D_VOCAB }).collect();
    let wanted = format!("token {D_VOCAB} is beyond the vocabulary of {D_VOCAB}");
    let losses = model.token_losses(&windows, 2, &mut Pass::default()).map(|_| ());
    let logits = model.logits(&windows, 2, &mut Pass::default()).map(|_| ());
    for said in [losses, logits, model.loss(&windows, 2).map(|_| ())] {
        assert!(said.unwrap_err().to_string().contains(&wanted));
    }
}
