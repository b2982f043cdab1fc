//! Where chosen heads look, token by token, on a text.

use super::prefix_matching::mass;
use super::texts::{check_text, shown};
use super::{Context, ProbeKind};
use crate::error::Result;
use crate::record::Table;
use crate::spec::{Checking, Default, Key, Kind, Trait, Type, nearest};
use serde::Deserialize;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "attention_map",
        doc: "The attention pattern of one or more heads over a text, after a start token. \
              head = \"best\" is the one that matches prefixes best on this very text, \"1.3\" is \
              head 3 of layer 1, \"all\" is every head. Shares of attention: every row sums to 1.",
        example: "probe = \"attention_map\"\ntext = \"Mr Velkrand met Osilwyn. Velkrand smiled, and Osilwyn\"\nhead = \"best\"",
        keys: &[
            Key { name: "text", ty: Type::Text, default: Default::Required, doc: "what the model reads" },
            Key {
                name: "head",
                ty: Type::Text,
                default: Default::Value("\"best\""),
                doc: "\"best\", \"all\", or layer.head",
            },
        ],
        traits: &[Trait::NeedsHeads, Trait::NeedsText],
        check,
    },
    measure,
    finish: None,
};

/// `1.3` is layer 1, head 3.
pub fn parse_head(name: &str) -> Option<(usize, usize)> {
    let (layer, head) = name.split_once('.')?;
    Some((layer.parse().ok()?, head.parse().ok()?))
}

fn check(cx: &mut Checking<'_>) {
    cx.default("at", "final");
    check_text(cx);
    let Some(name) = cx.text("head").map(str::to_string) else { return };
    if name == "best" || name == "all" {
        return;
    }
    let exists = |(layer, head)| cx.facts.blocks.iter().any(|b| b.layer == layer && head < b.n_heads);
    // Without blocks that could be read, or without heads, that is what was reported.
    if cx.facts.blocks.iter().any(|b| b.n_heads > 0) && !parse_head(&name).is_some_and(exists) {
        let heads: Vec<String> = cx
            .facts
            .blocks
            .iter()
            .filter(|b| b.n_heads > 0)
            .map(|b| match b.n_heads {
                1 => format!("{}.0", b.layer),
                n => format!("{}.0 to {}.{}", b.layer, b.layer, n - 1),
            })
            .collect();
        let near = nearest(&name, ["best", "all"])
            .map_or(String::new(), |near| format!("did you mean \"{near}\"? "));
        let help = format!("{near}heads here: {}; or \"best\", or \"all\"", heads.join(", "));
        cx.error("head", format!("there is no head {name:?}"), help);
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    text: String,
    head: String,
}

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let config: Config = cx.config()?;
    let (sequence, labels) = shown(cx, &config.text)?;
    let patterns = cx.subject.patterns(std::slice::from_ref(&sequence))?;
    let matching = |p: &[&[f32]]| mass(std::slice::from_ref(&sequence), p, 0, 1);
    let mut best: Option<((usize, usize), f64)> = None;
    for (head, pattern) in patterns.heads() {
        let score = matching(&pattern);
        if best.is_none_or(|(_, so_far)| score > so_far) {
            best = Some((head, score));
        }
    }
    let chosen = |head: (usize, usize)| match config.head.as_str() {
        "all" => true,
        "best" => best.is_some_and(|(b, _)| b == head),
        name => parse_head(name) == Some(head),
    };
    let kept = patterns.heads().filter(|(head, _)| chosen(*head)).map(|(head, p)| (head, p[0]));
    Ok(tables(&labels, kept).into())
}

/// Labels and patterns `[query, key]` as the tables that a map is drawn from.
pub fn tables<'a>(
    labels: &[String],
    patterns: impl IntoIterator<Item = ((usize, usize), &'a [f32])>,
) -> [Table; 2] {
    let mut tokens = Table::new("tokens", &[("position", "tokens"), ("token", "")]);
    for (position, label) in labels.iter().enumerate() {
        tokens.push([position.into(), label.as_str().into()]);
    }
    let columns = [
        ("layer", ""),
        ("head", ""),
        ("query", "tokens"),
        ("key", "tokens"),
        ("attention", "share of attention"),
    ];
    let mut table = Table::new("pattern", &columns);
    for ((layer, head), pattern) in patterns {
        for (query, row) in pattern.chunks_exact(labels.len()).enumerate() {
            for (key, attention) in row[..=query].iter().enumerate() {
                table.push([layer.into(), head.into(), query.into(), key.into(), (*attention).into()]);
            }
        }
    }
    [tokens, table]
}
