//! How much better a model predicts late in its context than early.

use super::repeated_loss::by_position;
use super::{Context, ProbeKind, mean, windows};
use crate::error::Result;
use crate::record::Table;
use crate::spec::{Checking, Default, Key, Kind, Type};
use serde::Deserialize;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "in_context_learning",
        doc: "Olsson et al. 2022: the loss of the 500th token minus the loss of the 50th, of 512, \
              mean over held-out windows, nats; at other n_ctx both positions scale with it. \
              Below zero: the context helps. Read it beside the losses: it falls, too, where only \
              the early loss rises.",
        example: "probe = \"in_context_learning\"",
        keys: &[
            windows("256"),
            Key {
                name: "early_position",
                ty: Type::Integer(1, 65536),
                default: Default::Computed("50 of 512, scaled to n_ctx"),
                doc: "the early token, counted from 1",
            },
            Key {
                name: "late_position",
                ty: Type::Integer(1, 65536),
                default: Default::Computed("500 of 512, scaled to n_ctx"),
                doc: "the late token, counted from 1",
            },
        ],
        traits: &[],
        check,
    },
    measure,
    finish: None,
};

/// The 50th and the 500th token of 512, scaled to `n_ctx`; counted from 1.
pub fn positions(n_ctx: usize) -> (usize, usize) {
    let scaled = |of_512: usize| ((n_ctx * of_512 + 256) / 512).clamp(1, n_ctx);
    (scaled(50), scaled(500))
}

fn check(cx: &mut Checking<'_>) {
    let Some(n_ctx) = cx.facts.n_ctx else { return };
    let (early, late) = positions(n_ctx);
    cx.default("early_position", early as i64);
    cx.default("late_position", late as i64);
    let positions = ["early_position", "late_position"].map(|key| (key, cx.integer(key)));
    for (key, position) in positions {
        if let Some(position) = position.filter(|position| *position as usize > n_ctx) {
            let message = format!("there is no position {position} in sequences of n_ctx = {n_ctx}");
            let other = ("architecture.n_ctx", "positions in a sequence");
            cx.clash(key, message, other, format!("use at most {n_ctx}"));
        }
    }
    if let [(early_key, Some(early)), (late_key, Some(late))] = positions
        && (late + 1..=n_ctx as i64).contains(&early)
    {
        let message = format!("the early position, {early}, comes after the late one, {late}");
        let key = if cx.written(early_key) { early_key } else { late_key };
        cx.error(key, message, "the early one comes first");
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    sequences: usize,
    early_position: usize,
    late_position: usize,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let config: Config = cx.config()?;
    let losses = cx.subject.losses(&cx.material.validation(config.sequences))?;
    let at = |position: usize| mean(losses.iter().map(|l| f64::from(l[position - 1])));
    let (early, late) = (at(config.early_position), at(config.late_position));
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("score", "nats"),
        ("early_loss", "nats"),
        ("late_loss", "nats"),
    ];
    let mut scores = Table::new("scores", &columns);
    scores.push(cx.row([(late - early).into(), early.into(), late.into()]));
    Ok(vec![scores, by_position(cx, &losses, 1)])
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    #[test]
    fn positions_scale_with_the_context() {
        let config = Bench::new(128, 20).resolve(&KIND, "");
        let position = |key: &str| config[key].as_integer().unwrap();
        assert_eq!((position("early_position"), position("late_position")), (13, 125));
        let config = Bench::new(512, 20).resolve(&KIND, "");
        assert_eq!(config["early_position"].as_integer(), Some(50));
        assert_eq!(config["late_position"].as_integer(), Some(500));
    }

    #[test]
    fn the_score_is_late_minus_early() {
        // The bench's losses fall by a thousandth of a nat with every position.
        let bench = Bench::new(64, 20);
        let tables = bench
            .measure(&KIND, "early_position = 10\nlate_position = 60", &|s| vec![0.0; s.len() * s.len()]);
        assert!((tables[0].numbers("score")[0] + 0.050).abs() < 1e-6);
        assert_eq!(tables[1].rows.len(), 64);
    }
}
