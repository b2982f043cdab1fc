//! [`causal_attention`](mod@crate::ops::causal_attention) on the card: products over many sequences and heads at once,
//! with the patterns of some sequences at a time.

use super::engine::{Arg, Grid, engine};
use super::memory::{Address, Scratch, address, gradient, output, upload};
use super::product::{Matrix, Target, products};
use crate::ops::card::SCORES;
use crate::ops::causal_attention::{Attention, Pattern, rotary_tables};
use crate::ops::{Flat, Result, Stream, Values};
use cudarc::driver::CudaSlice;
use dfdx::prelude::*;

/// What attention goes by.
struct Making {
    batch: usize,
    position: usize,
    n_heads: usize,
    d_head: usize,
    rel_bias: Option<Flat<Cuda>>,
    smear: Option<Flat<Cuda>>,
    /// Cosines and sines, with what holds them.
    rotary: Option<[(CudaSlice<f32>, Address); 2]>,
}

impl Making {
    fn numbers(&self) -> usize {
        self.batch * self.position * self.n_heads * self.d_head
    }

    fn sizes(&self) -> [usize; 3] {
        [self.position, self.n_heads, self.d_head]
    }

    /// Sequences whose scores exist at a time.
    fn chunk(&self) -> usize {
        let scores = self.n_heads * self.position * self.position;
        (SCORES / scores.max(1)).clamp(1, self.batch.max(1))
    }

    /// The first sequence of every chunk, and how many it has.
    fn chunks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (batch, chunk) = (self.batch, self.chunk());
        (0..batch).step_by(chunk).map(move |first| (first, chunk.min(batch - first)))
    }

    fn smear_address(&self) -> Result<Option<Address>, Cuda> {
        self.smear.as_ref().map(address).transpose()
    }

    fn tables(&self) -> [Option<Address>; 2] {
        match &self.rotary {
            Some([cosines, sines]) => [Some(cosines.1), Some(sines.1)],
            None => [None; 2],
        }
    }

    /// A stream with its heads apart, `[sequence, head, position, d_head]`, smeared and turned if asked for.
    fn apart(
        &self,
        x: Address,
        smear: Option<Address>,
        tables: [Option<Address>; 2],
    ) -> Result<Matrix, Cuda> {
        let n = self.numbers();
        Matrix::made(n, self.d_head, |to| {
            let [cosines, sines] = tables;
            let places = [x.into(), to.into(), n.into(), self.sizes().into()];
            let args = [&places[..], &[smear.into(), cosines.into(), sines.into()]].concat();
            engine()?.launch("apart", Grid::each(n), &args)
        })
    }

    fn queries(&self, q: Address) -> Result<Matrix, Cuda> {
        self.apart(q, None, self.tables())
    }

    fn keys(&self, k: Address) -> Result<Matrix, Cuda> {
        self.apart(k, self.smear_address()?, self.tables())
    }

    fn values(&self, v: Address) -> Result<Matrix, Cuda> {
        self.apart(v, None, [None; 2])
    }

    /// `scale * a bᵀ` `[position, position]` of every head of some sequences.
    fn scores(
        &self,
        to: Address,
        scale: f32,
        [a, b]: [&Matrix; 2],
        (first, some): (usize, usize),
    ) -> Result<(), Cuda> {
        let &Making { position, n_heads, d_head, .. } = self;
        let (head, square) = (position * d_head, position * position);
        let from = first * n_heads * head;
        let to = Target { apart: square, ..Target::write(to, position) };
        let [a, b] = [a, b].map(|x| x.side().from(from).apart(head));
        products(to, scale, a, b.transposed(), (position, d_head, position), some * n_heads)
    }

    /// `scale * p x` `[position, d_head]` of every head of some sequences, or of p transposed; x and the result are of
    /// all sequences.
    fn mixed(
        &self,
        to: &Scratch,
        scale: f32,
        (p, transposed): (&Matrix, bool),
        x: &Matrix,
        (first, some): (usize, usize),
    ) -> Result<(), Cuda> {
        let &Making { position, n_heads, d_head, .. } = self;
        let head = position * d_head;
        let from = first * n_heads * head;
        let to = Target { apart: head, ..Target::write(to.address().plus(from, 4), d_head) };
        let p = p.side().apart(position * position);
        let p = if transposed { p.transposed() } else { p };
        let x = x.side().from(from).apart(head);
        products(to, scale, p, x, (position, position, d_head), some * n_heads)
    }

    /// Scores to the pattern, of some sequences.
    fn attend(
        &self,
        scores: Address,
        pattern: Address,
        kept: Option<Address>,
        some: usize,
    ) -> Result<(), Cuda> {
        let &Making { position, n_heads, .. } = self;
        let n_ctx = self.rel_bias.as_ref().map_or(0, |bias| bias.shape().0 / n_heads);
        let bias = self.rel_bias.as_ref().map(address).transpose()?;
        let places = [scores.into(), pattern.into(), kept.into(), bias.into()];
        let args = [&places[..], &[n_heads.into(), position.into(), n_ctx.into()]].concat();
        engine()?.launch("attend", Grid::rows(some * n_heads * position, position), &args)
    }

    /// Heads apart to a stream.
    fn together(&self, apart: &Scratch, to: Address) -> Result<(), Cuda> {
        let n = self.numbers();
        let args = [apart.address().into(), to.into(), n.into(), self.sizes().into()];
        engine()?.launch("together", Grid::each(n), &args)
    }

    fn scale(&self) -> f32 {
        1.0 / (self.d_head as f32).sqrt()
    }
}

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
    for some in making.chunks() {
        making.scores(scores.address(), making.scale(), [&q, &k], some)?;
        let kept = kept.map(|kept| kept.plus(some.0 * square, 4));
        making.attend(scores.address(), pattern.address(), kept, some.1)?;
        making.mixed(&apart, 1.0, (&pattern, false), &v, some)?;
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
    making.mixed(&apart, 1.0, (&pattern, false), &v, (0, batch))?;
    making.together(&apart, to)?;
    Ok(z)
}

/// Room for the scores of a chunk, and for its patterns, which in f32 take the scores' place.
fn patterns(making: &Making) -> Result<(Scratch, Matrix), Cuda> {
    let Making { position, n_heads, .. } = *making;
    let rows = making.chunk() * n_heads * position;
    let scores = Scratch::new(rows * position, 4)?;
    let pattern = Matrix::in_place_of(&scores, rows, position)?;
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
    let d_pattern = Scratch::new(making.chunk() * n_heads * position * position, 4)?;
    let n = making.numbers();
    let [d_q, d_k, d_v] = [Scratch::new(n, 4)?, Scratch::new(n, 4)?, Scratch::new(n, 4)?];
    for some in making.chunks() {
        making.scores(scores.address(), scale, [&q, &keys], some)?;
        making.attend(scores.address(), pattern.address(), None, some.1)?;
        making.mixed(&d_v, 1.0, (&pattern, true), &d_z, some)?;
        making.scores(d_pattern.address(), 1.0, [&d_z, &v], some)?;
        let args = [d_pattern.address().into(), pattern.address().into(), position.into()];
        engine()?.launch("attend_backward", Grid::rows(some.1 * n_heads * position, position), &args)?;
        making.mixed(&d_q, scale, (&pattern, false), &keys, some)?;
        making.mixed(&d_k, scale, (&pattern, true), &q, some)?;
        if let Some(d_bias) = d_bias {
            add_bias(making, d_bias, d_pattern.address(), some.1)?;
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

/// Adds the scores' gradients of some sequences to that of the bias.
fn add_bias(making: &Making, d_bias: Address, d_scores: Address, some: usize) -> Result<(), Cuda> {
    let Making { position, n_heads, ref rel_bias, .. } = *making;
    let n_ctx = rel_bias.as_ref().map_or(0, |bias| bias.shape().0 / n_heads);
    let together = super::columns::together(some * position);
    let n_parts = (some * position).div_ceil(together);
    let parts = Scratch::new(n_parts * n_heads * position, 4)?;
    let counts = [some.into(), n_heads.into(), position.into(), together.into()];
    let args = [&[d_scores.into(), parts.address().into()], &counts[..]].concat();
    engine()?.launch("bias_parts", Grid::columns(position, n_heads, n_parts), &args)?;
    let counts = [n_parts.into(), n_heads.into(), position.into(), n_ctx.into()];
    let args = [&[d_bias.into(), parts.address().into()], &counts[..]].concat();
    engine()?.launch("add_bias_parts", Grid::each(n_heads * position), &args)
}
