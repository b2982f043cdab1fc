//! Two blocks made of the operations, and their training step.

use super::forms::Forms;
use dfdx::prelude::*;
use indhead::ops::{AdamW, Attention, Flat, Moments, Result, Stream, Taped};

#[derive(Clone, Copy)]
pub struct Size {
    pub d_model: usize,
    pub n_ctx: usize,
    pub n_heads: usize,
    pub d_vocab: usize,
    pub batch: usize,
}

/// The parameters of two blocks, and the optimizer's moments.
pub struct Model {
    size: Size,
    conv: bool,
    parameters: Vec<Flat<Cpu>>,
    moments: Moments<Cpu>,
    step: u64,
}

impl Model {
    pub fn new(size: Size, conv: bool) -> Self {
        let Size { d_model: d, n_ctx, n_heads, d_vocab, .. } = size;
        let device = Cpu::seed_from_u64(0);
        let attention: &[usize] = &[d, d, d * d, d * d, d * d, d * d, n_heads * n_ctx];
        let first: &[usize] = if conv { &[d, d, d * d * 2, d] } else { attention };
        let sizes = [&[d_vocab * d], first, attention, &[d, d, d * d_vocab]].concat();
        let parameters: Vec<Flat<Cpu>> = sizes
            .iter()
            .map(|&n| {
                let x: Flat<Cpu> = device.sample_normal_like(&(n,));
                if n == d { x * 0.0 + 1.0 } else { x * 0.1 }
            })
            .collect();
        Self { size, conv, parameters, moments: Moments::default(), step: 0 }
    }

    fn attention<F: Forms>(&self, x: Stream<Cpu>, p: &[Flat<Cpu>]) -> Result<Stream<Cpu>, Cpu> {
        let n_heads = self.size.n_heads;
        let n = F::norm(x.with_empty_tape(), &p[0], &p[1])?;
        let qkv = F::heads(n, [&p[2], &p[3], &p[4]], n_heads)?;
        let options =
            Attention { n_heads, rel_bias: Some(&p[6]), smear: None, rotary: false, keep_pattern: false };
        let z = F::attend(qkv, &options)?;
        F::add(x, F::linear(z, &p[5], self.size.d_model)?)
    }

    fn loss<F: Forms>(&self, tokens: &[usize], targets: &[usize]) -> Result<Taped<(), Cpu>, Cpu> {
        let Size { d_model, n_ctx, d_vocab, batch, .. } = self.size;
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
        F::loss(F::norm(x, &p[at], &p[at + 1])?, &p[at + 2], d_vocab, targets)
    }

    pub fn values(&self) -> Vec<Vec<f32>> {
        self.parameters.iter().map(|p| p.as_vec()).collect()
    }

    pub fn train<F: Forms>(&mut self) -> Result<f32, Cpu> {
        let Size { n_ctx, d_vocab, batch, .. } = self.size;
        let tokens: Vec<usize> = (0..batch * n_ctx).map(|i| i * i * 31 % 1013 % d_vocab).collect();
        let targets: Vec<usize> = (0..batch * n_ctx).map(|i| (i * i * 31 % 1013 + 7) % d_vocab).collect();
        let loss = self.loss::<F>(&tokens, &targets)?;
        let value = loss.as_vec()[0];
        let mut grads = loss.backward();
        self.step += 1;
        let mut norm2 = 0.0;
        for p in &self.parameters {
            norm2 += F::norm2(p, &mut grads)?;
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
        for p in &mut self.parameters {
            F::update(p, &mut self.moments, &mut grads, &hyper)?;
        }
        Ok(value)
    }
}

pub const TINY: Size = Size { d_model: 16, n_ctx: 9, n_heads: 2, d_vocab: 23, batch: 3 };
