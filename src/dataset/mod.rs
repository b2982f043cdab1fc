//! What a model reads: text tokenised once into a store, or sequences made on the spot.

mod bigram_triggers;
mod bigrams;
mod chain;
mod documents;
mod formats;
mod groups;
mod markov;
mod repeated_random;
mod sequences;
mod store;
mod stories;
mod survey;
mod text;

pub use crate::tokenizer::Event;
pub use bigrams::Bigrams;
pub use markov::NAME as MARKOV;
pub use sequences::Sequences;
pub use survey::{Survey, survey};

use crate::error::{Error, Result};
use crate::plan::{Chosen, Plan};
use crate::random::{self, Stream};
use crate::spec::Kind;
use crate::tokenizer::{Tokenizer, learned};
use documents::Documents;
use sequences::tiled;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::OnceLock;
use store::Store;

/// The kinds of dataset.
pub const KINDS: &[&DatasetKind] =
    &[&text::KIND, &stories::KIND, &repeated_random::KIND, &bigram_triggers::KIND, &markov::KIND];

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
}

/// Opens the documents of a dataset, given its table and the plan's seed.
pub type OpenDocuments = fn(&Chosen, u64, &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>>;

/// Prepares what makes a plan's sequences.
pub type OpenSequences = fn(&Plan) -> Result<Box<dyn Sequences>>;

/// What was read, for provenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    from: From,
}

/// Training tokens of which the pairs are counted, at most: it takes as long and as much memory
/// however large the dataset is.
const COUNTED: usize = 1 << 21;

#[derive(Debug)]
enum From {
    Store(Box<Store>),
    Sequences(Box<dyn Sequences>),
}

fn kind(chosen: &Chosen) -> Result<&'static DatasetKind> {
    let found = KINDS.iter().copied().find(|k| k.kind.name == chosen.kind);
    found.ok_or_else(|| Error::message(format!("there is no dataset {:?} in this version", chosen.kind)))
}

/// The plan's tokenizer alone: learned, or found in the cache.
///
/// # Errors
/// If the text it learns from cannot be read.
pub fn open_tokenizer(plan: &Plan, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Tokenizer> {
    match kind(&plan.dataset)?.source {
        Source::Sequences(_) => Tokenizer::from_keys(&plan.tokenizer),
        Source::Documents(open) => {
            let documents = open(&plan.dataset, plan.seed, events)?;
            tokenizer_for(plan, &*documents, cache, events)
        }
    }
}

fn tokenizer_for(
    plan: &Plan,
    documents: &dyn Documents,
    cache: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<Tokenizer> {
    let mut sample = |bytes, events: &mut dyn FnMut(Event)| documents::sample(documents, bytes, events);
    learned(&plan.tokenizer, cache, documents.identity(), &mut sample, events)
}

impl Dataset {
    /// Opens a plan's dataset: learns or finds the tokenizer, tokenises or finds the store.
    ///
    /// # Errors
    /// If nothing can be read, or it is less than two sequences.
    pub fn open(plan: &Plan, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Dataset> {
        let plan = plan.clone();
        let open = match kind(&plan.dataset)?.source {
            Source::Documents(open) => open,
            Source::Sequences(open) => {
                let tokenizer = Tokenizer::from_keys(&plan.tokenizer)?;
                let sequences = open(&plan)?;
                let frequencies = sequences.frequencies(&plan);
                let summary = Summary {
                    kind: plan.dataset.kind.clone(),
                    path: None,
                    documents: 0,
                    bytes: 0,
                    tokens: plan.tokens_at(plan.training.steps),
                    skipped: 0,
                    replaced: 0,
                    digest: String::new(),
                };
                let (bigrams, from) = (OnceLock::new(), From::Sequences(sequences));
                return Ok(Dataset { plan, tokenizer, summary, frequencies, bigrams, from });
            }
        };
        let documents = open(&plan.dataset, plan.seed, events)?;
        let tokenizer = tokenizer_for(&plan, &*documents, cache, events)?;
        let window = plan.architecture.n_ctx + 1;
        let store = Store::open(&*documents, &tokenizer, window, cache, events)?;
        let (read, tokens) = (plan.tokens_at(plan.training.steps), store.facts.summary.tokens);
        if tokens < read / 10 {
            let times = read / tokens.max(1);
            events(Event::Warning(format!(
                "the dataset has {tokens} tokens, and training reads {read}: each about {times} times"
            )));
        }
        let summary = Summary {
            kind: plan.dataset.kind.clone(),
            path: plan.dataset.config.get("path").and_then(|p| p.as_str()).map(str::to_string),
            ..store.facts.summary.clone()
        };
        let frequencies = store.facts.frequencies.clone();
        let (bigrams, from) = (OnceLock::new(), From::Store(Box::new(store)));
        Ok(Dataset { plan, tokenizer, summary, frequencies, bigrams, from })
    }

    /// Text to tokens and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What was read.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The folder of its tokens; none where sequences are made on the spot.
    pub fn store(&self) -> Option<&Path> {
        match &self.from {
            From::Store(store) => Some(&store.path),
            From::Sequences(_) => None,
        }
    }

    /// How often each token occurs in the training part, `[d_vocab]`.
    pub fn frequencies(&self) -> &[u64] {
        &self.frequencies
    }

    /// Which token follows which in the training part: in at most 2²¹ tokens of it, evenly spread.
    pub fn bigrams(&self) -> &Bigrams {
        self.bigrams.get_or_init(|| {
            let stretches = match &self.from {
                From::Store(store) => store.stretches(COUNTED),
                From::Sequences(made) => sequences::sample(&**made, &self.plan, "bigrams", COUNTED),
            };
            Bigrams::count(self.plan.d_vocab(), stretches)
        })
    }

    /// The windows of a step (from 0), `[batch_size, n_ctx + 1]`: a function of the seed and the step.
    pub fn batch(&self, step: u64) -> Vec<usize> {
        let mut rng = random::stream(self.plan.seed, "batches", step);
        let rows = 0..self.plan.training.batch_size;
        rows.flat_map(|_| self.sequence(&mut rng)).collect()
    }

    /// One training window of `n_ctx + 1` tokens, of the kind that `repeat` draws.
    fn sequence(&self, rng: &mut Stream) -> Vec<usize> {
        let width = self.plan.architecture.n_ctx + 1;
        let store = match &self.from {
            From::Sequences(sequences) => return sequences.draw(rng, width),
            From::Store(store) => store,
        };
        let repeat = self.plan.repeat();
        let draw = random::unit(rng);
        if draw < repeat.passages {
            let period = sequences::period(rng, repeat.period);
            tiled(&store.training(rng, period), width)
        } else if draw < repeat.passages + repeat.random {
            let period = sequences::period(rng, repeat.period);
            tiled(&self.random_tokens(rng, period), width)
        } else {
            store.training(rng, width)
        }
    }

    fn random_tokens(&self, rng: &mut Stream, count: usize) -> Vec<usize> {
        sequences::uniform(rng, self.plan.d_vocab(), self.tokenizer.start() as usize, count)
    }

    /// Plain held-out windows of `n_ctx + 1` tokens, evenly spread; fewer where there is less text.
    pub fn validation(&self, count: usize) -> Vec<Vec<usize>> {
        let width = self.plan.architecture.n_ctx + 1;
        match &self.from {
            From::Store(store) => store.validation(count, width),
            From::Sequences(sequences) => {
                let mut rng = random::stream(self.plan.seed, "validation", 0);
                (0..count).map(|_| sequences.draw(&mut rng, width)).collect()
            }
        }
    }

    /// Held-out passages without a start token inside; none if the dataset is not text.
    pub fn passages(&self, rng: &mut Stream, count: usize, length: usize) -> Vec<Vec<usize>> {
        match &self.from {
            From::Store(store) => store.passages(rng, count, length, self.tokenizer.start()),
            From::Sequences(_) => Vec::new(),
        }
    }
}
