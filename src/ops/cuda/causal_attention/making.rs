//! What attention goes by, and its products over many sequences and heads at once.

use super::super::engine::{Grid, engine};
use super::super::memory::{Address, Scratch, address};
use super::super::product::{Matrix, Target, products};
use crate::ops::card::{QUERIES, SCORES};
use crate::ops::{Flat, Result};
use cudarc::driver::CudaSlice;
use dfdx::prelude::*;

/// Some sequences, and of them some queries with the keys that the last of them sees.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The first sequence.
    pub sequence: usize,
    pub sequences: usize,
    /// The first query.
    pub first: usize,
    pub rows: usize,
    pub keys: usize,
}

impl Block {
    /// As kernels take them.
    pub fn sizes(self) -> [usize; 3] {
        [self.first, self.rows, self.keys]
    }
}

/// What attention goes by.
pub struct Making {
    pub batch: usize,
    pub position: usize,
    pub n_heads: usize,
    pub d_head: usize,
    pub rel_bias: Option<Flat<Cuda>>,
    pub smear: Option<Flat<Cuda>>,
    /// Cosines and sines, with what holds them.
    pub rotary: Option<[(CudaSlice<f32>, Address); 2]>,
}

impl Making {
    /// Of a stream.
    pub fn numbers(&self) -> usize {
        self.batch * self.position * self.n_heads * self.d_head
    }

    /// As kernels take them.
    pub fn sizes(&self) -> [usize; 3] {
        [self.position, self.n_heads, self.d_head]
    }

    /// Queries of a block, at most.
    pub fn queries_at_once(&self) -> usize {
        QUERIES.min(self.position)
    }

    /// Sequences whose scores exist at a time.
    pub fn chunk(&self) -> usize {
        let scores = self.n_heads * self.queries_at_once() * self.position;
        (SCORES / scores.max(1)).clamp(1, self.batch.max(1))
    }

    /// What exists at a time, in order: some sequences, and of them some queries, the last first, which see all keys.
    pub fn blocks(&self) -> Vec<Block> {
        let (batch, position, chunk) = (self.batch, self.position, self.chunk());
        let queries = (0..position).step_by(QUERIES).rev();
        let of = |sequence: usize| {
            let sequences = chunk.min(batch - sequence);
            queries.clone().map(move |first| {
                let rows = QUERIES.min(position - first);
                Block { sequence, sequences, first, rows, keys: first + rows }
            })
        };
        (0..batch).step_by(chunk).flat_map(of).collect()
    }

    pub fn smear_address(&self) -> Result<Option<Address>, Cuda> {
        self.smear.as_ref().map(address).transpose()
    }

    pub fn tables(&self) -> [Option<Address>; 2] {
        match &self.rotary {
            Some([cosines, sines]) => [Some(cosines.1), Some(sines.1)],
            None => [None; 2],
        }
    }

    /// A stream with its heads apart, `[sequence, head, position, d_head]`, smeared and turned if asked for.
    pub fn apart(
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

    pub fn queries(&self, q: Address) -> Result<Matrix, Cuda> {
        self.apart(q, None, self.tables())
    }

    pub fn keys(&self, k: Address) -> Result<Matrix, Cuda> {
        self.apart(k, self.smear_address()?, self.tables())
    }

    pub fn values(&self, v: Address) -> Result<Matrix, Cuda> {
        self.apart(v, None, [None; 2])
    }

    /// Where a block's sequences begin in a matrix with heads apart.
    pub fn begins(&self, block: Block) -> usize {
        block.sequence * self.n_heads * self.position * self.d_head
    }

    /// `scale * a bᵀ` of a block: queries of a, keys of b.
    pub fn scores(&self, to: Address, scale: f32, [a, b]: [&Matrix; 2], block: Block) -> Result<(), Cuda> {
        let Block { sequences, first, rows, keys, .. } = block;
        let (head, begins) = (self.position * self.d_head, self.begins(block));
        let to = Target { apart: rows * keys, ..Target::write(to, keys) };
        let a = a.side().from(begins + first * self.d_head).apart(head);
        let b = b.side().from(begins).apart(head).transposed();
        products(to, scale, a, b, (rows, self.d_head, keys), sequences * self.n_heads)
    }

    /// `scale * p x`: what a block's queries get of its keys, written.
    pub fn to_queries(
        &self,
        to: &Scratch,
        scale: f32,
        p: &Matrix,
        x: &Matrix,
        block: Block,
    ) -> Result<(), Cuda> {
        let Block { sequences, first, rows, keys, .. } = block;
        let (head, begins) = (self.position * self.d_head, self.begins(block));
        let at = to.address().plus(begins + first * self.d_head, 4);
        let to = Target { apart: head, ..Target::write(at, self.d_head) };
        let p = p.side().strided(keys).apart(rows * keys);
        let x = x.side().from(begins).apart(head);
        products(to, scale, p, x, (rows, keys, self.d_head), sequences * self.n_heads)
    }

    /// `scale * pᵀ x`: what its keys get of its queries, added to what they got of later ones.
    pub fn to_keys(
        &self,
        to: &Scratch,
        scale: f32,
        p: &Matrix,
        x: &Matrix,
        block: Block,
    ) -> Result<(), Cuda> {
        let Block { sequences, first, rows, keys, .. } = block;
        let (head, begins) = (self.position * self.d_head, self.begins(block));
        let at = to.address().plus(begins, 4);
        let to = Target { apart: head, add: keys < self.position, ..Target::write(at, self.d_head) };
        let p = p.side().strided(keys).apart(rows * keys).transposed();
        let x = x.side().from(begins + first * self.d_head).apart(head);
        products(to, scale, p, x, (keys, rows, self.d_head), sequences * self.n_heads)
    }

    /// Scores to the pattern, of a block.
    pub fn attend(
        &self,
        scores: Address,
        pattern: Address,
        kept: Option<Address>,
        block: Block,
    ) -> Result<(), Cuda> {
        let &Making { position, n_heads, .. } = self;
        let n_ctx = self.rel_bias.as_ref().map_or(0, |bias| bias.shape().0 / n_heads);
        let bias = self.rel_bias.as_ref().map(address).transpose()?;
        let places = [scores.into(), pattern.into(), kept.into(), bias.into()];
        let counts = [n_heads.into(), position.into(), n_ctx.into(), block.sizes().into()];
        let grid = Grid::rows(block.sequences * n_heads * block.rows, block.keys);
        engine()?.launch("attend", grid, &[&places[..], &counts].concat())
    }

    /// Heads apart to a stream.
    pub fn together(&self, apart: &Scratch, to: Address) -> Result<(), Cuda> {
        let n = self.numbers();
        let args = [apart.address().into(), to.into(), n.into(), self.sizes().into()];
        engine()?.launch("together", Grid::each(n), &args)
    }

    pub fn scale(&self) -> f32 {
        1.0 / (self.d_head as f32).sqrt()
    }
}
