//! What tells an induction head which token came before the one it looks at: smeared keys, a convolution, or a
//! previous-token head below it (Elhage et al. 2021, K-composition), with what its removal shows.

use crate::figures::tables::numbers;
use crate::figures::text::decimal;
use crate::record::{InductionHead, Record, Table};

/// One sentence for every way in which a head's keys can know the token before.
pub fn beneath(record: &Record, head: &InductionHead) -> Vec<String> {
    let ways = [smeared(record, head), convolution(record, head), previous(record, head)];
    ways.into_iter().flatten().collect()
}

/// The rows of a probe's table at the last checkpoint.
fn at_end<const N: usize>(record: &Record, probe: &str, table: &str, columns: [&str; N]) -> Vec<[f64; N]> {
    let table = record.analysis(probe).and_then(|analysis| analysis.table(table));
    let rows: Vec<[f64; N]> = table.and_then(|table| numbers(table, columns).ok()).unwrap_or_default();
    let last = rows.last().map(|row| row[0]);
    rows.into_iter().filter(|row| Some(row[0]) == last).collect()
}

fn smeared(record: &Record, head: &InductionHead) -> Option<String> {
    let rows = at_end(record, "smear", "heads", ["step", "layer", "head", "score"]);
    let own = rows.into_iter().find(|row| is(head, row[1], row[2]))?[3];
    Some(format!(
        "What the head looks for is smeared by construction: {} of every key is the key of the token before, so that \
         looking for the current token finds what followed it.",
        decimal(1.0 - own, 2)
    ))
}

fn convolution(record: &Record, head: &InductionHead) -> Option<String> {
    let rows = at_end(record, "conv_weights", "offsets", ["step", "layer", "offset", "share"]);
    let before = rows.iter().filter(|row| row[1] < head.layer as f64 && row[2] == 1.0);
    let [_, layer, _, share] = before.max_by(|a, b| a[3].total_cmp(&b[3]))?;
    Some(format!(
        "Below it the convolution of layer {layer} writes into every position what came before: {} of its kernel's \
         squared norm lies on the token before.",
        decimal(*share, 2)
    ))
}

/// A head of a layer below, as the verdict measured it.
struct Below {
    layer: f64,
    head: f64,
    zero: f64,
    preserved: f64,
}

fn previous(record: &Record, head: &InductionHead) -> Option<String> {
    let heads: &Table = &record.verdict.as_ref()?.heads;
    let columns = ["layer", "head", "previous_token", "ablation", "ablation_pattern_preserving"];
    let below = numbers(heads, columns).ok()?.into_iter().filter(|row| row[0] < head.layer as f64);
    let most = below.filter(|row| row[2].is_finite()).max_by(|a, b| a[2].total_cmp(&b[2]))?;
    let [layer, index, previous, zero, preserved] = most;
    let below = Below { layer, head: index, zero, preserved };
    let even = spread_evenly(record).map_or(String::new(), |share| {
        format!(" ({} if it were spread evenly over what is in sight)", decimal(share, 2))
    });
    Some(format!(
        "Of the heads below it, {layer}.{index} attends most to the token before: {} of its attention{even}.{}{}",
        decimal(previous, 2),
        removed(&below).unwrap_or_default(),
        composed(record, &below, head).unwrap_or_default(),
    ))
}

/// Mean share of the token before under even attention, over the positions of a window but the first.
fn spread_evenly(record: &Record) -> Option<f64> {
    let n_ctx = record.plan.get("architecture")?.get("n_ctx")?.as_integer()?;
    let positions = 1..n_ctx.min(1 << 20);
    let n = positions.clone().count() as f64;
    (n > 0.0).then(|| positions.map(|position| 1.0 / (position + 1) as f64).sum::<f64>() / n)
}

/// What is left of the effect of its removal where later heads attend as they did with it.
fn removed(below: &Below) -> Option<String> {
    let Below { zero, preserved, .. } = *below;
    if !(zero.is_finite() && preserved.is_finite()) {
        return None;
    }
    let meaning = match (zero > 0.0, preserved < zero / 2.0) {
        (true, true) => ": it is needed for where later heads look, and for little else",
        (true, false) => ": it is needed for more than where later heads look",
        (false, _) => ": its removal does not show that the copying depends on it",
    };
    Some(format!(
        " Without it the loss on the second copy {} nats, and with all attention patterns kept as they were with it {} \
         nats{meaning}.",
        super::verdict::moved(zero),
        super::verdict::moved(preserved),
    ))
}

/// How much the head reads its queries, keys and values from that head's output, beside random matrices.
fn composed(record: &Record, below: &Below, head: &InductionHead) -> Option<String> {
    let table = record.analysis("composition")?.table("composition")?;
    let of_term = |term: &str| {
        let of_term = table.filter("term", term);
        let columns = ["earlier_layer", "earlier_head", "layer", "head", "ratio", "score"];
        let rows = numbers(&of_term, columns).ok()?;
        let of_pair =
            |row: &&[f64; 6]| row[0] == below.layer && row[1] == below.head && is(head, row[2], row[3]);
        rows.iter().rfind(of_pair).map(|row| [row[4], row[4] - row[5]])
    };
    let [queries, keys, values] = [of_term("Q")?, of_term("K")?, of_term("V")?];
    let said =
        |[ratio, random]: [f64; 2]| format!("{} ({} by chance)", decimal(ratio, 3), decimal(random, 3));
    Some(format!(
        " The induction head's composition with it (Elhage et al. 2021), where random matrices of these shapes say what \
         chance is: keys {}, queries {}, values {}.",
        said(keys),
        said(queries),
        said(values),
    ))
}

fn is(head: &InductionHead, layer: f64, index: f64) -> bool {
    (layer, index) == (head.layer as f64, head.head as f64)
}
