//! What breaks without a head: the causal half of the evidence.

use super::repeated::{self, Repeated};
use super::repeated_loss::copies;
use super::{Context, ProbeKind, in_context_learning, mean};
use crate::error::Result;
use crate::model::{Intervention, Losses};
use crate::record::{Cell, Table};
use crate::spec::{Checking, Default, Key, Kind, Trait, Type};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 2,
    kind: Kind {
        name: "ablation",
        doc: "One head at a time is taken out, all else as it was, and the rise of the mean loss on the \
              second copy of [BOS, s, s] is its score, nats: an induction head's removal raises it, other \
              heads' hardly. method = \"zero\" puts zero in place of the head's result; \"mean\" its mean \
              over all positions of the sequences, which leaves later norms as they are; \
              \"pattern_preserving\" zero, too, while every head attends as in the untouched model, so \
              that only what the head writes is missed and not where later heads look (Olsson et al. 2022). \
              A previous-token head matters by zero and not with patterns preserved; an induction head by \
              both. Beside it the rise of the loss on held-out windows and of their in-context-learning \
              score; the latter falls, too, where only the early loss rises.",
        example: "probe = \"ablation\"\nmethod = \"pattern_preserving\"",
        keys: &[
            Key {
                name: "method",
                ty: Type::Word(&["zero", "mean", "pattern_preserving"]),
                default: Default::Value("\"zero\""),
                doc: "what takes the place of the head's result, and whether patterns are kept",
            },
            repeated::TOKENS,
            repeated::SEQUENCES,
            repeated::LENGTH,
            repeated::EXCLUDE,
            Key {
                name: "windows",
                ty: Type::Integer(1, 100_000),
                default: Default::Value("16"),
                doc: "held-out windows averaged over",
            },
        ],
        traits: &[Trait::NeedsHeads],
        check,
    },
    measure,
    finish: None,
};

fn check(cx: &mut Checking<'_>) {
    repeated::check(cx, 50, 2, 0);
}

#[derive(Debug, Deserialize)]
struct Config {
    method: String,
    windows: usize,
    #[serde(flatten)]
    repeated: Repeated,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let config: Config = cx.config()?;
    let copied = config.repeated.sequences(cx)?;
    let held_out = cx.material.validation(config.windows);
    let (early, late) = in_context_learning::positions(cx.subject.n_ctx());
    let heads: Vec<(usize, usize)> = cx
        .subject
        .heads()
        .iter()
        .flat_map(|&(layer, n_heads)| (0..n_heads).map(move |h| (layer, h)))
        .collect();
    // Of the intact model, then without each head.
    let losses = |windows: &[Vec<usize>]| -> Result<Vec<Losses>> {
        let means = match config.method.as_str() {
            "mean" => mean_results(cx, windows)?,
            _ => BTreeMap::new(),
        };
        let frozen_patterns = config.method == "pattern_preserving";
        let intact = Intervention { replaced: Vec::new(), frozen_patterns };
        let without = |head: &(usize, usize)| Intervention {
            replaced: vec![(*head, means.get(head).cloned())],
            frozen_patterns,
        };
        let interventions: Vec<_> = std::iter::once(intact).chain(heads.iter().map(without)).collect();
        cx.subject.losses_under(windows, &interventions)
    };
    // On the second copy, on held-out windows, and late minus early on those.
    let summary = |(copied, held_out): (Losses, Losses)| -> [f64; 3] {
        let second = copies(&copied, config.repeated.sequence_length).1;
        let at = |position: usize| mean(held_out.iter().map(|l| f64::from(l[position - 1])));
        [second, mean(held_out.iter().flatten().map(|&l| f64::from(l))), at(late) - at(early)]
    };
    let mut summaries = losses(&copied)?.into_iter().zip(losses(&held_out)?).map(summary);
    let intact = summaries.next().unwrap_or([f64::NAN; 3]);
    let rise = |broken: [f64; 3]| std::array::from_fn(|i| broken[i] - intact[i]);
    let rises: Vec<_> = heads.iter().copied().zip(summaries.map(rise)).collect();
    let mut baseline =
        Table::new("baseline", &[("step", "steps"), ("tokens", "tokens"), ("second_copy", "nats")]);
    baseline.push(cx.row([intact[0].into()]));
    let scores = rises.iter().map(|(head, rises)| (*head, rises[0]));
    Ok(vec![cx.heads_table("nats", scores), baseline, effects(cx, &rises)])
}

/// The rises of all three losses, one row a head.
fn effects(cx: &Context<'_>, rises: &[((usize, usize), [f64; 3])]) -> Table {
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("layer", ""),
        ("head", ""),
        ("second_copy", "nats"),
        ("held_out", "nats"),
        ("in_context_learning", "nats"),
    ];
    let mut table = Table::new("effects", &columns);
    for ((layer, head), [second, held_out, score]) in rises {
        let cells: [Cell; 5] =
            [(*layer).into(), (*head).into(), (*second).into(), (*held_out).into(), (*score).into()];
        table.push(cx.row(cells));
    }
    table
}

/// The mean of every head's result z over all positions that predict something, `[d_head]`:
/// `Σ_q Σ_k pattern[q, k] v_k / positions`.
fn mean_results(cx: &Context<'_>, windows: &[Vec<usize>]) -> Result<BTreeMap<(usize, usize), Vec<f32>>> {
    let mut sums: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for window in windows {
        let inputs = [window[..window.len() - 1].to_vec()];
        let (patterns, values) = (cx.subject.patterns(&inputs)?, cx.subject.values(&inputs)?);
        for (head, pattern) in patterns.heads() {
            let sum = sums.entry(head).or_default();
            for (key, value) in values.of(head, 0).into_iter().enumerate() {
                let attention = pattern[0].iter().skip(key).step_by(patterns.positions);
                let attention: f64 = attention.map(|&share| f64::from(share)).sum();
                sum.resize(value.len(), 0.0);
                sum.iter_mut().zip(value).for_each(|(sum, v)| *sum += attention * f64::from(*v));
            }
        }
    }
    let positions: usize = windows.iter().map(|window| window.len() - 1).sum();
    let mean = |sum: Vec<f64>| sum.into_iter().map(|x| (x / positions as f64) as f32).collect();
    Ok(sums.into_iter().map(|(head, sum)| (head, mean(sum))).collect())
}
