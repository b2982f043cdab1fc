//! One head's rows of the streams: smeared and rotated on the way in, the reverse for gradients on the way out.

use super::super::cpu::dot;

/// The sizes of a call.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub batch: usize,
    pub position: usize,
    pub n_heads: usize,
    pub d_head: usize,
}

impl Sizes {
    /// Of q, k, v and z.
    pub fn width(&self) -> usize {
        self.n_heads * self.d_head
    }

    /// Of the scores.
    pub fn scale(&self) -> f32 {
        1.0 / (self.d_head as f32).sqrt()
    }

    /// Where the rows of a sequence and head start in a stream; they are a width apart.
    pub fn start(&self, sequence: usize, head: usize) -> usize {
        sequence * self.position * self.width() + head * self.d_head
    }
}

/// How keys and queries are made.
pub(super) struct Making {
    pub sizes: Sizes,
    /// σ(a) of every head.
    pub smear: Option<Vec<f32>>,
    /// Cosines and sines, `[position, d_head / 2]`.
    pub rotary: Option<(Vec<f32>, Vec<f32>)>,
}

/// The rows of a head in a stream.
fn rows<'a>(
    stream: &'a [f32],
    sizes: &Sizes,
    (sequence, head): (usize, usize),
) -> impl Iterator<Item = &'a [f32]> + use<'a> {
    let Sizes { position, d_head, .. } = *sizes;
    let rows = stream[sizes.start(sequence, head)..].chunks(sizes.width());
    rows.take(position).map(move |row| &row[..d_head])
}

/// Copies the rows of a head together, `[position, d_head]`: in the stream, a power of two apart, they would push
/// each other out of the cache.
pub(super) fn gather(stream: &[f32], sizes: &Sizes, at: (usize, usize), to: &mut [f32]) {
    for (to, row) in to.chunks_exact_mut(sizes.d_head).zip(rows(stream, sizes, at)) {
        to.copy_from_slice(row);
    }
}

/// Rows `[position, d_head]` to columns, `stride` apart.
pub(super) fn transpose(rows: &[f32], d_head: usize, to: &mut [f32], stride: usize) {
    const TILE: usize = 16;
    for (tile, rows) in rows.chunks(TILE * d_head).enumerate() {
        for column in 0..d_head {
            let to = &mut to[column * stride + tile * TILE..];
            for (to, row) in to.iter_mut().zip(rows.chunks_exact(d_head)) {
                *to = row[column];
            }
        }
    }
}

impl Making {
    /// The queries of a head, `[position, d_head]`.
    pub fn queries(&self, q: &[f32], at: (usize, usize), to: &mut [f32]) {
        gather(q, &self.sizes, at, to);
        self.rotate(to, 1.0);
    }

    /// The keys of a head, `[position, d_head]`.
    pub fn keys(&self, k: &[f32], at: (usize, usize), to: &mut [f32]) {
        gather(k, &self.sizes, at, to);
        if let Some(share) = &self.smear {
            let share = share[at.1];
            let after_first = to.chunks_exact_mut(self.sizes.d_head).skip(1);
            for (now, before) in after_first.zip(rows(k, &self.sizes, at)) {
                for (now, before) in now.iter_mut().zip(before) {
                    *now = before + share * (*now - before);
                }
            }
        }
        self.rotate(to, 1.0);
    }

    /// From gradients of a head's made queries to those of its queries, in place.
    pub fn queries_backward(&self, d_q: &mut [f32]) {
        self.rotate(d_q, -1.0);
    }

    /// From gradients of a head's made keys to those of its keys, in place; returns that of `a`.
    pub fn keys_backward(&self, d_k: &mut [f32], k: &[f32], at: (usize, usize)) -> f32 {
        self.rotate(d_k, -1.0);
        let Some(share) = &self.smear else { return 0.0 };
        let share = share[at.1];
        let d_head = self.sizes.d_head;
        let pairs = rows(k, &self.sizes, at).zip(rows(k, &self.sizes, at).skip(1));
        let mut d_share = 0.0;
        for (t, (before_row, row)) in pairs.enumerate() {
            let (before, now) = d_k[t * d_head..].split_at_mut(d_head);
            let now = &mut now[..d_head];
            d_share += dot(now, row) - dot(now, before_row);
            for (before, now) in before.iter_mut().zip(now) {
                *before += (1.0 - share) * *now;
                *now *= share;
            }
        }
        d_share * share * (1.0 - share)
    }

    /// Turns the rows by their angles, times `direction` ±1.
    fn rotate(&self, rows: &mut [f32], direction: f32) {
        let Some((cos, sin)) = &self.rotary else {
            return;
        };
        let half = self.sizes.d_head / 2;
        let angles = cos.chunks_exact(half).zip(sin.chunks_exact(half));
        for (row, (cos, sin)) in rows.chunks_exact_mut(2 * half).zip(angles) {
            let (first, second) = row.split_at_mut(half);
            for (((x, y), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                let sin = direction * sin;
                (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
            }
        }
    }
}

/// The stream that heads write to, each its own columns.
pub(super) struct Columns<'a> {
    start: *mut f32,
    sizes: Sizes,
    _stream: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: `add` and `set` are called for each sequence and head from one thread at a time, as they demand.
unsafe impl Sync for Columns<'_> {}

impl<'a> Columns<'a> {
    pub fn new(stream: &'a mut [f32], sizes: Sizes) -> Self {
        assert_eq!(stream.len(), sizes.batch * sizes.position * sizes.width());
        let start = stream.as_mut_ptr();
        Self { start, sizes, _stream: std::marker::PhantomData }
    }

    /// The columns of a head in a row of a sequence.
    ///
    /// # Safety
    ///
    /// Nobody else may hold the same row of the same sequence and head.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn row(&self, (sequence, head): (usize, usize), row: usize) -> &mut [f32] {
        let Sizes { batch, position, n_heads, d_head } = self.sizes;
        assert!(sequence < batch && head < n_heads && row < position);
        let at = self.sizes.start(sequence, head) + row * self.sizes.width();
        // SAFETY: inside the stream, and the caller has it alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), d_head) }
    }
}
