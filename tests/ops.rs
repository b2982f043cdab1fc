//! A training step made of the operations: fused equals composed, and what it saves.
//!
//! `cargo test --release --test ops -- --ignored --nocapture` prints the times of a step.

use dfdx::prelude::*;
use indhead::ops::{self, AdamW, Attention, Backend, Flat, Result, Stream, Taped, Unembedding};
use std::time::Instant;

/// The operations of a training step, composed or fused.
trait Forms {
    fn heads(x: Stream<Cpu>, w: &Flat<Cpu>, n_heads: usize) -> Result<Stream<Cpu>, Cpu>;
    fn linear(x: Stream<Cpu>, w: &Flat<Cpu>, d_out: usize) -> Result<Stream<Cpu>, Cpu>;
    fn norm(x: Stream<Cpu>, w: &Flat<Cpu>, b: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn attend(qkv: [Stream<Cpu>; 3], options: &Attention<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn conv(x: Stream<Cpu>, w: &Flat<Cpu>, b: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn embed(
        tokens: &[usize],
        shape: (usize, usize, usize),
        w: &Flat<Cpu>,
    ) -> Result<Stream<Cpu>, Cpu>;
    fn add(a: Stream<Cpu>, b: Stream<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn loss(
        x: Stream<Cpu>,
        w: &Flat<Cpu>,
        d_vocab: usize,
        targets: &[usize],
    ) -> Result<Taped<(), Cpu>, Cpu>;
    fn norm2(grad: &Flat<Cpu>) -> Result<f64, Cpu>;
    fn update(
        p: &mut Flat<Cpu>,
        moments: &mut [Flat<Cpu>; 2],
        g: &Flat<Cpu>,
        hyper: &AdamW,
    ) -> Result<(), Cpu>;
}

macro_rules! forms {
    ($name:ident: $heads:path, $linear:path, $norm:path, $attend:path, $conv:path, $embed:path, $add:path, $loss:path, $norm2:path, $update:path) => {
        struct $name;
        impl Forms for $name {
            fn heads(x: Stream<Cpu>, w: &Flat<Cpu>, n_heads: usize) -> Result<Stream<Cpu>, Cpu> {
                $heads(x, w, n_heads)
            }
            fn linear(x: Stream<Cpu>, w: &Flat<Cpu>, d_out: usize) -> Result<Stream<Cpu>, Cpu> {
                $linear(x, w, None, d_out)
            }
            fn norm(x: Stream<Cpu>, w: &Flat<Cpu>, b: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu> {
                $norm(x, w, b)
            }
            fn attend(
                [q, k, v]: [Stream<Cpu>; 3],
                options: &Attention<Cpu>,
            ) -> Result<Stream<Cpu>, Cpu> {
                Ok($attend(q, k, v, options)?.0)
            }
            fn conv(x: Stream<Cpu>, w: &Flat<Cpu>, b: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu> {
                $conv(x, w, b, 2, false)
            }
            fn embed(
                tokens: &[usize],
                (b, t, d): (usize, usize, usize),
                w: &Flat<Cpu>,
            ) -> Result<Stream<Cpu>, Cpu> {
                $embed(tokens, b, t, w, d)
            }
            fn add(a: Stream<Cpu>, b: Stream<Cpu>) -> Result<Stream<Cpu>, Cpu> {
                $add(a, b)
            }
            fn loss(
                x: Stream<Cpu>,
                w: &Flat<Cpu>,
                d_vocab: usize,
                targets: &[usize],
            ) -> Result<Taped<(), Cpu>, Cpu> {
                $loss(x, w, Unembedding::Untied, d_vocab, targets)
            }
            fn norm2(grad: &Flat<Cpu>) -> Result<f64, Cpu> {
                $norm2(grad)
            }
            fn update(
                p: &mut Flat<Cpu>,
                [m, v]: &mut [Flat<Cpu>; 2],
                g: &Flat<Cpu>,
                hyper: &AdamW,
            ) -> Result<(), Cpu> {
                $update(p, m, v, g, hyper)
            }
        }
    };
}
forms!(Composed: ops::linear::composed_heads, ops::linear::composed, ops::normalize::composed_layer_norm,
    ops::causal_attention::composed, ops::causal_conv1d::composed, ops::embedding::composed,
    ops::residual::composed, ops::linear_cross_entropy::composed, ops::adamw::composed_squared_norm, ops::adamw::composed);
forms!(Fused: Cpu::heads_linear, Cpu::linear, Cpu::layer_norm, Cpu::causal_attention, Cpu::causal_conv1d,
    Cpu::embedding, Cpu::add, Cpu::linear_cross_entropy, Cpu::squared_norm, Cpu::adamw);

#[derive(Clone, Copy)]
struct Size {
    d_model: usize,
    n_ctx: usize,
    n_heads: usize,
    d_vocab: usize,
    batch: usize,
}

struct Model {
    size: Size,
    conv: bool,
    parameters: Vec<Flat<Cpu>>,
    moments: Vec<[Flat<Cpu>; 2]>,
    step: u64,
}

impl Model {
    fn new(size: Size, conv: bool) -> Self {
        let Size {
            d_model: d,
            n_ctx,
            n_heads,
            d_vocab,
            ..
        } = size;
        let device = Cpu::seed_from_u64(0);
        let attention: &[usize] = &[d, d, d * d, d * d, d * d, d * d, n_heads * n_ctx];
        let first: &[usize] = if conv {
            &[d, d, d * d * 2, d]
        } else {
            attention
        };
        let sizes = [&[d_vocab * d], first, attention, &[d, d, d * d_vocab]].concat();
        let parameters: Vec<Flat<Cpu>> = sizes
            .iter()
            .map(|&n| {
                let x: Flat<Cpu> = device.sample_normal_like(&(n,));
                if n == d { x * 0.0 + 1.0 } else { x * 0.1 }
            })
            .collect();
        let moments = parameters
            .iter()
            .map(|p| [p.clone() * 0.0, p.clone() * 0.0])
            .collect();
        Self {
            size,
            conv,
            parameters,
            moments,
            step: 0,
        }
    }

    fn attention<F: Forms>(&self, x: Stream<Cpu>, p: &[Flat<Cpu>]) -> Result<Stream<Cpu>, Cpu> {
        let n_heads = self.size.n_heads;
        let n = F::norm(x.with_empty_tape(), &p[0], &p[1])?;
        let q = F::heads(n.with_empty_tape(), &p[2], n_heads)?;
        let k = F::heads(n.with_empty_tape(), &p[3], n_heads)?;
        let v = F::heads(n, &p[4], n_heads)?;
        let options = Attention {
            n_heads,
            rel_bias: Some(&p[6]),
            smear: None,
            rotary: false,
            keep_pattern: false,
        };
        let z = F::attend([q, k, v], &options)?;
        F::add(x, F::linear(z, &p[5], self.size.d_model)?)
    }

    fn loss<F: Forms>(&self, tokens: &[usize], targets: &[usize]) -> Result<Taped<(), Cpu>, Cpu> {
        let Size {
            d_model,
            n_ctx,
            d_vocab,
            batch,
            ..
        } = self.size;
        let p = &self.parameters;
        let mut x = F::embed(tokens, (batch, n_ctx, d_model), &p[0])?;
        let mut at = 1;
        if self.conv {
            let n = F::norm(x.with_empty_tape(), &p[1], &p[2])?;
            x = F::add(x, F::conv(n, &p[3], &p[4])?)?;
            at += 4;
        } else {
            x = self.attention::<F>(x, &p[at..])?;
            at += 7;
        }
        x = self.attention::<F>(x, &p[at..])?;
        at += 7;
        F::loss(
            F::norm(x, &p[at], &p[at + 1])?,
            &p[at + 2],
            d_vocab,
            targets,
        )
    }

    fn train<F: Forms>(&mut self) -> Result<f32, Cpu> {
        let Size {
            n_ctx,
            d_vocab,
            batch,
            ..
        } = self.size;
        let tokens: Vec<usize> = (0..batch * n_ctx)
            .map(|i| i * i * 31 % 1013 % d_vocab)
            .collect();
        let targets: Vec<usize> = (0..batch * n_ctx)
            .map(|i| (i * i * 31 % 1013 + 7) % d_vocab)
            .collect();
        let loss = self.loss::<F>(&tokens, &targets)?;
        let value = loss.as_vec()[0];
        let mut grads = loss.backward();
        self.step += 1;
        let mut taken = vec![];
        let mut norm2 = 0.0;
        for p in &self.parameters {
            let grad = Cpu::take_gradient(p, &mut grads)?;
            norm2 += F::norm2(&grad)?;
            taken.push(grad);
        }
        let hyper = AdamW {
            lr: 1e-2,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.01,
            step: self.step,
            grad_scale: 1.0 / norm2.sqrt().max(1.0),
        };
        for ((p, moments), grad) in self
            .parameters
            .iter_mut()
            .zip(&mut self.moments)
            .zip(&taken)
        {
            F::update(p, moments, grad, &hyper)?;
        }
        Ok(value)
    }
}

const TINY: Size = Size {
    d_model: 16,
    n_ctx: 9,
    n_heads: 2,
    d_vocab: 23,
    batch: 3,
};
const SMALL: Size = Size {
    d_model: 64,
    n_ctx: 128,
    n_heads: 2,
    d_vocab: 1024,
    batch: 32,
};
const SHORT: Size = Size {
    d_model: 64,
    n_ctx: 64,
    n_heads: 4,
    d_vocab: 512,
    batch: 32,
};
const PAPER: Size = Size {
    d_model: 512,
    n_ctx: 512,
    n_heads: 8,
    d_vocab: 50257,
    batch: 4,
};
const MEDIUM: Size = Size {
    d_model: 256,
    n_ctx: 256,
    n_heads: 8,
    d_vocab: 4096,
    batch: 16,
};

#[test]
fn ten_steps_agree() {
    for conv in [false, true] {
        let (mut a, mut b) = (Model::new(TINY, conv), Model::new(TINY, conv));
        for _ in 0..10 {
            let (a, b) = (a.train::<Composed>().unwrap(), b.train::<Fused>().unwrap());
            assert!((a - b).abs() < 1e-4 * a, "{a} {b}");
        }
    }
}

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
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

#[test]
#[ignore = "prints times"]
fn step_times() {
    print_step_times();
}

pub fn print_step_times() {
    let composed = std::env::var_os("COMPOSED").is_some();
    let only = std::env::var("SIZE").unwrap_or_default();
    let sizes = [
        ("short", SHORT, 100),
        ("small", SMALL, 60),
        ("medium", MEDIUM, 12),
        ("paper", PAPER, 3),
    ];
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
    for (
        name,
        Size {
            d_model: d,
            n_ctx,
            n_heads,
            batch,
            d_vocab,
        },
    ) in [("small", SMALL), ("medium", MEDIUM)]
    {
        let shape = (batch, n_ctx, d);
        let n = batch * n_ctx * d;
        let device = Cpu::seed_from_u64(1);
        let new = |n: usize| -> Flat<Cpu> { device.sample_normal_like(&(n,)) };
        let tokens: Vec<usize> = (0..batch * n_ctx)
            .map(|i| i * i * 31 % 1013 % d_vocab)
            .collect();
        let stream = |x: &Flat<Cpu>| -> Stream<Cpu> {
            x.retaped::<OwnedTape<f32, Cpu>>().reshape_like(&shape)
        };
        let options = Attention {
            n_heads,
            rel_bias: None,
            smear: None,
            rotary: false,
            keep_pattern: false,
        };
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
                ops::causal_attention::composed(
                    stream(&i[0]),
                    stream(&i[1]),
                    stream(&i[2]),
                    &options
                )
                .unwrap()
                .0
            ),
            Ok::<_, CpuError>(
                Cpu::causal_attention(stream(&i[0]), stream(&i[1]), stream(&i[2]), &options)
                    .unwrap()
                    .0
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
            ops::linear_cross_entropy::composed(
                stream(&i[0]),
                &i[1],
                Unembedding::Untied,
                d_vocab,
                &tokens
            )
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
