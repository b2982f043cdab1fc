//! [`causal_attention`](mod@crate::ops::causal_attention) on the card: products over many sequences and heads at once,
//! with the patterns of some queries of some sequences at a time, and of these only keys that they see.

mod making;

use super::columns::together;
use super::engine::{Arg, Grid, engine};
use super::memory::{Address, Scratch, address, gradient, output, upload};
use super::product::Matrix;
use crate::ops::causal_attention::{Attention, Pattern, rotary_tables};
use crate::ops::{Result, Stream, Values};
use dfdx::prelude::*;
use making::{Block, Making};

/// q, k, v `[batch, position, n_heads * d_head]`; z of the same shape.
pub fn fused(
    q: Stream<Cuda>,
    k: Stream<Cuda>,
    v: Stream<Cuda>,
    options: &Attention<'_, Cuda>,
) -> Result<(Stream<Cuda>, Option<Pattern<Cuda>>), Cuda> {
    let (q, tape) = q.try_contiguous()?.split_tape();
    let (k, k_tape) = k.try_contiguous()?.split_tape();
    let (v, v_tape) = v.try_contiguous()?.split_tape();
    let mut tape = tape.merge(k_tape).merge(v_tape);
    let shape @ (batch, position, width) = *q.shape();
    let n_heads = options.n_heads;
    let d_head = width / n_heads;
    let rotary = match options.rotary {
        false => None,
        true => {
            let (cosines, sines) = rotary_tables(position, d_head);
            Some([upload(cosines)?, upload(sines)?])
        }
    };
    let (rel_bias, smear) = (options.rel_bias.cloned(), options.smear.cloned());
    let making = Making { batch, position, n_heads, d_head, rel_bias, smear, rotary };
    let (y, to) = output(q.device(), shape)?;
    let kept = match options.keep_pattern {
        false => None,
        true => Some(output(q.device(), (batch, n_heads, position, position))?),
    };
    forward(&making, [address(&q)?, address(&k)?, address(&v)?], to, kept.as_ref().map(|kept| kept.1))?;

    let out = y.clone();
    tape.add_backward_op(move |grads| {
        let d_z = gradient(grads, &out)?;
        let d_bias = making.rel_bias.as_ref().map(|bias| gradient(grads, bias)).transpose()?;
        let d_smear = making.smear.as_ref().map(|smear| gradient(grads, smear)).transpose()?;
        let d_streams = [gradient(grads, &q)?, gradient(grads, &k)?, gradient(grads, &v)?];
        let streams = [address(&q)?, address(&k)?, address(&v)?];
        backward(&making, streams, d_z, d_streams, [d_bias, d_smear])
    });
    Ok((y.put_tape(tape), kept.map(|kept| kept.0)))
}

/// Writes z, and the patterns if they are kept.
fn forward(making: &Making, [q, k, v]: [Address; 3], z: Address, kept: Option<Address>) -> Result<(), Cuda> {
    let Making { position, n_heads, .. } = *making;
    let (q, k, v) = (making.queries(q)?, making.keys(k)?, making.values(v)?);
    let square = n_heads * position * position;
    let (scores, pattern) = patterns(making)?;
    let apart = Scratch::new(making.numbers(), 4)?;
    for block in making.blocks() {
        making.scores(scores.address(), making.scale(), [&q, &k], block)?;
        let kept = kept.map(|kept| kept.plus(block.sequence * square, 4));
        making.attend(scores.address(), pattern.address(), kept, block)?;
        making.to_queries(&apart, 1.0, &pattern, &v, block)?;
    }
    making.together(&apart, z)
}

/// `z = pattern v` by head: pattern `[batch, head, query, key]`, v and z `[batch, position, n_heads * d_head]`.
pub fn fused_mix(pattern: &Pattern<Cuda>, v: &Values<Cuda>) -> Result<Values<Cuda>, Cuda> {
    let (pattern, v) = (pattern.clone().try_contiguous()?, v.clone().try_contiguous()?);
    let shape @ (batch, position, width) = *v.shape();
    let n_heads = pattern.shape().1;
    let d_head = width / n_heads;
    let making = Making { batch, position, n_heads, d_head, rel_bias: None, smear: None, rotary: None };
    let (z, to) = output(v.device(), shape)?;
    let v = making.values(address(&v)?)?;
    let pattern = Matrix::packed(address(&pattern)?, batch * n_heads * position, position)?;
    let apart = Scratch::new(making.numbers(), 4)?;
    let all = Block { sequence: 0, sequences: batch, first: 0, rows: position, keys: position };
    making.to_queries(&apart, 1.0, &pattern, &v, all)?;
    making.together(&apart, to)?;
    Ok(z)
}

/// Room for the scores of a block, and for its patterns, which in f32 take the scores' place.
fn patterns(making: &Making) -> Result<(Scratch, Matrix), Cuda> {
    let rows = making.chunk() * making.n_heads * making.queries_at_once();
    let scores = Scratch::new(rows * making.position, 4)?;
    let pattern = Matrix::in_place_of(&scores, rows, making.position)?;
    Ok((scores, pattern))
}

/// Adds to the gradients of q, k and v, of the bias and of the smearing.
fn backward(
    making: &Making,
    [q, k, v]: [Address; 3],
    d_z: Address,
    d_streams: [Address; 3],
    [d_bias, d_smear]: [Option<Address>; 2],
) -> Result<(), Cuda> {
    let Making { position, n_heads, .. } = *making;
    let scale = making.scale();
    let (q, keys, v) = (making.queries(q)?, making.keys(k)?, making.values(v)?);
    let d_z = making.values(d_z)?;
    let (scores, pattern) = patterns(making)?;
    let scores_at_once = making.chunk() * n_heads * making.queries_at_once() * position;
    let d_pattern = Scratch::new(scores_at_once, 4)?;
    let n = making.numbers();
    let [d_q, d_k, d_v] = [Scratch::new(n, 4)?, Scratch::new(n, 4)?, Scratch::new(n, 4)?];
    for block in making.blocks() {
        making.scores(scores.address(), scale, [&q, &keys], block)?;
        making.attend(scores.address(), pattern.address(), None, block)?;
        making.to_keys(&d_v, 1.0, &pattern, &d_z, block)?;
        making.scores(d_pattern.address(), 1.0, [&d_z, &v], block)?;
        let args = [d_pattern.address().into(), pattern.address().into(), block.sizes().into()];
        let grid = Grid::rows(block.sequences * n_heads * block.rows, block.keys);
        engine()?.launch("attend_backward", grid, &args)?;
        making.to_queries(&d_q, scale, &pattern, &keys, block)?;
        making.to_keys(&d_k, scale, &pattern, &q, block)?;
        if let Some(d_bias) = d_bias {
            add_bias(making, d_bias, pattern.address(), block)?;
        }
    }
    if let [Some(cosines), Some(sines)] = making.tables() {
        for d in [&d_q, &d_k] {
            let sizes = making.sizes().into();
            let args = [d.address().into(), n.into(), sizes, cosines.into(), sines.into()];
            engine()?.launch("turn_back", Grid::each(n / 2), &args)?;
        }
    }
    let smear = making.smear_address()?;
    let smears = [None, smear, None];
    for ((d, to), smear) in [&d_q, &d_k, &d_v].into_iter().zip(d_streams).zip(smears) {
        let args: [Arg; 5] = [d.address().into(), to.into(), n.into(), making.sizes().into(), smear.into()];
        engine()?.launch("apart_backward", Grid::each(n), &args)?;
    }
    if let (Some(smear), Some(d_smear)) = (smear, d_smear) {
        let places = [d_k.address().into(), k.into(), d_smear.into()];
        let rest = [making.batch.into(), making.sizes().into(), smear.into()];
        let grid = Grid { blocks: [n_heads as u32, 1, 1], threads: 1024 };
        engine()?.launch("smear_backward", grid, &[&places[..], &rest].concat())?;
    }
    Ok(())
}

/// Adds the scores' gradients of a block to that of the bias.
fn add_bias(making: &Making, d_bias: Address, d_scores: Address, block: Block) -> Result<(), Cuda> {
    let Making { n_heads, ref rel_bias, .. } = *making;
    let n_ctx = rel_bias.as_ref().map_or(0, |bias| bias.shape().0 / n_heads);
    let rows = block.sequences * block.rows;
    let n_parts = rows.div_ceil(together(rows));
    let parts = Scratch::new(n_parts * n_heads * block.keys, 4)?;
    let counts = [block.sequences.into(), n_heads.into(), block.sizes().into(), together(rows).into()];
    let args = [&[d_scores.into(), parts.address().into()], &counts[..]].concat();
    engine()?.launch("bias_parts", Grid::columns(block.keys, n_heads, n_parts), &args)?;
    let counts = [n_parts.into(), n_heads.into(), block.keys.into(), n_ctx.into()];
    let args = [&[d_bias.into(), parts.address().into()], &counts[..]].concat();
    engine()?.launch("add_bias_parts", Grid::each(n_heads * block.keys), &args)
}
