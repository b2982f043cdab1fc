//! A device and its form of every operation.

use super::{
    AdamW, Attention, Flat, Moments, Pattern, Precision, Result, Stream, Taped, Unembedding, Values,
    activation, adamw, causal_attention, causal_conv1d, cpu, embedding, linear, linear_cross_entropy, meter,
    normalize, residual,
};
use dfdx::prelude::*;

/// A device that models run on, with one function per operation.
///
/// The default bodies are the composed forms; they are documented, with shapes, in the operations' modules.
pub trait Backend: Device<f32> {
    /// Does something with matrix products of this precision, on a device that has several: the way there and the way
    /// back. Elsewhere they are in f32.
    fn with_precision<T>(_: Precision, work: impl FnOnce() -> T) -> T {
        work()
    }

    /// `y = x W + b`: x `[batch, position, d_in]`, W `[d_in, d_out]`, b `[d_out]`. See [`linear`](mod@linear).
    fn linear(
        x: Stream<Self>,
        w: &Flat<Self>,
        b: Option<&Flat<Self>>,
        d_out: usize,
    ) -> Result<Stream<Self>, Self> {
        linear::composed(x, w, b, d_out)
    }

    /// Per-head maps side by side, of one x by several W: x `[batch, position, d_model]`,
    /// W `[n_heads, d_model, d_head]`, y `[batch, position, n_heads * d_head]`. The record goes on with the first y,
    /// which must be used. See [`linear`](mod@linear).
    fn heads_linear<const N: usize>(
        x: Stream<Self>,
        ws: [&Flat<Self>; N],
        n_heads: usize,
    ) -> Result<[Stream<Self>; N], Self> {
        linear::composed_heads(x, ws, n_heads)
    }

    /// Layer norm over the features: x `[batch, position, d]`, gain and bias `[d]`. See [`normalize`](mod@normalize).
    fn layer_norm(x: Stream<Self>, gain: &Flat<Self>, bias: &Flat<Self>) -> Result<Stream<Self>, Self> {
        normalize::composed_layer_norm(x, gain, bias)
    }

    /// Root-mean-square norm over the features: x `[batch, position, d]`, gain `[d]`. See [`normalize`](mod@normalize).
    fn rms_norm(x: Stream<Self>, gain: &Flat<Self>) -> Result<Stream<Self>, Self> {
        normalize::composed_rms_norm(x, gain)
    }

    /// Causal multi-head attention on q, k, v `[batch, position, n_heads * d_head]`, with the pattern
    /// `[batch, head, query, key]` if it is asked for. See [`causal_attention`].
    fn causal_attention(
        q: Stream<Self>,
        k: Stream<Self>,
        v: Stream<Self>,
        options: &Attention<'_, Self>,
    ) -> Result<(Stream<Self>, Option<Pattern<Self>>), Self> {
        causal_attention::composed(q, k, v, options)
    }

    /// What heads that attend by a given pattern `[batch, head, query, key]` make of v, without a record:
    /// `[batch, position, n_heads * d_head]`, as the result. See [`causal_attention`].
    fn mix(pattern: &Pattern<Self>, v: &Values<Self>) -> Result<Values<Self>, Self> {
        causal_attention::composed_mix(pattern, v)
    }

    /// Causal convolution over positions: x `[batch, position, d_model]`,
    /// W `[d_model, d_model, kernel_size]` or, depthwise, `[d_model, 1, kernel_size]`, b `[d_model]`.
    /// See [`causal_conv1d`].
    fn causal_conv1d(
        x: Stream<Self>,
        w: &Flat<Self>,
        b: &Flat<Self>,
        kernel_size: usize,
        depthwise: bool,
    ) -> Result<Stream<Self>, Self> {
        causal_conv1d::composed(x, w, b, kernel_size, depthwise)
    }

    /// Rows of W_E `[d_vocab, d_model]` by token, `[batch, position, d_model]`; starts the record.
    /// See [`embedding`](mod@embedding).
    fn embedding(
        tokens: &[usize],
        batch: usize,
        position: usize,
        w_e: &Flat<Self>,
        d_model: usize,
    ) -> Result<Stream<Self>, Self> {
        embedding::composed(tokens, batch, position, w_e, d_model)
    }

    /// Adds the first rows of W_pos `[n_ctx, d_model]` to every sequence of x `[batch, position, d_model]`.
    /// See [`embedding`](mod@embedding).
    fn add_positions(x: Stream<Self>, w_pos: &Flat<Self>) -> Result<Stream<Self>, Self> {
        embedding::composed_add_positions(x, w_pos)
    }

    /// The exact Gaussian error linear unit. See [`activation`].
    fn gelu(x: Stream<Self>) -> Result<Stream<Self>, Self> {
        activation::composed_gelu(x)
    }

    /// The rectifier. See [`activation`].
    fn relu(x: Stream<Self>) -> Result<Stream<Self>, Self> {
        activation::composed_relu(x)
    }

    /// `a + b`, both `[batch, position, feature]`; the records are merged. See [`residual`].
    fn add(a: Stream<Self>, b: Stream<Self>) -> Result<Stream<Self>, Self> {
        residual::composed(a, b)
    }

    /// Mean next-token loss of x `[batch, position, d_model]` through the unembedding against
    /// `batch * position` targets. See [`linear_cross_entropy`].
    fn linear_cross_entropy(
        x: Stream<Self>,
        w_u: &Flat<Self>,
        layout: Unembedding,
        d_vocab: usize,
        targets: &[usize],
    ) -> Result<Taped<(), Self>, Self> {
        linear_cross_entropy::composed(x, w_u, layout, d_vocab, targets)
    }

    /// The loss of every position, `batch * position`, without a record. See [`linear_cross_entropy`].
    fn token_losses(
        x: &Values<Self>,
        w_u: &Flat<Self>,
        layout: Unembedding,
        d_vocab: usize,
        targets: &[usize],
    ) -> Result<Vec<f32>, Self> {
        linear_cross_entropy::composed_token_losses(x, w_u, layout, d_vocab, targets)
    }

    /// The logits `[batch, position, d_vocab]`, whole, without a record: for tests and probes.
    /// See [`linear_cross_entropy`].
    fn logits(
        x: &Values<Self>,
        w_u: &Flat<Self>,
        layout: Unembedding,
        d_vocab: usize,
    ) -> Result<Values<Self>, Self> {
        linear_cross_entropy::composed_logits(x, w_u, layout, d_vocab)
    }

    /// The sum of the squares of a parameter's gradient, for clipping by the global norm. See [`adamw`](mod@adamw).
    fn squared_norm(param: &Flat<Self>, grads: &mut Gradients<f32, Self>) -> Result<f64, Self> {
        adamw::composed_squared_norm(param, grads)
    }

    /// [`Backend::squared_norm`] of several, asked for together.
    fn squared_norms(params: &[&Flat<Self>], grads: &mut Gradients<f32, Self>) -> Result<Vec<f64>, Self> {
        params.iter().map(|param| Self::squared_norm(param, grads)).collect()
    }

    /// Adds a parameter's gradient `[n]`, which is used up, to a sum of them. See [`adamw`](mod@adamw).
    fn add_gradient(
        param: &Flat<Self>,
        sums: &mut Gradients<f32, Self>,
        part: &mut Gradients<f32, Self>,
    ) -> Result<(), Self> {
        adamw::composed_add_gradient(param, sums, part)
    }

    /// One AdamW step on a parameter `[n]`, which keeps its id, and its two moments; its gradient is used up.
    /// See [`adamw`](mod@adamw).
    fn adamw(
        param: &mut Flat<Self>,
        moments: &mut Moments<Self>,
        grads: &mut Gradients<f32, Self>,
        hyper: &AdamW,
    ) -> Result<(), Self> {
        adamw::composed(param, moments, grads, hyper)
    }

    /// A plain product of two matrices `[size, size]` as this device does it best, made and awaited by each call
    /// of what is returned: the yardstick of `indhead bench`.
    fn square_product(&self, size: usize) -> Result<Box<dyn FnMut() -> Result<(), Self>>, Self> {
        let ones: Tensor<(usize, usize), f32, Self> = self.try_ones_like(&(size, size))?;
        Ok(Box::new(move || {
            let product = ones.clone().try_matmul(ones.clone())?;
            product.try_sum::<(), Axes2<0, 1>>()?.as_vec(); // waits for the device
            Ok(())
        }))
    }
}

impl Backend for Cpu {
    fn add_gradient(
        param: &Flat<Self>,
        sums: &mut Gradients<f32, Self>,
        part: &mut Gradients<f32, Self>,
    ) -> Result<(), Self> {
        meter::timed("adamw", || adamw::fused_add_gradient(param, sums, part))
    }

    fn linear(
        x: Stream<Self>,
        w: &Flat<Self>,
        b: Option<&Flat<Self>>,
        d_out: usize,
    ) -> Result<Stream<Self>, Self> {
        meter::taped("linear", || linear::fused(x, w, b, d_out))
    }

    fn heads_linear<const N: usize>(
        x: Stream<Self>,
        ws: [&Flat<Self>; N],
        n_heads: usize,
    ) -> Result<[Stream<Self>; N], Self> {
        meter::taped("linear", || linear::fused_heads(x, ws, n_heads))
    }

    fn causal_attention(
        q: Stream<Self>,
        k: Stream<Self>,
        v: Stream<Self>,
        options: &Attention<'_, Self>,
    ) -> Result<(Stream<Self>, Option<Pattern<Self>>), Self> {
        meter::taped("causal_attention", || causal_attention::fused(q, k, v, options))
    }

    fn linear_cross_entropy(
        x: Stream<Self>,
        w_u: &Flat<Self>,
        layout: Unembedding,
        d_vocab: usize,
        targets: &[usize],
    ) -> Result<Taped<(), Self>, Self> {
        meter::taped("linear_cross_entropy", || linear_cross_entropy::fused(x, w_u, layout, d_vocab, targets))
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

    fn logits(
        x: &Values<Self>,
        w_u: &Flat<Self>,
        layout: Unembedding,
        d_vocab: usize,
    ) -> Result<Values<Self>, Self> {
        linear_cross_entropy::fused_logits(x, w_u, layout, d_vocab)
    }

    fn layer_norm(x: Stream<Self>, gain: &Flat<Self>, bias: &Flat<Self>) -> Result<Stream<Self>, Self> {
        meter::taped("layer_norm", || normalize::fused_layer_norm(x, gain, bias))
    }

    fn rms_norm(x: Stream<Self>, gain: &Flat<Self>) -> Result<Stream<Self>, Self> {
        meter::taped("rms_norm", || normalize::fused_rms_norm(x, gain))
    }

    fn embedding(
        tokens: &[usize],
        batch: usize,
        position: usize,
        w_e: &Flat<Self>,
        d_model: usize,
    ) -> Result<Stream<Self>, Self> {
        meter::taped("embedding", || embedding::fused(tokens, batch, position, w_e, d_model))
    }

    fn add_positions(x: Stream<Self>, w_pos: &Flat<Self>) -> Result<Stream<Self>, Self> {
        meter::taped("embedding", || embedding::fused_add_positions(x, w_pos))
    }

    fn add(a: Stream<Self>, b: Stream<Self>) -> Result<Stream<Self>, Self> {
        meter::taped("residual", || residual::fused(a, b))
    }

    fn causal_conv1d(
        x: Stream<Self>,
        w: &Flat<Self>,
        b: &Flat<Self>,
        kernel_size: usize,
        depthwise: bool,
    ) -> Result<Stream<Self>, Self> {
        meter::taped("causal_conv1d", || causal_conv1d::fused(x, w, b, kernel_size, depthwise))
    }

    fn gelu(x: Stream<Self>) -> Result<Stream<Self>, Self> {
        meter::taped("activation", || activation::fused_gelu(x))
    }

    fn relu(x: Stream<Self>) -> Result<Stream<Self>, Self> {
        meter::taped("activation", || activation::fused_relu(x))
    }

    fn squared_norm(param: &Flat<Self>, grads: &mut Gradients<f32, Self>) -> Result<f64, Self> {
        meter::timed("adamw", || adamw::fused_squared_norm(param, grads))
    }

    fn adamw(
        param: &mut Flat<Self>,
        moments: &mut Moments<Self>,
        grads: &mut Gradients<f32, Self>,
        hyper: &AdamW,
    ) -> Result<(), Self> {
        meter::timed("adamw", || adamw::fused(param, moments, grads, hyper))
    }

    fn square_product(&self, size: usize) -> Result<Box<dyn FnMut() -> Result<(), Self>>, Self> {
        let (ones, mut product) = (vec![1.0; size * size], vec![0.0; size * size]);
        Ok(Box::new(move || {
            cpu::square_product(&mut product, &ones, &ones, size);
            Ok(())
        }))
    }
}
