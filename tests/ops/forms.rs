//! The two forms of every operation, behind one trait.

use dfdx::prelude::*;
use indhead::ops::{self, AdamW, Attention, Backend, Flat, Moments, Result, Stream, Taped, Unembedding};

/// The operations of a training step, composed or fused.
pub trait Forms {
    fn heads(x: Stream<Cpu>, ws: [&Flat<Cpu>; 3], n_heads: usize) -> Result<[Stream<Cpu>; 3], Cpu>;
    fn linear(x: Stream<Cpu>, w: &Flat<Cpu>, d_out: usize) -> Result<Stream<Cpu>, Cpu>;
    fn norm(x: Stream<Cpu>, w: &Flat<Cpu>, b: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn attend(qkv: [Stream<Cpu>; 3], options: &Attention<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn conv(x: Stream<Cpu>, w: &Flat<Cpu>, b: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn embed(tokens: &[usize], shape: (usize, usize, usize), w: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn add(a: Stream<Cpu>, b: Stream<Cpu>) -> Result<Stream<Cpu>, Cpu>;
    fn loss(x: Stream<Cpu>, w: &Flat<Cpu>, d_vocab: usize, targets: &[usize]) -> Result<Taped<(), Cpu>, Cpu>;
    fn norm2(p: &Flat<Cpu>, grads: &mut Gradients<f32, Cpu>) -> Result<f64, Cpu>;
    fn update(
        p: &mut Flat<Cpu>,
        moments: &mut Moments<Cpu>,
        grads: &mut Gradients<f32, Cpu>,
        hyper: &AdamW,
    ) -> Result<(), Cpu>;
}

macro_rules! forms {
    ($name:ident: $heads:path, $linear:path, $norm:path, $attend:path, $conv:path, $embed:path, $add:path, $loss:path, $norm2:path, $update:path) => {
        pub struct $name;
        impl Forms for $name {
            fn heads(x: Stream<Cpu>, ws: [&Flat<Cpu>; 3], n_heads: usize) -> Result<[Stream<Cpu>; 3], Cpu> {
                $heads(x, ws, n_heads)
            }
            fn linear(x: Stream<Cpu>, w: &Flat<Cpu>, d_out: usize) -> Result<Stream<Cpu>, Cpu> {
                $linear(x, w, None, d_out)
            }
            fn norm(x: Stream<Cpu>, w: &Flat<Cpu>, b: &Flat<Cpu>) -> Result<Stream<Cpu>, Cpu> {
                $norm(x, w, b)
            }
            fn attend([q, k, v]: [Stream<Cpu>; 3], options: &Attention<Cpu>) -> Result<Stream<Cpu>, Cpu> {
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
            fn norm2(p: &Flat<Cpu>, grads: &mut Gradients<f32, Cpu>) -> Result<f64, Cpu> {
                $norm2(p, grads)
            }
            fn update(
                p: &mut Flat<Cpu>,
                moments: &mut Moments<Cpu>,
                grads: &mut Gradients<f32, Cpu>,
                hyper: &AdamW,
            ) -> Result<(), Cpu> {
                $update(p, moments, grads, hyper)
            }
        }
    };
}
forms!(Composed: ops::linear::composed_heads, ops::linear::composed, ops::normalize::composed_layer_norm,
    ops::causal_attention::composed, ops::causal_conv1d::composed, ops::embedding::composed,
    ops::residual::composed, ops::linear_cross_entropy::composed, ops::adamw::composed_squared_norm, ops::adamw::composed);
forms!(Fused: Cpu::heads_linear, Cpu::linear, Cpu::layer_norm, Cpu::causal_attention, Cpu::causal_conv1d,
    Cpu::embedding, Cpu::add, Cpu::linear_cross_entropy, Cpu::squared_norm, Cpu::adamw);
