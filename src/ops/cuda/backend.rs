//! The operations of a card.

use super::{
    adamw, causal_attention, causal_conv1d, elementwise, embedding, engine, linear, linear_cross_entropy,
    normalize, product,
};
use crate::ops::{
    AdamW, Attention, Backend, Flat, Moments, Pattern, Precision, Result, Stream, Taped, Unembedding, Values,
};
use dfdx::prelude::*;

impl Backend for Cuda {
    fn square_product(&self, size: usize) -> Result<Box<dyn FnMut() -> Result<(), Self>>, Self> {
        product::square(size)
    }

    fn with_precision<T>(precision: Precision, work: impl FnOnce() -> T) -> T {
        engine::with_precision(precision, work)
    }

    fn linear(
        x: Stream<Self>,
        w: &Flat<Self>,
        b: Option<&Flat<Self>>,
        d_out: usize,
    ) -> Result<Stream<Self>, Self> {
        linear::fused(x, w, b, d_out)
    }

    fn heads_linear<const N: usize>(
        x: Stream<Self>,
        ws: [&Flat<Self>; N],
        n_heads: usize,
    ) -> Result<[Stream<Self>; N], Self> {
        linear::fused_heads(x, ws, n_heads)
    }

    fn layer_norm(x: Stream<Self>, gain: &Flat<Self>, bias: &Flat<Self>) -> Result<Stream<Self>, Self> {
        normalize::fused(x, gain, Some(bias))
    }

    fn rms_norm(x: Stream<Self>, gain: &Flat<Self>) -> Result<Stream<Self>, Self> {
        normalize::fused(x, gain, None)
    }

    fn causal_attention(
        q: Stream<Self>,
        k: Stream<Self>,
        v: Stream<Self>,
        options: &Attention<'_, Self>,
    ) -> Result<(Stream<Self>, Option<Pattern<Self>>), Self> {
        causal_attention::fused(q, k, v, options)
    }

    fn mix(pattern: &Pattern<Self>, v: &Values<Self>) -> Result<Values<Self>, Self> {
        causal_attention::fused_mix(pattern, v)
    }

    fn causal_conv1d(
        x: Stream<Self>,
        w: &Flat<Self>,
        b: &Flat<Self>,
        kernel_size: usize,
        depthwise: bool,
    ) -> Result<Stream<Self>, Self> {
        causal_conv1d::fused(x, w, b, kernel_size, depthwise)
    }

    fn embedding(
        tokens: &[usize],
        batch: usize,
        position: usize,
        w_e: &Flat<Self>,
        d_model: usize,
    ) -> Result<Stream<Self>, Self> {
        embedding::fused(tokens, batch, position, w_e, d_model)
    }

    fn add_positions(x: Stream<Self>, w_pos: &Flat<Self>) -> Result<Stream<Self>, Self> {
        embedding::fused_add_positions(x, w_pos)
    }

    fn gelu(x: Stream<Self>) -> Result<Stream<Self>, Self> {
        elementwise::activation(x, "gelu", "gelu_backward")
    }

    fn relu(x: Stream<Self>) -> Result<Stream<Self>, Self> {
        elementwise::activation(x, "relu", "relu_backward")
    }

    fn add(a: Stream<Self>, b: Stream<Self>) -> Result<Stream<Self>, Self> {
        elementwise::add(a, b)
    }

    fn linear_cross_entropy(
        x: Stream<Self>,
        w_u: &Flat<Self>,
        layout: Unembedding,
        d_vocab: usize,
        targets: &[usize],
    ) -> Result<Taped<(), Self>, Self> {
        linear_cross_entropy::fused(x, w_u, layout, d_vocab, targets)
    }

    fn token_losses(
        x: &Values<Self>,
        w_u: &Flat<Self>,
        layout: Unembedding,
        d_vocab: usize,
        targets: &[usize],
    ) -> Result<Vec<f32>, Self> {
        linear_cross_entropy::fused_token_losses(x, w_u, layout, d_vocab, targets)
    }

    fn squared_norm(param: &Flat<Self>, grads: &mut Gradients<f32, Self>) -> Result<f64, Self> {
        Ok(adamw::fused_squared_norms(&[param], grads)?.iter().sum())
    }

    fn squared_norms(params: &[&Flat<Self>], grads: &mut Gradients<f32, Self>) -> Result<Vec<f64>, Self> {
        adamw::fused_squared_norms(params, grads)
    }

    fn add_gradient(
        param: &Flat<Self>,
        sums: &mut Gradients<f32, Self>,
        part: &mut Gradients<f32, Self>,
    ) -> Result<(), Self> {
        adamw::fused_add_gradient(param, sums, part)
    }

    fn adamw(
        param: &mut Flat<Self>,
        moments: &mut Moments<Self>,
        grads: &mut Gradients<f32, Self>,
        hyper: &AdamW,
    ) -> Result<(), Self> {
        adamw::fused(param, moments, grads, hyper)
    }
}
