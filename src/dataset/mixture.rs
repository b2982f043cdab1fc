//! Several datasets in one, each a share of the sequences.

use super::sequences;
use super::{DatasetKind, Source};
use crate::error::{Error, Result};
use crate::plan::Chosen;
use crate::spec::{Checking, Choice, Default, Key, Kind, Range, Type};
use serde::Deserialize;

/// The registry of what a mixture may be made of: every dataset but mixtures.
pub const PARTS: &str = "dataset part";

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "mixture",
        doc: "Sequences from several datasets, each from one of them: of part i with the probability \
              share_i / Σ share. All parts have one tokenizer; it learns from their texts, by share. Held-out \
              windows, passages and counts come from the parts in the same shares. `repeat` is of the \
              sequences of text. Beside text, \"repeated_random\" repeats tokens of the text's vocabulary; \
              other parts of token ids need the tokenizer \"ids\".",
        example: "kind = \"mixture\"\nparts = [\n    { share = 0.9, kind = \"stories\" },\n    { share = 0.1, \
                  kind = \"repeated_random\" },\n]",
        keys: &[Key {
            name: "parts",
            ty: Type::List(&Type::Kind(&PART), 1, 100),
            default: Default::Required,
            doc: "the datasets, each with its share",
        }],
        traits: &[],
        check,
    },
    source: Source::Parts(parts),
};

static PART: Choice = Choice {
    registry: PARTS,
    word: "kind",
    common: &[Key {
        name: "share",
        ty: Type::Number(Range::POSITIVE),
        default: Default::Required,
        doc: "of the sequences, relative to the other parts",
    }],
    default: None,
};

fn check(cx: &mut Checking<'_>) {
    if cx.facts.has_passages == Some(false) {
        sequences::no_repeats(cx, "no part of this mixture is text, and what others make is not to repeat");
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    share: f64,
    #[serde(flatten)]
    dataset: Chosen,
}

/// The parts, with shares that sum to one.
fn parts(chosen: &Chosen) -> Result<Vec<(f64, Chosen)>> {
    let Config { parts } = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let sum: f64 = parts.iter().map(|part| part.share).sum();
    Ok(parts.into_iter().map(|part| (part.share / sum, part.dataset)).collect())
}
