//! AdamW (Loshchilov and Hutter 2019), as torch computes it.
//!
//! With `g = grad * grad_scale`:
//! `p <- p (1 - lr * weight_decay)`, `m <- β₁ m + (1 - β₁) g`, `v <- β₂ v + (1 - β₂) g²`,
//! `p <- p - lr / (1 - β₁ᵗ) * m / (√v / √(1 - β₂ᵗ) + eps)`.

use super::cpu::{copy, dot, fma, map_chunks, take_gradient, vectorized};
use super::{Backend, Flat, Result};
use dfdx::prelude::*;

/// What one step is taken with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled: the parameter shrinks by `lr * weight_decay`.
    pub weight_decay: f64,
    /// The number of this step, from 1.
    pub step: u64,
    /// The gradient is multiplied by this first (clipping).
    pub grad_scale: f64,
}

impl AdamW {
    /// `lr / (1 - β₁ᵗ)` and `1 / √(1 - β₂ᵗ)`.
    pub(crate) fn corrections(&self) -> (f64, f64) {
        let t = self.step as f64;
        (self.lr / (1.0 - self.beta1.powf(t)), 1.0 / (1.0 - self.beta2.powf(t)).sqrt())
    }
}

/// One step; all `[n]`. The parameter is changed in place and keeps its id.
pub fn composed<D: Backend>(
    param: &mut Flat<D>,
    m: &mut Flat<D>,
    v: &mut Flat<D>,
    grad: &Flat<D>,
    hyper: &AdamW,
) -> Result<(), D> {
    let (rate, root) = hyper.corrections();
    let g = grad.clone().try_mul(hyper.grad_scale as f32)?;
    let g2 = g.clone().try_square()?;
    let (b1, b2) = (hyper.beta1 as f32, hyper.beta2 as f32);
    *m = m.clone().try_mul(b1)?.try_add(g.try_mul((1.0 - hyper.beta1) as f32)?)?;
    *v = v.clone().try_mul(b2)?.try_add(g2.try_mul((1.0 - hyper.beta2) as f32)?)?;
    let divisor = v.clone().try_sqrt()?.try_mul(root as f32)?.try_add(hyper.eps as f32)?;
    let step = m.clone().try_div(divisor)?.try_mul(rate as f32)?;
    let decay = param.clone().try_mul((hyper.lr * hyper.weight_decay) as f32)?;
    subtract_in_place(param, &step.try_add(decay)?)
}

/// `param -= delta`, on the device. A tensor's own buffer is private in dfdx 0.13, but its optimizers take
/// a parameter and buffers: one of them moves `delta` into a buffer, the other one subtracts it.
fn subtract_in_place<D: Backend>(param: &mut Flat<D>, delta: &Flat<D>) -> Result<(), D> {
    let (mut buffer, mut zeros) = (Gradients::leaky(), Gradients::leaky());
    let delta_in_buffer = buffer.get_or_alloc_mut(delta)?;
    let zeros = zeros.get_or_alloc_mut(delta)?;
    let copy = SgdConfig {
        lr: 0.0,
        momentum: Some(Momentum::Classic(0.0)),
        weight_decay: Some(WeightDecay::L2(1.0)),
    };
    copy.try_update(&mut delta.clone(), delta_in_buffer, zeros)?;
    let subtract = SgdConfig { lr: 1.0, momentum: None, weight_decay: None };
    subtract.try_update(param, zeros, delta_in_buffer)
}

/// The gradient of `param` `[n]`, zeros if there is none.
pub fn composed_take_gradient<D: Backend>(
    param: &Flat<D>,
    grads: &mut Gradients<f32, D>,
) -> Result<Flat<D>, D> {
    grads.try_alloc_for(param)?;
    Ok(grads.get(param))
}

/// `Σ grad²`; grad `[n]`.
pub fn composed_squared_norm<D: Backend>(grad: &Flat<D>) -> Result<f64, D> {
    let sum = grad.clone().try_square()?.try_sum::<(), Axis<0>>()?;
    Ok(sum.as_vec().first().copied().map_or(0.0, f64::from))
}

/// Numbers in a piece of work.
const PIECE: usize = 1 << 14;

/// [`composed`], in one pass.
pub fn fused(
    param: &mut Flat<Cpu>,
    m: &mut Flat<Cpu>,
    v: &mut Flat<Cpu>,
    grad: &Flat<Cpu>,
    hyper: &AdamW,
) -> Result<(), Cpu> {
    let shape = *param.shape();
    let (mut p, mut m_values, mut v_values) = (copy(param), copy(m), copy(v));
    let grad = copy(grad);
    let pieces = p.chunks_mut(PIECE).zip(grad.chunks(PIECE));
    let pieces = pieces.zip(m_values.chunks_mut(PIECE).zip(v_values.chunks_mut(PIECE)));
    map_chunks(pieces, |((p, g), (m, v))| step([p, m, v], g, hyper));
    param.copy_from(&p);
    *m = m.device().try_tensor_from_vec(m_values, shape)?;
    *v = v.device().try_tensor_from_vec(v_values, shape)?;
    Ok(())
}

vectorized! {
    fn step(state: [&mut [f32]; 3], grad: &[f32], hyper: &AdamW) {
        let [p, m, v] = state;
        let (rate, root) = hyper.corrections();
        let (rate, root, eps) = (rate as f32, root as f32, hyper.eps as f32);
        let (b1, b2) = (hyper.beta1 as f32, hyper.beta2 as f32);
        let (c1, c2) = ((1.0 - hyper.beta1) as f32, (1.0 - hyper.beta2) as f32);
        let (kept, scale) = ((1.0 - hyper.lr * hyper.weight_decay) as f32, hyper.grad_scale as f32);
        for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(grad) {
            let g = g * scale;
            *m = fma::<FMA>(*m, b1, g * c1);
            *v = fma::<FMA>(*v, b2, g * g * c2);
            *p = fma::<FMA>(*p, kept, -rate * *m / fma::<FMA>(v.sqrt(), root, eps));
        }
    }
}

/// [`composed_take_gradient`], without a copy.
pub fn fused_take_gradient(param: &Flat<Cpu>, grads: &mut Gradients<f32, Cpu>) -> Result<Flat<Cpu>, Cpu> {
    let gradient = take_gradient(grads, param)?;
    if gradient.is_empty() {
        return param.device().try_zeros_like(param.shape()); // taken before
    }
    param.device().try_tensor_from_vec(gradient, *param.shape())
}

/// [`composed_squared_norm`], summed in double precision over pieces.
pub fn fused_squared_norm(grad: &Flat<Cpu>) -> Result<f64, Cpu> {
    let grad = copy(grad);
    let parts = map_chunks(grad.chunks(PIECE), |part| f64::from(dot(part, part)));
    Ok(parts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    type Form = fn(&mut Flat<Cpu>, &mut Flat<Cpu>, &mut Flat<Cpu>, &Flat<Cpu>, &AdamW) -> Result<(), Cpu>;

    #[test]
    fn two_steps_are_the_definition() {
        two_steps(composed);
        two_steps(fused);
    }

    fn two_steps(form: Form) {
        let mut p = random(5, 1);
        let (mut m, mut v) = (random(5, 1) * 0.0, random(5, 1) * 0.0);
        let mut expected: Vec<[f64; 3]> = p.as_vec().iter().map(|&p| [p as f64, 0.0, 0.0]).collect();
        for step in 1..=2 {
            let grad = random(5, 10 + step);
            let hyper = AdamW {
                lr: 0.1,
                beta1: 0.9,
                beta2: 0.95,
                eps: 1e-8,
                weight_decay: 0.2,
                step,
                grad_scale: 0.5,
            };
            form(&mut p, &mut m, &mut v, &grad, &hyper).unwrap();
            for (g, [p, m, v]) in grad.as_vec().iter().zip(&mut expected) {
                let g = *g as f64 * 0.5;
                *p *= 1.0 - 0.1 * 0.2;
                *m = 0.9 * *m + 0.1 * g;
                *v = 0.95 * *v + 0.05 * g * g;
                let (c1, c2) = (1.0 - 0.9f64.powi(step as i32), 1.0 - 0.95f64.powi(step as i32));
                *p -= 0.1 * (*m / c1) / ((*v / c2).sqrt() + 1e-8);
            }
        }
        let expected: Vec<f32> = expected.iter().map(|e| e[0] as f32).collect();
        assert_close(&p.as_vec(), &expected, 1e-6, "parameter");
    }

    #[test]
    fn a_gradient_is_taken_once() {
        let p = random(3, 1);
        let mut grads = (p.leaky_trace() * 2.0).sum().backward();
        let grad = composed_take_gradient(&p, &mut grads).unwrap();
        assert_eq!(grad.as_vec(), [2.0; 3]);
        assert_eq!(composed_squared_norm(&grad).unwrap(), 12.0);
        let other = random(3, 1);
        assert_eq!(composed_take_gradient(&other, &mut grads).unwrap().as_vec(), [0.0; 3]);
    }

    #[test]
    fn fused_is_composed() {
        let n = 40_000;
        let start = || (random(n, 1), random(n, 2) * 0.1, random(n, 3).square());
        let ((mut p, mut m, mut v), (mut p2, mut m2, mut v2)) = (start(), start());
        let grad = random(n, 4);
        let hyper = AdamW {
            lr: 0.1,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.2,
            step: 7,
            grad_scale: 0.3,
        };
        fused(&mut p, &mut m, &mut v, &grad, &hyper).unwrap();
        composed(&mut p2, &mut m2, &mut v2, &grad, &hyper).unwrap();
        for (a, b, what) in [(&p, &p2, "p"), (&m, &m2, "m"), (&v, &v2, "v")] {
            assert_close(&a.as_vec(), &b.as_vec(), 1e-6, what);
        }
        let (a, b) = (fused_squared_norm(&grad).unwrap(), composed_squared_norm(&grad).unwrap());
        assert!((a - b).abs() < 1e-4 * a);

        let mut grads = (p.leaky_trace() * 2.0).sum().backward();
        assert_eq!(fused_take_gradient(&p, &mut grads).unwrap().as_vec(), [2.0].repeat(n));
        assert_eq!(fused_take_gradient(&p, &mut grads).unwrap().as_vec(), [0.0].repeat(n));
    }
}
