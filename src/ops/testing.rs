//! What the operations' tests share: seeded inputs, values and gradients of an operation, finite differences.

use super::{Flat, Result, Stream};
use dfdx::prelude::*;

/// `n` normal numbers.
pub fn random(n: usize, seed: u64) -> Flat<Cpu> {
    Cpu::seed_from_u64(seed).sample_normal_like(&(n,))
}

/// A flat input as a stream; its gradient is found under the input.
pub fn stream(input: &Flat<Cpu>, shape: (usize, usize, usize)) -> Stream<Cpu> {
    input.retaped::<OwnedTape<f32, Cpu>>().reshape_like(&shape)
}

/// An operation as a function of its inputs.
pub type Operation<'a> = &'a (dyn Fn(&[Flat<Cpu>]) -> Result<Stream<Cpu>, Cpu> + Sync);

/// The values of an operation, and the gradients of its inputs under a fixed random weighting of them.
#[derive(PartialEq)]
pub struct Outcome {
    pub values: Vec<f32>,
    pub gradients: Vec<Vec<f32>>,
}

pub fn outcome(inputs: &[Flat<Cpu>], operation: Operation) -> Outcome {
    let y = operation(inputs).unwrap();
    let values = y.as_vec();
    let weights = random(values.len(), 4711).reshape_like(y.shape());
    let mut grads = (y * weights).sum().backward();
    let gradients = inputs.iter().map(|input| {
        grads.try_alloc_for(input).unwrap();
        grads.get(input).as_vec()
    });
    let gradients = gradients.collect();
    Outcome { values, gradients }
}

/// `|a - b| <= tolerance * (largest |b| + |b|) + 1e-6` everywhere.
#[track_caller]
pub fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}: lengths");
    let scale = b.iter().fold(0f32, |m, b| m.max(b.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let far = (a - b).abs() > tolerance * (scale + b.abs()) + 1e-6;
        assert!(!far && a.is_finite(), "{what}[{i}]: {a} is not {b} (scale {scale})");
    }
}

/// Values and every gradient of two forms of an operation agree, and those of the first are the same bits on any
/// number of threads.
#[track_caller]
pub fn assert_same(inputs: &[Flat<Cpu>], fused: Operation, composed: Operation, tolerance: f32, what: &str) {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| outcome(inputs, fused))
    };
    let (a, b) = (on(1), outcome(inputs, composed));
    assert!(a == on(2) && a == on(3), "{what}: depends on threads");
    assert_close(&a.values, &b.values, tolerance, &format!("{what}: values"));
    for (i, (a, b)) in a.gradients.iter().zip(&b.gradients).enumerate() {
        assert_close(a, b, tolerance, &format!("{what}: gradient {i}"));
    }
}

/// Up to 40 entries of every gradient agree with central differences.
#[track_caller]
pub fn assert_gradients(inputs: &[Flat<Cpu>], operation: Operation) {
    let loss = |inputs: &[Flat<Cpu>]| -> f64 {
        let values = operation(inputs).unwrap().as_vec();
        let weights = random(values.len(), 4711).as_vec();
        let products = values.iter().zip(&weights);
        products.map(|(v, w)| *v as f64 * *w as f64).sum()
    };
    let gradients = outcome(inputs, operation).gradients;
    for (i, gradient) in gradients.iter().enumerate() {
        let stride = gradient.len().div_ceil(40);
        let picked: Vec<usize> = (0..gradient.len()).step_by(stride).collect();
        let numeric = picked.iter().map(|&e| {
            let at = |step: f32| {
                let mut values = inputs[i].as_vec();
                values[e] += step;
                let mut moved = inputs.to_vec();
                moved[i] = Cpu::default().tensor_from_vec(values, (gradient.len(),));
                loss(&moved)
            };
            let h = 1e-2;
            ((at(h) - at(-h)) / (2.0 * h as f64)) as f32
        });
        let numeric: Vec<f32> = numeric.collect();
        let picked: Vec<f32> = picked.iter().map(|&e| gradient[e]).collect();
        assert_close(&picked, &numeric, 5e-3, &format!("gradient of input {i}"));
    }
}
