//! What a step and what each operation cost.

use super::forms::{Composed, Forms, Fused};
use super::model::*;
use dfdx::prelude::*;
use indhead::ops::{self, AdamW, Attention, Backend, Flat, Stream, Unembedding};
use std::time::Instant;

/// The least seconds of a step, and the processor seconds of an average one.
fn time<F: Forms>(size: Size, conv: bool, steps: usize) -> (f64, f64) {
    let mut model = Model::new(size, conv);
    model.train::<F>().unwrap();
    let (before, mut least) = (processor_seconds(), f64::MAX);
    for _ in 0..steps {
        let start = Instant::now();
        model.train::<F>().unwrap();
        least = least.min(start.elapsed().as_secs_f64());
    }
    (least, (processor_seconds() - before) / steps as f64)
}

/// User and system time of this process, where Linux tells it.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

#[test]
#[ignore = "prints times"]
fn step_times() {
    let composed = std::env::var_os("COMPOSED").is_some();
    let only = std::env::var("SIZE").unwrap_or_default();
    let sizes = [("short", SHORT, 100), ("small", SMALL, 60), ("medium", MEDIUM, 12), ("paper", PAPER, 3)];
    for (name, size, steps) in sizes {
        if only != name && (!only.is_empty() || name == "paper") {
            continue;
        }
        let tokens = (size.batch * size.n_ctx) as f64;
        for (kind, conv) in [("conv->attention", true), ("attention->attention", false)] {
            let print = |form: &str, (least, processor): (f64, f64)| {
                let (ms, processor, rate) = (least * 1e3, processor * 1e3, tokens / least);
                println!(
                    "{name:7} {kind:21} {form:9} {ms:8.2} ms, {processor:8.2} ms of processors, {rate:8.0} tokens/s"
                );
            };
            print("fused", time::<Fused>(size, conv, steps));
            if composed {
                print("composed", time::<Composed>(size, conv, 3));
            }
        }
    }
}

/// Forward and backward of one operation, less what summing its output costs.
fn operation_time(
    inputs: &[Flat<Cpu>],
    shape: (usize, usize, usize),
    f: &dyn Fn(&[Flat<Cpu>]) -> Stream<Cpu>,
) -> f64 {
    let best = |f: &dyn Fn(&[Flat<Cpu>]) -> Stream<Cpu>| {
        let seconds = (0..15).map(|_| {
            let start = Instant::now();
            f(inputs).sum().backward();
            start.elapsed().as_secs_f64()
        });
        seconds.fold(f64::MAX, f64::min)
    };
    best(f) - best(&|i| i[0].retaped::<OwnedTape<f32, Cpu>>().reshape_like(&shape))
}

#[test]
#[ignore = "prints times"]
fn operation_times() {
    for (name, Size { d_model: d, n_ctx, n_heads, batch, d_vocab }) in [("small", SMALL), ("medium", MEDIUM)]
    {
        let shape = (batch, n_ctx, d);
        let n = batch * n_ctx * d;
        let device = Cpu::seed_from_u64(1);
        let new = |n: usize| -> Flat<Cpu> { device.sample_normal_like(&(n,)) };
        let tokens: Vec<usize> = (0..batch * n_ctx).map(|i| i * i * 31 % 1013 % d_vocab).collect();
        let stream =
            |x: &Flat<Cpu>| -> Stream<Cpu> { x.retaped::<OwnedTape<f32, Cpu>>().reshape_like(&shape) };
        let options = Attention { n_heads, rel_bias: None, smear: None, rotary: false, keep_pattern: false };
        macro_rules! compare {
            ($op:literal, $inputs:expr, $i:ident, $composed:expr, $fused:expr) => {{
                let inputs: &[Flat<Cpu>] = &$inputs;
                let fused = operation_time(inputs, shape, &|$i| $fused.unwrap());
                let composed = operation_time(inputs, shape, &|$i| $composed.unwrap());
                println!(
                    "{name:7} {:16} composed {:8.2} ms, fused {:7.2} ms, {:6.1} x",
                    $op,
                    composed * 1e3,
                    fused * 1e3,
                    composed / fused
                );
            }};
        }
        compare!(
            "linear",
            [new(n), new(d * d)],
            i,
            ops::linear::composed(stream(&i[0]), &i[1], None, d),
            Cpu::linear(stream(&i[0]), &i[1], None, d)
        );
        compare!(
            "layer norm",
            [new(n), new(d), new(d)],
            i,
            ops::normalize::composed_layer_norm(stream(&i[0]), &i[1], &i[2]),
            Cpu::layer_norm(stream(&i[0]), &i[1], &i[2])
        );
        compare!(
            "rms norm",
            [new(n), new(d)],
            i,
            ops::normalize::composed_rms_norm(stream(&i[0]), &i[1]),
            Cpu::rms_norm(stream(&i[0]), &i[1])
        );
        compare!(
            "attention",
            [new(n), new(n), new(n)],
            i,
            Ok::<_, CpuError>(
                ops::causal_attention::composed(stream(&i[0]), stream(&i[1]), stream(&i[2]), &options)
                    .unwrap()
                    .0
            ),
            Ok::<_, CpuError>(
                Cpu::causal_attention(stream(&i[0]), stream(&i[1]), stream(&i[2]), &options).unwrap().0
            )
        );
        compare!(
            "conv",
            [new(n), new(d * d * 2), new(d)],
            i,
            ops::causal_conv1d::composed(stream(&i[0]), &i[1], &i[2], 2, false),
            Cpu::causal_conv1d(stream(&i[0]), &i[1], &i[2], 2, false)
        );
        compare!(
            "depthwise conv",
            [new(n), new(d * 3), new(d)],
            i,
            ops::causal_conv1d::composed(stream(&i[0]), &i[1], &i[2], 3, true),
            Cpu::causal_conv1d(stream(&i[0]), &i[1], &i[2], 3, true)
        );
        compare!(
            "embedding",
            [new(n), new(d * d_vocab)],
            i,
            ops::embedding::composed(&tokens, batch, n_ctx, &i[1], d),
            Cpu::embedding(&tokens, batch, n_ctx, &i[1], d)
        );
        compare!(
            "positions",
            [new(n), new(d * n_ctx)],
            i,
            ops::embedding::composed_add_positions(stream(&i[0]), &i[1]),
            Cpu::add_positions(stream(&i[0]), &i[1])
        );
        compare!(
            "residual",
            [new(n), new(n)],
            i,
            ops::residual::composed(stream(&i[0]), stream(&i[1])),
            Cpu::add(stream(&i[0]), stream(&i[1]))
        );
        compare!(
            "gelu",
            [new(n)],
            i,
            ops::activation::composed_gelu(stream(&i[0])),
            Cpu::gelu(stream(&i[0]))
        );
        compare!(
            "relu",
            [new(n)],
            i,
            ops::activation::composed_relu(stream(&i[0])),
            Cpu::relu(stream(&i[0]))
        );
        compare!(
            "loss",
            [new(n), new(d * d_vocab)],
            i,
            ops::linear_cross_entropy::composed(stream(&i[0]), &i[1], Unembedding::Untied, d_vocab, &tokens)
                .unwrap()
                .try_reshape_like(&(1, 1, 1)),
            Cpu::linear_cross_entropy(stream(&i[0]), &i[1], Unembedding::Untied, d_vocab, &tokens)
                .unwrap()
                .try_reshape_like(&(1, 1, 1))
        );
        let hyper = AdamW {
            lr: 1e-2,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.01,
            step: 3,
            grad_scale: 0.5,
        };
        let update = |fused: bool| {
            let [mut p, mut m, mut v, g] = [0; 4].map(|_| new(d * d_vocab).square());
            let seconds = (0..15).map(|_| {
                let start = Instant::now();
                if fused {
                    Cpu::adamw(&mut p, &mut m, &mut v, &g, &hyper).unwrap()
                } else {
                    ops::adamw::composed(&mut p, &mut m, &mut v, &g, &hyper).unwrap()
                }
                start.elapsed().as_secs_f64()
            });
            seconds.fold(f64::MAX, f64::min)
        };
        let (composed, fused) = (update(false), update(true));
        println!(
            "{name:7} adamw            composed {:8.2} ms, fused {:7.2} ms, {:6.1} x",
            composed * 1e3,
            fused * 1e3,
            composed / fused
        );
    }
}
