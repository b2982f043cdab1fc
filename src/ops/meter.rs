//! How long each operation takes, forward and backward: what `indhead bench` prints.
//!
//! Off unless [`start`]ed on this thread. Then each operation leaves two marks on the tape, one before it and one
//! after it: going back, the tape reaches the later mark first, so that the time between them is that of the
//! operation's backward pass.

use super::{Backend, Result, Taped};
use dfdx::prelude::{Merge, OwnedTape, PutTape, Shape, SplitTape, Tape};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// An operation's share of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The operation.
    pub name: &'static str,
    /// Spent going forward; all of it for what has no way back.
    pub forward: Duration,
    /// Spent in backward passes.
    pub backward: Duration,
}

#[derive(Debug)]
struct Meter {
    parts: Vec<Part>,
    mark: Instant,
}

thread_local! {
    static METER: RefCell<Option<Meter>> = const { RefCell::new(None) };
}

/// Measures the operations of this thread from now on.
pub fn start() {
    METER.set(Some(Meter { parts: Vec::new(), mark: Instant::now() }));
}

/// Measures no longer; the operations in the order in which they first ran.
pub fn finish() -> Vec<Part> {
    METER.take().map_or(Vec::new(), |meter| meter.parts)
}

fn measuring() -> bool {
    METER.with_borrow(Option::is_some)
}

fn add(name: &'static str, forward: Duration, backward: Duration) {
    METER.with_borrow_mut(|meter| {
        let Some(meter) = meter else { return };
        let known = meter.parts.iter().position(|part| part.name == name);
        let at = known.unwrap_or_else(|| {
            meter.parts.push(Part { name, forward: Duration::ZERO, backward: Duration::ZERO });
            meter.parts.len() - 1
        });
        meter.parts[at].forward += forward;
        meter.parts[at].backward += backward;
    });
}

/// Times something that has no way back.
pub fn timed<T>(name: &'static str, run: impl FnOnce() -> T) -> T {
    if !measuring() {
        return run();
    }
    let start = Instant::now();
    let result = run();
    add(name, start.elapsed(), Duration::ZERO);
    result
}

/// Times an operation that leaves its record on the tensor it returns, there and back.
pub(super) fn taped<D: Backend, R: Recorded<D>>(
    name: &'static str,
    run: impl FnOnce() -> Result<R, D>,
) -> Result<R, D> {
    if !measuring() {
        return run();
    }
    // A tape goes back through its steps in the order in which they were made, whatever tapes it was merged from.
    let mut before = OwnedTape::default();
    before.add_backward_op(move |_| {
        let backward = METER.with_borrow(|meter| meter.as_ref().map(|meter| meter.mark.elapsed()));
        add(name, Duration::ZERO, backward.unwrap_or_default());
        Ok(())
    });
    let result = timed(name, run)?;
    let mut after = OwnedTape::default();
    after.add_backward_op(|_| {
        METER.with_borrow_mut(|meter| meter.iter_mut().for_each(|meter| meter.mark = Instant::now()));
        Ok(())
    });
    Ok(result.with_record(before.merge(after)))
}

/// What has a tape.
pub(super) trait Recorded<D: Backend> {
    /// The same with more on its tape.
    fn with_record(self, more: OwnedTape<f32, D>) -> Self;
}

impl<S: Shape, D: Backend> Recorded<D> for Taped<S, D> {
    fn with_record(self, more: OwnedTape<f32, D>) -> Self {
        let (x, tape) = self.split_tape();
        x.put_tape(tape.merge(more))
    }
}

impl<T: Recorded<D>, D: Backend, const N: usize> Recorded<D> for [T; N] {
    fn with_record(self, more: OwnedTape<f32, D>) -> Self {
        let mut more = Some(more);
        self.map(|x| match more.take() {
            Some(more) => x.with_record(more),
            None => x,
        })
    }
}

impl<T: Recorded<D>, O, D: Backend> Recorded<D> for (T, O) {
    fn with_record(self, more: OwnedTape<f32, D>) -> Self {
        (self.0.with_record(more), self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{random, stream};
    use super::*;
    use dfdx::prelude::{Backward, Cpu, SumTo};

    #[test]
    fn operations_are_timed_there_and_back_and_only_when_asked() {
        let (x, w) = (random(2 * 64 * 64, 1), random(64 * 64, 2));
        let run = || {
            let y = Cpu::linear(stream(&x, (2, 64, 64)), &w, None, 64).unwrap();
            Cpu::gelu(y).unwrap().sum().backward().get(&w).as_vec()
        };
        let unmeasured = run();
        assert_eq!(finish(), []);
        start();
        let measured = run();
        let parts = finish();
        assert_eq!(parts.iter().map(|p| p.name).collect::<Vec<_>>(), ["linear", "activation"]);
        assert!(parts.iter().all(|p| p.forward > Duration::ZERO && p.backward > Duration::ZERO), "{parts:?}");
        assert_eq!(measured, unmeasured);
    }
}
