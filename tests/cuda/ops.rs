//! Every operation: the card's form beside the composed one on the processor, values and gradients.

use dfdx::prelude::*;
use indhead::model::Backend as _;
use indhead::ops::{self, AdamW, Attention, Backend, Flat, Moments, Precision, Stream, Unembedding};
use libtest_mimic::{Failed, Trial};
use std::fmt::Debug;

/// An operation with its sizes, run by either form.
#[derive(Clone, Copy, Debug)]
enum Case {
    Linear { d_in: usize, d_out: usize, bias: bool },
    Heads { d_model: usize, n_heads: usize, d_head: usize },
    LayerNorm { d: usize },
    RmsNorm { d: usize },
    Attention { n_heads: usize, d_head: usize, bias: bool, smear: bool, rotary: bool },
    Conv { d: usize, kernel: usize, depthwise: bool },
    Embedding { d_vocab: usize, d: usize },
    Gelu { d: usize },
    Relu { d: usize },
    Residual { d: usize },
    Loss { d: usize, d_vocab: usize, layout: Unembedding },
}

/// Sequences and positions.
type Size = (usize, usize);

impl Case {
    /// Numbers of every input.
    fn inputs(self, (batch, position): Size) -> Vec<usize> {
        let tokens = batch * position;
        match self {
            Case::Linear { d_in, d_out, .. } => vec![tokens * d_in, d_in * d_out, d_out],
            Case::Heads { d_model, n_heads, d_head } => {
                let w = n_heads * d_model * d_head;
                vec![tokens * d_model, w, w, w]
            }
            Case::LayerNorm { d } | Case::RmsNorm { d } => vec![tokens * d, d, d],
            Case::Attention { n_heads, d_head, .. } => {
                let n = tokens * n_heads * d_head;
                vec![n, n, n, n_heads * (position + 3), n_heads]
            }
            Case::Conv { d, kernel, depthwise } => {
                vec![tokens * d, d * kernel * if depthwise { 1 } else { d }, d]
            }
            Case::Embedding { d_vocab, d } => vec![d_vocab * d, (position + 5) * d],
            Case::Gelu { d } | Case::Relu { d } => vec![tokens * d],
            Case::Residual { d } => vec![tokens * d, tokens * d],
            Case::Loss { d, d_vocab, .. } => vec![tokens * d, d * d_vocab],
        }
    }

    /// By the device's own form, or the composed one; what is seen beside it, the pattern.
    fn run<D: Backend>(
        self,
        (batch, position): Size,
        i: &[Flat<D>],
        composed: bool,
        seen: &mut Option<Vec<f32>>,
    ) -> ops::Result<Stream<D>, D> {
        let stream =
            |n: usize, d: usize| i[n].retaped::<OwnedTape<f32, D>>().try_reshape_like(&(batch, position, d));
        match self {
            Case::Linear { d_in, d_out, bias } => {
                let form = if composed { ops::linear::composed } else { D::linear };
                form(stream(0, d_in)?, &i[1], bias.then_some(&i[2]), d_out)
            }
            Case::Heads { d_model, n_heads, .. } => {
                let form = if composed { ops::linear::composed_heads } else { D::heads_linear };
                let [a, b, c] = form(stream(0, d_model)?, [&i[1], &i[2], &i[3]], n_heads)?;
                a.try_add(b)?.try_mul(c)
            }
            Case::LayerNorm { d } => {
                let form = if composed { ops::normalize::composed_layer_norm } else { D::layer_norm };
                form(stream(0, d)?, &i[1], &i[2])
            }
            Case::RmsNorm { d } => {
                let form = if composed { ops::normalize::composed_rms_norm } else { D::rms_norm };
                form(stream(0, d)?, &i[1])
            }
            Case::Attention { n_heads, d_head, bias, smear, rotary } => {
                let options = Attention {
                    n_heads,
                    rel_bias: bias.then_some(&i[3]),
                    smear: smear.then_some(&i[4]),
                    rotary,
                    keep_pattern: true,
                };
                let [q, k, v] = [0, 1, 2].map(|n| stream(n, n_heads * d_head));
                let form = if composed { ops::causal_attention::composed } else { D::causal_attention };
                let (z, pattern) = form(q?, k?, v?, &options)?;
                *seen = pattern.map(|pattern| pattern.as_vec());
                Ok(z)
            }
            Case::Conv { d, kernel, depthwise } => {
                let form = if composed { ops::causal_conv1d::composed } else { D::causal_conv1d };
                form(stream(0, d)?, &i[1], &i[2], kernel, depthwise)
            }
            Case::Embedding { d_vocab, d } => {
                let tokens: Vec<usize> = (0..batch * position).map(|i| i * i % d_vocab).collect();
                let form = if composed { ops::embedding::composed } else { D::embedding };
                let add = if composed { ops::embedding::composed_add_positions } else { D::add_positions };
                add(form(&tokens, batch, position, &i[0], d)?, &i[1])
            }
            Case::Gelu { d } => {
                (if composed { ops::activation::composed_gelu } else { D::gelu })(stream(0, d)?)
            }
            Case::Relu { d } => {
                (if composed { ops::activation::composed_relu } else { D::relu })(stream(0, d)?)
            }
            Case::Residual { d } => {
                (if composed { ops::residual::composed } else { D::add })(stream(0, d)?, stream(1, d)?)
            }
            Case::Loss { d, d_vocab, layout } => {
                let targets: Vec<usize> = (0..batch * position).map(|i| i * i % d_vocab).collect();
                let form =
                    if composed { ops::linear_cross_entropy::composed } else { D::linear_cross_entropy };
                let loss = form(stream(0, d)?, &i[1], layout, d_vocab, &targets)?;
                loss.try_mul(3.0f32)?.try_reshape_like(&(1, 1, 1))
            }
        }
    }
}

/// Values, and the gradients of the inputs under a fixed weighting of them.
#[derive(Debug, PartialEq)]
struct Outcome(Vec<Vec<f32>>);

fn outcome<D: Backend>(device: &D, case: Case, size: Size, composed: bool) -> Outcome {
    let inputs: Vec<Flat<D>> = (1..)
        .zip(case.inputs(size))
        .map(|(seed, n)| device.tensor_from_vec(numbers(n, seed), (n,)))
        .collect();
    let mut seen = None;
    let y = case.run(size, &inputs, composed, &mut seen).unwrap();
    let mut all = vec![y.as_vec(), seen.unwrap_or_default()];
    let weights = device.tensor_from_vec(numbers(all[0].len(), 4711), *y.shape());
    // `y` meets its weights by a product and a mean, the plainest of dfdx's operations.
    let mut grads = y.try_mul(weights).unwrap().mean::<(), Axes3<0, 1, 2>>().backward();
    for input in &inputs {
        grads.try_alloc_for(input).unwrap();
        all.push(grads.get(input).as_vec());
    }
    Outcome(all)
}

/// `n` normal numbers.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let tensor: Flat<Cpu> = Cpu::seed_from_u64(seed).sample_normal_like(&(n,));
    tensor.as_vec()
}

/// `|a - b| <= tolerance * (largest |b| + |b|)` everywhere.
fn close(a: &Outcome, b: &Outcome, tolerance: f32, what: &dyn Debug) -> Result<(), Failed> {
    for (which, (a, b)) in a.0.iter().zip(&b.0).enumerate() {
        let scale = b.iter().fold(0f32, |most, b| most.max(b.abs()));
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            if (a - b).abs() > tolerance * (scale + b.abs()) + 1e-7 || !a.is_finite() {
                // Values, patterns, then gradients.
                return Err(format!("{what:?}: {which} [{i}] is {a}, not {b} (of {scale})").into());
            }
        }
    }
    Ok(())
}

const SIZES: [Size; 4] = [(1, 1), (2, 7), (3, 33), (2, 130)];

fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::Linear { d_in: 13, d_out: 24, bias: true },
        Case::Linear { d_in: 16, d_out: 9, bias: false },
        Case::Heads { d_model: 13, n_heads: 3, d_head: 8 },
        Case::Heads { d_model: 16, n_heads: 2, d_head: 5 },
        Case::LayerNorm { d: 13 },
        Case::LayerNorm { d: 520 },
        Case::RmsNorm { d: 24 },
        Case::Embedding { d_vocab: 30, d: 24 },
        Case::Embedding { d_vocab: 301, d: 7 },
        Case::Gelu { d: 24 },
        Case::Relu { d: 24 },
        Case::Residual { d: 24 },
    ];
    for n in 0..8 {
        let (bias, smear, rotary) = (n & 1 > 0, n & 2 > 0, n & 4 > 0);
        cases.push(Case::Attention { n_heads: 2, d_head: 8, bias, smear, rotary });
    }
    cases.push(Case::Attention { n_heads: 1, d_head: 64, bias: true, smear: false, rotary: false });
    for (d, kernel) in [(13, 1), (16, 2), (8, 3), (8, 4)] {
        cases.extend([false, true].map(|depthwise| Case::Conv { d, kernel, depthwise }));
    }
    for layout in [Unembedding::Untied, Unembedding::Tied] {
        cases.extend([(8, 13), (13, 300), (24, 1001)].map(|(d, d_vocab)| Case::Loss { d, d_vocab, layout }));
    }
    cases
}

fn card() -> Cuda {
    Cuda::open().unwrap()
}

/// In which order an emulated card runs threads, where nothing bids them wait; a real one has its own.
fn in_order(order: &str) {
    // SAFETY: there is one thread.
    unsafe { std::env::set_var("INDHEAD_EMULATOR_ORDER", order) };
}

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("adamw_and_the_norm_are_the_processors", adamw),
        Trial::test("losses_without_a_record_are_the_processors", token_losses),
        Trial::test("one_tensor_may_be_all_three", one_for_three),
        Trial::test("a_given_pattern_mixes_values", mix),
    ];
    for case in cases() {
        let trial = move || {
            for size in SIZES {
                let (device, processor) = (card(), Cpu::default());
                let ours = outcome(&device, case, size, false);
                let composed = outcome(&processor, case, size, true);
                close(&ours, &composed, 5e-5, &(case, size))?;
                for order in ["backward", "shuffled"] {
                    in_order(order);
                    if ours != outcome(&device, case, size, false) {
                        return Err(format!("{case:?} {size:?}, {order}: another time, other bits").into());
                    }
                }
                in_order("forward");
                let rounded = [(Precision::Bf16, 4e-2), (Precision::Tf32, 5e-3)];
                // TF32 goes the way of f32: one size tells.
                let rounded = if size == SIZES[1] { &rounded[..] } else { &rounded[..1] };
                for &(precision, tolerance) in rounded {
                    let rounded = || outcome(&device, case, size, false);
                    let rounded = <Cuda as Backend>::with_precision(precision, rounded);
                    close(&rounded, &composed, tolerance, &(case, size, precision))?;
                }
            }
            Ok(())
        };
        trials.push(Trial::test(format!("{case:?} is its composed form"), trial));
    }
    trials
}

fn adamw() -> Result<(), Failed> {
    let n = 40_000;
    let hyper =
        AdamW { lr: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.2, step: 7, grad_scale: 0.3 };
    fn steps<D: Backend>(device: &D, n: usize, hyper: &AdamW, composed: bool) -> (f64, Outcome) {
        let tensor = |seed| device.tensor_from_vec(numbers(n, seed), (n,));
        let mut param: Flat<D> = tensor(1);
        let mut moments = Moments::default();
        moments.set(&param, [tensor(2) * 0.1, tensor(3).square()]).unwrap();
        let mut grads = (param.leaky_trace() * tensor(4)).mean().backward();
        let (norm, step): (fn(&_, &mut _) -> _, fn(&mut _, &mut _, &mut _, &_) -> _) = match composed {
            true => (ops::adamw::composed_squared_norm, ops::adamw::composed),
            false => (D::squared_norm, D::adamw),
        };
        let squares = norm(&param, &mut grads).unwrap();
        step(&mut param, &mut moments, &mut grads, hyper).unwrap();
        let [m, v] = moments.get(&param).unwrap();
        (squares, Outcome(vec![param.as_vec(), m.as_vec(), v.as_vec()]))
    }
    let (squares, ours) = steps(&card(), n, &hyper, false);
    let (expected, composed) = steps(&Cpu::default(), n, &hyper, true);
    if (squares - expected).abs() > 1e-4 * expected {
        return Err(format!("the sum of squares is {squares}, not {expected}").into());
    }
    close(&ours, &composed, 2e-6, &"adamw")
}

fn token_losses() -> Result<(), Failed> {
    let (size, d, d_vocab) = ((3, 50, 16), 16, 301);
    let targets: Vec<usize> = (0..150).map(|i| i * i % d_vocab).collect();
    for layout in [Unembedding::Untied, Unembedding::Tied] {
        let (x, w) = (numbers(150 * d, 1), numbers(d * d_vocab, 2));
        let device = card();
        let (x2, w2) =
            (device.tensor_from_vec(x.clone(), size), device.tensor_from_vec(w.clone(), (w.len(),)));
        let ours = Cuda::token_losses(&x2, &w2, layout, d_vocab, &targets)?;
        let logits = Cuda::logits(&x2, &w2, layout, d_vocab)?.as_vec();
        let cpu = Cpu::default();
        let (x, w) = (cpu.tensor_from_vec(x, size), cpu.tensor_from_vec(w.clone(), (w.len(),)));
        let losses = ops::linear_cross_entropy::composed_token_losses(&x, &w, layout, d_vocab, &targets)?;
        let expected = ops::linear_cross_entropy::composed_logits(&x, &w, layout, d_vocab)?.as_vec();
        close(&Outcome(vec![ours, logits]), &Outcome(vec![losses, expected]), 1e-5, &layout)?;
    }
    Ok(())
}

fn one_for_three() -> Result<(), Failed> {
    fn gradients<D: Backend>(device: &D, of: [usize; 3], composed: bool) -> Vec<Vec<f32>> {
        let x: [Flat<D>; 3] = [0, 1, 2].map(|_| device.tensor_from_vec(numbers(80, 1), (80,)));
        let options =
            Attention { n_heads: 2, rel_bias: None, smear: None, rotary: false, keep_pattern: false };
        let [q, k, v] = of.map(|n| x[n].retaped::<OwnedTape<f32, D>>().reshape_like(&(2, 5, 8)));
        let form = if composed { ops::causal_attention::composed } else { D::causal_attention };
        let (z, _) = form(q, k, v, &options).unwrap();
        let mut grads = z.square().mean::<(), Axes3<0, 1, 2>>().backward();
        let gradient = |x: &Flat<D>| {
            grads.try_alloc_for(x).unwrap();
            grads.get(x).as_vec()
        };
        x.iter().map(gradient).collect()
    }
    let three = gradients(&Cpu::default(), [0, 1, 2], true);
    let sum = (0..80).map(|i| three.iter().map(|d| d[i]).sum()).collect();
    let one = gradients(&card(), [0, 0, 0], false).swap_remove(0);
    close(&Outcome(vec![one]), &Outcome(vec![sum]), 1e-5, &"attention of one tensor")
}

fn mix() -> Result<(), Failed> {
    fn mixed<D: Backend>(device: &D, composed: bool) -> Outcome {
        let pattern = device.tensor_from_vec(numbers(2 * 3 * 9 * 9, 1), (2, 3, 9, 9));
        let v = device.tensor_from_vec(numbers(2 * 9 * 15, 2), (2, 9, 15));
        let form = if composed { ops::causal_attention::composed_mix } else { D::mix };
        Outcome(vec![form(&pattern, &v).unwrap().as_vec()])
    }
    let (ours, composed) = (|| mixed(&card(), false), mixed(&Cpu::default(), true));
    close(&ours(), &composed, 1e-5, &"a given pattern")?;
    let rounded = <Cuda as Backend>::with_precision(Precision::Bf16, ours);
    close(&rounded, &composed, 3e-2, &"a given pattern in bf16")
}
