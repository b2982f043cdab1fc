//! Every operation at the sizes of `specs/bench`, there and back, fused against composed.
//!
//! `cargo bench` runs all of them; `cargo bench -- medium/attention` some.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dfdx::prelude::*;
use indhead::ops::{self, AdamW, Attention, Backend, Flat, Moments, Result, Stream, Unembedding};
use std::hint::black_box;

struct Size {
    name: &'static str,
    d_model: usize,
    n_ctx: usize,
    n_heads: usize,
    d_vocab: usize,
    batch: usize,
}

const SIZES: [Size; 2] = [
    Size { name: "small", d_model: 64, n_ctx: 64, n_heads: 4, d_vocab: 512, batch: 32 },
    Size { name: "medium", d_model: 256, n_ctx: 256, n_heads: 8, d_vocab: 4096, batch: 16 },
];

type Run<'a> = &'a dyn Fn(&[Flat<Cpu>]) -> Result<Stream<Cpu>, Cpu>;

/// The operation forward, and backward from the sum of its output.
fn compare(criterion: &mut Criterion, name: &str, inputs: &[Flat<Cpu>], fused: Run, composed: Run) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for (form, run) in [("fused", fused), ("composed", composed)] {
        group.bench_function(form, |bencher| {
            bencher.iter(|| black_box(run(inputs).unwrap().sum().backward()));
        });
    }
    group.finish();
}

fn operations(criterion: &mut Criterion) {
    for Size { name, d_model: d, n_ctx, n_heads, d_vocab, batch } in SIZES {
        let shape = (batch, n_ctx, d);
        let n = batch * n_ctx * d;
        let device = Cpu::seed_from_u64(1);
        let new = |n: usize| -> Flat<Cpu> { device.sample_normal_like(&(n,)) };
        let stream =
            |x: &Flat<Cpu>| -> Stream<Cpu> { x.retaped::<OwnedTape<f32, Cpu>>().reshape_like(&shape) };
        let tokens: Vec<usize> = (0..batch * n_ctx).map(|i| i * i * 31 % 1013 % d_vocab).collect();
        let options = Attention { n_heads, rel_bias: None, smear: None, rotary: false, keep_pattern: false };
        let mut op = |op: &str, inputs: &[Flat<Cpu>], fused: Run, composed: Run| {
            compare(criterion, &format!("{name}/{op}"), inputs, fused, composed);
        };

        op("linear", &[new(n), new(d * d)], &|i| Cpu::linear(stream(&i[0]), &i[1], None, d), &|i| {
            ops::linear::composed(stream(&i[0]), &i[1], None, d)
        });
        op(
            "layer_norm",
            &[new(n), new(d), new(d)],
            &|i| Cpu::layer_norm(stream(&i[0]), &i[1], &i[2]),
            &|i| ops::normalize::composed_layer_norm(stream(&i[0]), &i[1], &i[2]),
        );
        op("rms_norm", &[new(n), new(d)], &|i| Cpu::rms_norm(stream(&i[0]), &i[1]), &|i| {
            ops::normalize::composed_rms_norm(stream(&i[0]), &i[1])
        });
        op(
            "attention",
            &[new(n), new(n), new(n)],
            &|i| Ok(Cpu::causal_attention(stream(&i[0]), stream(&i[1]), stream(&i[2]), &options)?.0),
            &|i| {
                let [q, k, v] = [0, 1, 2].map(|n| stream(&i[n]));
                Ok(ops::causal_attention::composed(q, k, v, &options)?.0)
            },
        );
        op(
            "conv1d",
            &[new(n), new(d * d * 2), new(d)],
            &|i| Cpu::causal_conv1d(stream(&i[0]), &i[1], &i[2], 2, false),
            &|i| ops::causal_conv1d::composed(stream(&i[0]), &i[1], &i[2], 2, false),
        );
        op(
            "depthwise_conv1d",
            &[new(n), new(d * 3), new(d)],
            &|i| Cpu::causal_conv1d(stream(&i[0]), &i[1], &i[2], 3, true),
            &|i| ops::causal_conv1d::composed(stream(&i[0]), &i[1], &i[2], 3, true),
        );
        op("embedding", &[new(d * d_vocab)], &|i| Cpu::embedding(&tokens, batch, n_ctx, &i[0], d), &|i| {
            ops::embedding::composed(&tokens, batch, n_ctx, &i[0], d)
        });
        op("positions", &[new(n), new(d * n_ctx)], &|i| Cpu::add_positions(stream(&i[0]), &i[1]), &|i| {
            ops::embedding::composed_add_positions(stream(&i[0]), &i[1])
        });
        op("residual", &[new(n), new(n)], &|i| Cpu::add(stream(&i[0]), stream(&i[1])), &|i| {
            ops::residual::composed(stream(&i[0]), stream(&i[1]))
        });
        op("gelu", &[new(n)], &|i| Cpu::gelu(stream(&i[0])), &|i| {
            ops::activation::composed_gelu(stream(&i[0]))
        });
        let loss = Unembedding::Untied;
        op(
            "linear_cross_entropy",
            &[new(n), new(d * d_vocab)],
            &|i| {
                Cpu::linear_cross_entropy(stream(&i[0]), &i[1], loss, d_vocab, &tokens)?
                    .try_reshape_like(&(1, 1, 1))
            },
            &|i| {
                ops::linear_cross_entropy::composed(stream(&i[0]), &i[1], loss, d_vocab, &tokens)?
                    .try_reshape_like(&(1, 1, 1))
            },
        );

        let mut group = criterion.benchmark_group(format!("{name}/adamw"));
        group.sample_size(10);
        let hyper = AdamW {
            lr: 1e-2,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.01,
            step: 3,
            grad_scale: 0.5,
        };
        let (mut p, mut moments) = (new(d * d_vocab), Moments::default());
        let p0 = p.clone();
        let grads = || p0.leaky_trace().square().sum().backward();
        group.bench_function("fused", |bencher| {
            bencher.iter_batched_ref(
                grads,
                |grads| Cpu::adamw(&mut p, &mut moments, grads, &hyper).unwrap(),
                BatchSize::PerIteration,
            );
        });
        group.bench_function("composed", |bencher| {
            bencher.iter_batched_ref(
                grads,
                |grads| ops::adamw::composed(&mut p, &mut moments, grads, &hyper).unwrap(),
                BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, operations);
criterion_main!(benches);
