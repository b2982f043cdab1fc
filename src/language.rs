//! The whole language: the fixed keys and every registry, in one value. The rooms to the left know
//! of kinds only what this passes them.

use crate::model::{blocks, device};
use crate::plan::keys;
use crate::spec::{Kind, Language};
use crate::training::{checkpoints, optimizer, schedule};
use crate::{dataset, probes, report, tokenizer};
use std::sync::LazyLock;

/// The language as this program speaks it on this machine.
pub fn language() -> Language {
    let (devices, no_gpu) = device::available();
    Language {
        top: keys::TOP,
        registries: vec![
            ("block", *BLOCKS),
            ("tokenizer", *TOKENIZERS),
            ("dataset", *DATASETS),
            (dataset::PARTS, *DATASET_PARTS),
            ("optimizer", optimizer::KINDS),
            ("schedule", *SCHEDULES),
            ("checkpoint schedule", *CHECKPOINTS),
            ("probe", *PROBES),
        ],
        devices,
        no_gpu,
        templates: report::template_names(),
    }
}

type Kinds = LazyLock<&'static [&'static Kind]>;

static BLOCKS: Kinds = LazyLock::new(|| leak(blocks::KINDS.iter().map(|k| &k.kind)));
static TOKENIZERS: Kinds = LazyLock::new(|| leak(tokenizer::KINDS.iter().map(|k| &k.kind)));
static DATASETS: Kinds = LazyLock::new(|| leak(dataset::KINDS.iter().map(|k| &k.kind)));
static DATASET_PARTS: Kinds = LazyLock::new(|| {
    let whole = |k: &&&dataset::DatasetKind| !matches!(k.source, dataset::Source::Parts(_));
    leak(dataset::KINDS.iter().filter(whole).map(|k| &k.kind))
});
static SCHEDULES: Kinds = LazyLock::new(|| leak(schedule::KINDS.iter().map(|k| &k.kind)));
static CHECKPOINTS: Kinds = LazyLock::new(|| leak(checkpoints::KINDS.iter().map(|k| &k.kind)));
static PROBES: Kinds = LazyLock::new(|| leak(probes::KINDS.iter().map(|k| &k.kind)));

/// The registries live as long as the program; this list of their entries does too.
fn leak(kinds: impl Iterator<Item = &'static Kind>) -> &'static [&'static Kind] {
    Box::leak(kinds.collect::<Vec<_>>().into_boxed_slice())
}
