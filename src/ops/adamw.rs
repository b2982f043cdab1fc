//! AdamW (Loshchilov and Hutter 2019), as torch computes it.
//!
//! With `g = grad * grad_scale`:
//! `p <- p (1 - lr * weight_decay)`, `m <- β₁ m + (1 - β₁) g`, `v <- β₂ v + (1 - β₂) g²`,
//! `p <- p - lr / (1 - β₁ᵗ) * m / (√v / √(1 - β₂ᵗ) + eps)`.

use super::cpu::{copy, dot, fma, map_chunks, put_gradient, take_gradient, vectorized};
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

/// The two moments of every parameter, by its id; zeros at first. They are kept where dfdx keeps gradients, in
/// buffers of the device that can be written to in place.
pub struct Moments<D: Backend> {
    first: Gradients<f32, D>,
    second: Gradients<f32, D>,
}

impl<D: Backend> Default for Moments<D> {
    fn default() -> Self {
        Self { first: Gradients::leaky(), second: Gradients::leaky() }
    }
}

impl<D: Backend> std::fmt::Debug for Moments<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moments").finish_non_exhaustive()
    }
}

impl<D: Backend> Moments<D> {
    /// A copy of a parameter's moments, `[n]`.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn get(&mut self, param: &Flat<D>) -> Result<[Flat<D>; 2], D> {
        self.first.try_alloc_for(param)?;
        self.second.try_alloc_for(param)?;
        Ok([self.first.get(param), self.second.get(param)])
    }

    /// A parameter's moments where they are kept, `[n]`.
    #[cfg(feature = "cuda")]
    pub(super) fn buffers(&mut self, param: &Flat<D>) -> Result<[&mut <D as Storage<f32>>::Vec; 2], D> {
        Ok([self.first.get_or_alloc_mut(param)?, self.second.get_or_alloc_mut(param)?])
    }

    /// Replaces a parameter's moments, `[n]`.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn set(&mut self, param: &Flat<D>, [m, v]: [Flat<D>; 2]) -> Result<(), D> {
        move_into(self.first.get_or_alloc_mut(param)?, m)?;
        move_into(self.second.get_or_alloc_mut(param)?, v)
    }
}

/// One step; all `[n]`. The parameter is changed in place and keeps its id; its gradient is used up.
pub fn composed<D: Backend>(
    param: &mut Flat<D>,
    moments: &mut Moments<D>,
    grads: &mut Gradients<f32, D>,
    hyper: &AdamW,
) -> Result<(), D> {
    let (rate, root) = hyper.corrections();
    grads.try_alloc_for(param)?;
    let [m, v] = moments.get(param)?;
    let g = grads.get(param).try_mul(hyper.grad_scale as f32)?;
    let g2 = g.clone().try_square()?;
    let (b1, b2) = (hyper.beta1 as f32, hyper.beta2 as f32);
    let m = m.try_mul(b1)?.try_add(g.try_mul((1.0 - hyper.beta1) as f32)?)?;
    let v = v.try_mul(b2)?.try_add(g2.try_mul((1.0 - hyper.beta2) as f32)?)?;
    let divisor = v.clone().try_sqrt()?.try_mul(root as f32)?.try_add(hyper.eps as f32)?;
    let step = m.clone().try_div(divisor)?.try_mul(rate as f32)?;
    let decay = param.clone().try_mul((hyper.lr * hyper.weight_decay) as f32)?;
    moments.set(param, [m, v])?;
    subtract_in_place(param, step.try_add(decay)?)
}

/// `param -= delta`, on the device. A tensor's own buffer is private in dfdx 0.13, but its optimizers take
/// a parameter and buffers: one of them moves `delta` into a buffer, the other one subtracts it.
fn subtract_in_place<D: Backend>(param: &mut Flat<D>, delta: Flat<D>) -> Result<(), D> {
    let (mut buffer, mut zeros) = (Gradients::leaky(), Gradients::leaky());
    let delta_in_buffer = buffer.get_or_alloc_mut(&delta)?;
    let zeros = zeros.get_or_alloc_mut(&delta)?;
    move_into(delta_in_buffer, delta)?;
    let subtract = SgdConfig { lr: 1.0, momentum: None, weight_decay: None };
    subtract.try_update(param, zeros, delta_in_buffer)
}

/// `buffer <- values`, on the device: to a step of length 0, with its momentum, values are weights that decay.
fn move_into<D: Backend>(buffer: &mut <D as Storage<f32>>::Vec, mut values: Flat<D>) -> Result<(), D> {
    let mut zeros = Gradients::leaky();
    let zeros = zeros.get_or_alloc_mut(&values)?;
    let copy = SgdConfig {
        lr: 0.0,
        momentum: Some(Momentum::Classic(0.0)),
        weight_decay: Some(WeightDecay::L2(1.0)),
    };
    copy.try_update(&mut values, buffer, zeros)
}

/// `Σ grad²` of a parameter's gradient `[n]`, zero if there is none.
pub fn composed_squared_norm<D: Backend>(param: &Flat<D>, grads: &mut Gradients<f32, D>) -> Result<f64, D> {
    grads.try_alloc_for(param)?;
    let sum = grads.get(param).try_square()?.try_sum::<(), Axis<0>>()?;
    Ok(sum.as_vec().first().copied().map_or(0.0, f64::from))
}

/// `sum += part` of a parameter's gradients `[n]`.
pub fn composed_add_gradient<D: Backend>(
    param: &Flat<D>,
    sums: &mut Gradients<f32, D>,
    part: &mut Gradients<f32, D>,
) -> Result<(), D> {
    sums.try_alloc_for(param)?;
    part.try_alloc_for(param)?;
    let sum = sums.get(param).try_add(part.get(param))?;
    move_into(sums.get_or_alloc_mut(param)?, sum)
}

/// [`composed_add_gradient`], in place.
pub fn fused_add_gradient(
    param: &Flat<Cpu>,
    sums: &mut Gradients<f32, Cpu>,
    part: &mut Gradients<f32, Cpu>,
) -> Result<(), Cpu> {
    put_gradient(sums, param, take_gradient(part, param)?)
}

/// Numbers in a piece of work.
const PIECE: usize = 1 << 14;

/// [`composed`], in one pass.
pub fn fused(
    param: &mut Flat<Cpu>,
    moments: &mut Moments<Cpu>,
    grads: &mut Gradients<f32, Cpu>,
    hyper: &AdamW,
) -> Result<(), Cpu> {
    let mut p = copy(param);
    let grad = take_gradient(grads, param)?;
    let m = moments.first.get_or_alloc_mut(param)?;
    let v = moments.second.get_or_alloc_mut(param)?;
    let pieces = p.chunks_mut(PIECE).zip(grad.chunks(PIECE));
    let pieces = pieces.zip(m.chunks_mut(PIECE).zip(v.chunks_mut(PIECE)));
    map_chunks(pieces, |((p, g), (m, v))| step([p, m, v], g, hyper));
    param.copy_from(&p);
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

/// [`composed_squared_norm`], summed in double precision over pieces.
pub fn fused_squared_norm(param: &Flat<Cpu>, grads: &mut Gradients<f32, Cpu>) -> Result<f64, Cpu> {
    let grad = grads.get_or_alloc_mut(param)?;
    let parts = map_chunks(grad.chunks(PIECE), |part| f64::from(dot(part, part)));
    Ok(parts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    type Form = fn(&mut Flat<Cpu>, &mut Moments<Cpu>, &mut Gradients<f32, Cpu>, &AdamW) -> Result<(), Cpu>;

    /// As if a backward pass had left this gradient.
    fn gradients(param: &Flat<Cpu>, grad: &Flat<Cpu>) -> Gradients<f32, Cpu> {
        (param.leaky_trace() * grad.clone()).sum().backward()
    }

    #[test]
    fn two_steps_are_the_definition() {
        two_steps(composed);
        two_steps(fused);
    }

    fn two_steps(form: Form) {
        let mut p = random(5, 1);
        let mut moments = Moments::default();
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
            let mut grads = gradients(&p, &grad);
            form(&mut p, &mut moments, &mut grads, &hyper).unwrap();
            for (g, [p, m, v]) in grad.as_vec().iter().zip(&mut expected) {
                let g = *g as f64 * 0.5;
                *p *= 1.0 - 0.1 * 0.2;
                *m = 0.9 * *m + 0.1 * g;
                *v = 0.95 * *v + 0.05 * g * g;
                let (c1, c2) = (1.0 - 0.9f64.powi(step as i32), 1.0 - 0.95f64.powi(step as i32));
                *p -= 0.1 * (*m / c1) / ((*v / c2).sqrt() + 1e-8);
            }
        }
        let [m, v] = moments.get(&p).unwrap();
        for (i, values) in [&p, &m, &v].into_iter().enumerate() {
            let expected: Vec<f32> = expected.iter().map(|e| e[i] as f32).collect();
            assert_close(&values.as_vec(), &expected, 1e-6, "parameter and moments");
        }
    }

    #[test]
    fn a_parameter_without_a_gradient_has_a_zero_one() {
        let (p, other) = (random(3, 1), random(3, 1));
        for norm in [composed_squared_norm, fused_squared_norm] {
            let mut grads = gradients(&p, &(p.clone() * 0.0 + 2.0));
            assert_eq!(norm(&p, &mut grads).unwrap(), 12.0);
            assert_eq!(norm(&other, &mut grads).unwrap(), 0.0);
        }
    }

    #[test]
    fn gradients_add_up() {
        type Add = fn(&Flat<Cpu>, &mut Gradients<f32, Cpu>, &mut Gradients<f32, Cpu>) -> Result<(), Cpu>;
        let p = random(5, 1);
        for add in [composed_add_gradient as Add, fused_add_gradient] {
            let (mut sums, mut expected) = (Gradients::leaky(), vec![0.0; 5]);
            for seed in 2..5 {
                let part = random(5, seed);
                expected.iter_mut().zip(part.as_vec()).for_each(|(sum, part)| *sum += part);
                add(&p, &mut sums, &mut gradients(&p, &part)).unwrap();
            }
            assert_close(&sums.get(&p).as_vec(), &expected, 1e-6, "sum");
        }
    }

    #[test]
    fn moments_come_back_as_they_were_set() {
        let (p, m, v) = (random(3, 1), random(3, 2), random(3, 3));
        let mut moments = Moments::default();
        assert_eq!(moments.get(&p).unwrap().map(|x| x.as_vec()), [[0.0; 3]; 2]);
        for _ in 0..2 {
            moments.set(&p, [m.clone(), v.clone()]).unwrap();
            assert_eq!(moments.get(&p).unwrap().map(|x| x.as_vec()), [m.as_vec(), v.as_vec()]);
        }
    }

    #[test]
    fn fused_is_composed() {
        let n = 40_000;
        let start = || {
            let (p, mut moments) = (random(n, 1), Moments::default());
            moments.set(&p, [random(n, 2) * 0.1, random(n, 3).square()]).unwrap();
            let grads = gradients(&p, &random(n, 4));
            (p, moments, grads)
        };
        let ((mut p, mut moments, mut grads), (mut p2, mut moments2, mut grads2)) = (start(), start());
        let (a, b) =
            (fused_squared_norm(&p, &mut grads).unwrap(), composed_squared_norm(&p2, &mut grads2).unwrap());
        assert!((a - b).abs() < 1e-4 * a);
        let hyper = AdamW {
            lr: 0.1,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.2,
            step: 7,
            grad_scale: 0.3,
        };
        fused(&mut p, &mut moments, &mut grads, &hyper).unwrap();
        composed(&mut p2, &mut moments2, &mut grads2, &hyper).unwrap();
        assert_close(&p.as_vec(), &p2.as_vec(), 1e-6, "p");
        for (a, b) in moments.get(&p).unwrap().iter().zip(&moments2.get(&p2).unwrap()) {
            assert_close(&a.as_vec(), &b.as_vec(), 1e-6, "moments");
        }
    }
}
