//! What a model reads: text tokenised once into a store, or sequences made on the spot.

mod bigram_triggers;
mod bigrams;
mod chain;
mod documents;
mod markov;
mod mixture;
mod repeated_random;
mod sequences;
mod store;
mod stories;
mod supply;
mod text;

pub use crate::tokenizer::Event;
pub use bigrams::Bigrams;
pub use markov::NAME as MARKOV;
pub use mixture::PARTS;
pub use sequences::Sequences;

use crate::error::{Error, Result};
use crate::plan::{Chosen, Plan};
use crate::random::{self, Stream};
use crate::spec::Kind;
use crate::tokenizer::{Tokenizer, learned};
use documents::Documents;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::OnceLock;
use store::Store;
use supply::{Cut, Supply};

/// The kinds of dataset.
pub const KINDS: &[&DatasetKind] = &[
    &text::KIND,
    &stories::KIND,
    &repeated_random::KIND,
    &bigram_triggers::KIND,
    &markov::KIND,
    &mixture::KIND,
];

/// A kind of dataset.
#[derive(Debug)]
pub struct DatasetKind {
    /// Name, documentation, keys, checks.
    pub kind: Kind,
    /// Where its sequences come from.
    pub source: Source,
}

/// Where sequences come from.
#[derive(Debug)]
pub enum Source {
    /// Documents of text, tokenised into a store; given the plan's seed.
    Documents(OpenDocuments),
    /// Sequences made on the spot.
    Sequences(OpenSequences),
    /// Other datasets, each with its share of the sequences; the shares sum to one.
    Parts(ReadParts),
}

/// Opens the documents of a dataset, given its table and the plan's seed.
pub type OpenDocuments = fn(&Chosen, u64, &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>>;

/// The datasets that one is made of.
pub type ReadParts = fn(&Chosen) -> Result<Vec<(f64, Chosen)>>;

/// Prepares what makes a plan's sequences, whose tokens are the tokenizer's.
pub type OpenSequences = fn(&Plan, &Tokenizer) -> Result<Box<dyn Sequences>>;

/// What was read, for provenance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The kind of dataset.
    pub kind: String,
    /// Where it was found, if it was anywhere.
    pub path: Option<String>,
    /// Documents read.
    pub documents: u64,
    /// Bytes of text read.
    pub bytes: u64,
    /// Tokens, training and held out.
    pub tokens: u64,
    /// Files passed over: binary, or not to be read.
    pub skipped: u64,
    /// Documents with invalid UTF-8, which was replaced.
    pub replaced: u64,
    /// blake3 of ids and document boundaries; empty for sequences made on the spot.
    pub digest: String,
}

/// A dataset, ready to be read from.
#[derive(Debug)]
pub struct Dataset {
    plan: Plan,
    tokenizer: Tokenizer,
    summary: Summary,
    frequencies: Vec<u64>,
    /// Counted when they are first asked for.
    bigrams: OnceLock<Bigrams>,
    supply: Supply,
}

/// Training tokens of which the pairs are counted, at most: it takes as long and as much memory
/// however large the dataset is.
const COUNTED: usize = 1 << 21;

fn kind(chosen: &Chosen) -> Result<&'static DatasetKind> {
    let found = KINDS.iter().copied().find(|k| k.kind.name == chosen.kind);
    found.ok_or_else(|| Error::message(format!("there is no dataset {:?} in this version", chosen.kind)))
}

/// A dataset whose tokenizer is not there yet.
enum Opened {
    Documents(Box<dyn Documents>),
    Sequences(OpenSequences),
    Parts(Vec<(f64, Chosen, Opened)>),
}

fn open(plan: &Plan, chosen: &Chosen, events: &mut dyn FnMut(Event)) -> Result<Opened> {
    Ok(match kind(chosen)?.source {
        Source::Documents(open) => Opened::Documents(open(chosen, plan.seed, events)?),
        Source::Sequences(open) => Opened::Sequences(open),
        Source::Parts(parts) => {
            let mut opened = Vec::new();
            for (share, part) in parts(chosen)? {
                let inner = open(plan, &part, events)?;
                opened.push((share, part, inner));
            }
            Opened::Parts(opened)
        }
    })
}

impl Opened {
    /// Every source of text, with its share of the sequences.
    fn texts(&self) -> Vec<(f64, &dyn Documents)> {
        match self {
            Opened::Documents(documents) => vec![(1.0, &**documents)],
            Opened::Sequences(_) => Vec::new(),
            Opened::Parts(parts) => {
                let mut texts = Vec::new();
                for (share, _, part) in parts {
                    texts.extend(part.texts().into_iter().map(|(inner, text)| (share * inner, text)));
                }
                texts
            }
        }
    }
}

/// The plan's tokenizer alone: learned, or found in the cache.
///
/// # Errors
/// If the text it learns from cannot be read.
pub fn open_tokenizer(plan: &Plan, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Tokenizer> {
    tokenizer_for(plan, &open(plan, &plan.dataset, events)?, cache, events)
}

/// How much there is to read, known without reading it: documents and bytes. Nothing where sequences
/// are made on the spot.
///
/// # Errors
/// If the documents cannot be listed.
pub fn survey(plan: &Plan) -> Result<Option<(usize, u64)>> {
    let opened = open(plan, &plan.dataset, &mut |_| {})?;
    let of_text = |(_, text): (f64, &dyn Documents)| {
        (text.count(), (0..text.count()).map(|i| text.size(i)).sum::<u64>())
    };
    let each = opened.texts().into_iter().map(of_text);
    Ok(each.reduce(|(documents, bytes), (more, of_them)| (documents + more, bytes + of_them)))
}

fn tokenizer_for(
    plan: &Plan,
    opened: &Opened,
    cache: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<Tokenizer> {
    let texts = opened.texts();
    let whole: f64 = texts.iter().map(|(share, _)| share).sum();
    let identity = match texts.as_slice() {
        [] => return Tokenizer::from_keys(&plan.tokenizer),
        [(_, only)] => only.identity(),
        several => {
            let mut hasher = blake3::Hasher::new();
            for (share, text) in several {
                hasher.update(&share.to_le_bytes()).update(text.identity().as_bytes());
            }
            hasher.finalize()
        }
    };
    let mut sample = |bytes: u64, events: &mut dyn FnMut(Event)| {
        let mut sample = Vec::new();
        for (share, text) in &texts {
            let own = (bytes as f64 * (share / whole)) as u64;
            sample.extend(documents::sample(*text, own, events)?);
        }
        Ok(sample)
    };
    learned(&plan.tokenizer, cache, identity, &mut sample, events)
}

/// Where a dataset's windows come from, and what was read for it.
fn supply(
    plan: &Plan,
    chosen: &Chosen,
    opened: Opened,
    tokenizer: &Tokenizer,
    cache: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<(Supply, Summary)> {
    let nothing_read = Summary { kind: chosen.kind.clone(), ..Summary::default() };
    Ok(match opened {
        Opened::Documents(documents) => {
            let window = plan.architecture.n_ctx + 1;
            let store = Store::open(&*documents, tokenizer, window, cache, events)?;
            let path = chosen.config.get("path").and_then(|p| p.as_str()).map(str::to_string);
            let summary = Summary { kind: chosen.kind.clone(), path, ..store.facts.summary.clone() };
            (Supply::Store(Box::new(store)), summary)
        }
        Opened::Sequences(open) => {
            let made = open(&Plan { dataset: chosen.clone(), ..plan.clone() }, tokenizer)?;
            let tokens = plan.tokens_at(plan.training.steps);
            (Supply::Sequences(made), Summary { tokens, ..nothing_read })
        }
        Opened::Parts(parts) => {
            let (mut supplies, mut whole) = (Vec::new(), nothing_read);
            let mut hasher = blake3::Hasher::new();
            for (share, chosen, part) in parts {
                let (part, summary) = supply(plan, &chosen, part, tokenizer, cache, events)?;
                hasher.update(&share.to_le_bytes()).update(summary.digest.as_bytes());
                whole.documents += summary.documents;
                whole.bytes += summary.bytes;
                whole.tokens += (summary.tokens as f64 * if part.has_text() { 1.0 } else { share }) as u64;
                whole.skipped += summary.skipped;
                whole.replaced += summary.replaced;
                supplies.push((share, part));
            }
            whole.digest = hasher.finalize().to_hex().to_string();
            (Supply::Mixture(supplies), whole)
        }
    })
}

impl Dataset {
    /// Opens a plan's dataset: learns or finds the tokenizer, tokenises or finds the stores.
    ///
    /// # Errors
    /// If nothing can be read, or it is less than two sequences.
    pub fn open(plan: &Plan, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Dataset> {
        let plan = plan.clone();
        let opened = open(&plan, &plan.dataset, events)?;
        let tokenizer = tokenizer_for(&plan, &opened, cache, events)?;
        let (supply, summary) = supply(&plan, &plan.dataset, opened, &tokenizer, cache, events)?;
        let frequencies = supply.frequencies(&plan);
        Ok(Dataset { plan, tokenizer, summary, frequencies, bigrams: OnceLock::new(), supply })
    }

    /// Text to tokens and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What was read.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How often each token occurs in the training part, `[d_vocab]`.
    pub fn frequencies(&self) -> &[u64] {
        &self.frequencies
    }

    /// Which token follows which in the training part: in at most 2²¹ tokens of it, evenly spread.
    pub fn bigrams(&self) -> &Bigrams {
        self.bigrams
            .get_or_init(|| Bigrams::count(self.plan.d_vocab(), self.supply.stretches(&self.cut(), COUNTED)))
    }

    /// The windows of a step (from 0), `[batch_size, n_ctx + 1]`: a function of the seed and the step.
    pub fn batch(&self, step: u64) -> Vec<usize> {
        let mut rng = random::stream(self.plan.seed, "batches", step);
        let rows = 0..self.plan.training.batch_size;
        rows.flat_map(|_| self.supply.training(&self.cut(), &mut rng)).collect()
    }

    /// Plain held-out windows of `n_ctx + 1` tokens, evenly spread; fewer where there is less text.
    pub fn validation(&self, count: usize) -> Vec<Vec<usize>> {
        self.supply.validation(&self.cut(), count)
    }

    /// Held-out passages without a start token inside; none if the dataset is not text.
    pub fn passages(&self, rng: &mut Stream, count: usize, length: usize) -> Vec<Vec<usize>> {
        self.supply.passages(&self.cut(), rng, count, length)
    }

    fn cut(&self) -> Cut<'_> {
        Cut { plan: &self.plan, tokenizer: &self.tokenizer }
    }
}
