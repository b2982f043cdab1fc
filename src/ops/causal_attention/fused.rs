//! Attention on the processor: a task per sequence and head, and no whole pattern unless it is asked for.

use super::super::cpu::{copy, map_tasks, output, put_gradient, read, take_gradient, zeros};
use super::super::{Result, Stream};
use super::heads::{Columns, Making, Sizes};
use super::{Attention, Pattern, backward, forward, rotary_tables};
use dfdx::prelude::*;

/// q, k, v `[batch, position, n_heads * d_head]`; z of the same shape.
pub fn fused(
    q: Stream<Cpu>,
    k: Stream<Cpu>,
    v: Stream<Cpu>,
    options: &Attention<'_, Cpu>,
) -> Result<(Stream<Cpu>, Option<Pattern<Cpu>>), Cpu> {
    let (q, tape) = q.try_contiguous()?.split_tape();
    let (k, k_tape) = k.try_contiguous()?.split_tape();
    let (v, v_tape) = v.try_contiguous()?.split_tape();
    let mut tape = tape.merge(k_tape).merge(v_tape);
    let shape @ (batch, position, width) = *q.shape();
    let n_heads = options.n_heads;
    let sizes = Sizes { batch, position, n_heads, d_head: width / n_heads };
    let sigmoid = |a: f32| 1.0 / (1.0 + (-a).exp());
    let making = Making {
        sizes,
        smear: options.smear.map(|a| copy(a).into_iter().map(sigmoid).collect()),
        rotary: options.rotary.then(|| rotary_tables(position, sizes.d_head)),
    };
    let biases: Vec<Vec<f32>> = match options.rel_bias {
        None => vec![vec![]; n_heads],
        Some(bias) => {
            let bias = copy(bias);
            let heads = bias.chunks(bias.len() / n_heads);
            heads.map(|bias| forward::by_key(bias, position)).collect()
        }
    };

    let (q_values, k_values, v_values) = (read(&q), read(&k), read(&v));
    let mut z = zeros(batch * position * width);
    let mut log_sums = vec![0.0; batch * n_heads * position];
    let pattern_size = if options.keep_pattern { position * position } else { 0 };
    let mut pattern = zeros(batch * n_heads * pattern_size);
    let z_columns = Columns::new(&mut z, sizes);
    let mut patterns = pattern.chunks_mut(pattern_size.max(1));
    let tasks = log_sums.chunks_mut(position.max(1)).enumerate();
    let tasks = tasks.map(|(task, log_sums)| (task, log_sums, patterns.next().unwrap_or_default()));
    map_tasks(
        tasks,
        || forward::Scratch::new(sizes),
        |scratch, (task, log_sums, pattern)| {
            let at = (task / n_heads, task % n_heads);
            let streams = [&q_values[..], &k_values, &v_values];
            let outputs = (&z_columns, log_sums, pattern);
            forward::head(streams, &making, at, &biases[at.1], scratch, outputs);
        },
    );

    let (z, z_values) = output(q.device(), z, shape)?;
    let pattern = match options.keep_pattern {
        false => None,
        true => {
            let shape = (batch, n_heads, position, position);
            Some(q.device().try_tensor_from_vec(pattern, shape)?)
        }
    };
    let (out, rel_bias, smear) = (z.clone(), options.rel_bias.cloned(), options.smear.cloned());
    tape.add_backward_op(move |grads| {
        let d_z = take_gradient(grads, &out)?;
        let mut d_q = take_gradient(grads, &q)?;
        let mut d_k = take_gradient(grads, &k)?;
        let mut d_v = take_gradient(grads, &v)?;
        for d in [&mut d_q, &mut d_k, &mut d_v] {
            d.resize(d_z.len(), 0.0); // the same tensor twice has been taken already
        }
        let [d_q_columns, d_k_columns, d_v_columns] =
            [&mut d_q, &mut d_k, &mut d_v].map(|d| Columns::new(d, sizes));
        let parts = map_tasks(
            log_sums.chunks(position.max(1)).enumerate(),
            || backward::Scratch::new(sizes),
            |scratch, (task, log_sums)| {
                let at = (task / n_heads, task % n_heads);
                let streams = [&q_values[..], &k_values, &v_values, &z_values, &d_z];
                let gradients = [&d_q_columns, &d_k_columns, &d_v_columns];
                backward::head(streams, &making, at, (&biases[at.1], log_sums), scratch, gradients)
            },
        );
        put_gradient(grads, &q, d_q)?;
        put_gradient(grads, &k, d_k)?;
        put_gradient(grads, &v, d_v)?;
        for (task, (d_bias, d_a)) in parts.iter().enumerate() {
            let head = task % n_heads;
            if let Some(bias) = &rel_bias {
                let sum = grads.get_or_alloc_mut(bias)?;
                let n_ctx = sum.len() / n_heads;
                let sum = &mut sum[head * n_ctx..][..position];
                let by_distance = d_bias[..position].iter().rev();
                sum.iter_mut().zip(by_distance).for_each(|(sum, d)| *sum += d);
            }
            if let Some(a) = &smear {
                grads.get_or_alloc_mut(a)?[head] += d_a;
            }
        }
        Ok(())
    });
    Ok((z.put_tape(tape), pattern))
}
