//! The loss of every token of a text.

use super::texts::{check_text, shown};
use super::{Context, ProbeKind};
use crate::error::Result;
use crate::record::{Cell, Table};
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use serde::Deserialize;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "per_token_loss",
        doc: "The loss of every token of a text given those before it, after a start token, nats, at \
              every checkpoint (Olsson et al. 2022, per-token loss analysis). Its change over the phase \
              change shows which tokens an induction head is for: those that complete what came before.",
        example: "probe = \"per_token_loss\"\ntext = \"Mr Velkrand met Osilwyn. Velkrand smiled, and Osilwyn\"",
        keys: &[Key {
            name: "text",
            ty: Type::Text,
            default: Default::Required,
            doc: "what the model reads",
        }],
        traits: &[Trait::NeedsText],
        check,
    },
    measure,
    finish: None,
};

fn check(cx: &mut Checking<'_>) {
    check_text(cx);
}

#[derive(Debug, Deserialize)]
struct Config {
    text: String,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let Config { text } = cx.config()?;
    let (sequence, labels) = shown(cx, &text)?;
    let losses = cx.subject.losses(&[sequence])?.concat();
    Ok(vec![table(cx, &labels, &losses)])
}

/// A row a token; nothing predicts the start token.
fn table(cx: &Context<'_>, labels: &[String], losses: &[f32]) -> Table {
    let columns =
        [("step", "steps"), ("tokens", "tokens"), ("position", "tokens"), ("token", ""), ("loss", "nats")];
    let mut table = Table::new("losses", &columns);
    let losses = [Cell::Missing(())].into_iter().chain(losses.iter().map(|&loss| loss.into()));
    for (position, (label, loss)) in labels.iter().zip(losses).enumerate() {
        table.push(cx.row([position.into(), label.as_str().into(), loss]));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    #[test]
    fn a_loss_stands_beside_the_token_it_is_of() {
        // The bench's losses fall by a thousandth of a nat with every position, from 4.999.
        let bench = Bench::text(32);
        let tables = bench.measure(&KIND, "text = \"abba\"", &|s| vec![0.0; s.len() * s.len()]);
        let [table] = &tables[..] else { panic!("{tables:?}") };
        let tokens: Vec<_> = table.column("token").filter_map(Cell::text).collect();
        assert_eq!(tokens[1..], ["a", "b", "b", "a"]);
        assert_eq!(table.rows[0].last(), Some(&Cell::Missing(())));
        let losses = table.numbers("loss");
        for (position, loss) in losses.iter().enumerate().skip(1) {
            assert!((loss - (5.0 - position as f64 / 1000.0)).abs() < 1e-6, "{losses:?}");
        }
    }
}
