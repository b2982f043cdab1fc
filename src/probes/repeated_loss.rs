//! Loss on tokens seen for the first and for the second time.

use super::repeated::{self, Repeated};
use super::{Context, ProbeKind, mean};
use crate::error::Result;
use crate::record::Table;
use crate::spec::{Checking, Kind};

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "repeated_loss",
        doc: "Mean next-token loss on the first and on the second half of [BOS, s, s], nats, and \
              position by position. Random tokens are far from what a text model expects: judge by \
              the difference, and by tokens = \"passages\".",
        example: "probe = \"repeated_loss\"\ntokens = \"passages\"\nid = \"repeated_passages\"",
        keys: &[repeated::TOKENS, repeated::SEQUENCES, repeated::LENGTH, repeated::EXCLUDE],
        traits: &[],
        check,
    },
    measure,
    finish: None,
};

fn check(cx: &mut Checking<'_>) {
    repeated::check(cx, 50, 2, 0);
}

/// The losses of `[start, s, s]`, by sequence and position; the first `length` are the first copy's.
pub fn losses(cx: &Context<'_>, repeated: &Repeated) -> Result<Vec<Vec<f32>>> {
    cx.subject.losses(&repeated.sequences(cx)?)
}

/// Mean loss of each copy.
pub fn copies(losses: &[Vec<f32>], length: usize) -> (f64, f64) {
    let part = |range: std::ops::Range<usize>| {
        let of_sequence = |l: &Vec<f32>| l[range.clone()].iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        mean(losses.iter().flat_map(of_sequence))
    };
    (part(0..length), part(length..2 * length))
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let repeated: Repeated = cx.config()?;
    let losses = losses(cx, &repeated)?;
    let (first, second) = copies(&losses, repeated.sequence_length);
    let columns = [("step", "steps"), ("tokens", "tokens"), ("first_copy", "nats"), ("second_copy", "nats")];
    let mut table = Table::new("losses", &columns);
    table.push(cx.row([first.into(), second.into()]));
    Ok(vec![table, by_position(cx, &losses, 1)])
}

/// Mean loss at every position over sequences; the first prediction is of token number `first`.
pub fn by_position(cx: &Context<'_>, losses: &[Vec<f32>], first: usize) -> Table {
    let columns = [("step", "steps"), ("tokens", "tokens"), ("position", "tokens"), ("loss", "nats")];
    let mut table = Table::new("positions", &columns);
    for position in 0..losses.first().map_or(0, Vec::len) {
        let loss = mean(losses.iter().map(|l| f64::from(l[position])));
        table.push(cx.row([(position + first).into(), loss.into()]));
    }
    table
}
