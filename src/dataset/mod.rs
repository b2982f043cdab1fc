//! What a model reads: text tokenised once into a store, or sequences made on the spot.

mod bigram_triggers;
mod bigrams;
mod chain;
mod copies;
mod count;
mod documents;
mod formats;
mod groups;
mod hub;
mod ids;
mod markov;
mod mixture;
mod opening;
mod repeated_random;
mod sequences;
mod store;
mod stories;
mod supply;
mod survey;
mod text;
mod token_files;
mod tokens;
mod windows;

pub use crate::tokenizer::Event;
pub use bigrams::Bigrams;
pub use markov::NAME as MARKOV;
pub use mixture::PARTS;
pub use opening::{open_tokenizer, survey};
pub use sequences::Sequences;
pub use survey::Survey;

use crate::error::Result;
use crate::plan::{Chosen, Plan};
use crate::random::{self, Stream};
use crate::spec::Kind;
use crate::tokenizer::Tokenizer;
use copies::Copies;
use documents::Documents;
use opening::Opened;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use supply::{Cut, Supply};
use windows::Windows;

/// The kinds of dataset.
pub const KINDS: &[&DatasetKind] = &[
    &text::KIND,
    &hub::KIND,
    &tokens::KIND,
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
    /// The same, brought from elsewhere first.
    Fetched(Fetch, OpenDocuments),
    /// Token ids on disk, as they are.
    Tokens(Tokens),
    /// Sequences made on the spot.
    Sequences(OpenSequences),
    /// Other datasets, each with its share of the sequences; the shares sum to one.
    Parts(ReadParts),
}

/// How token ids on disk are opened.
#[derive(Debug)]
pub struct Tokens {
    /// How much there is, known without reading it.
    pub survey: fn(&Chosen) -> Result<Survey>,
    /// Opens them, given the cache.
    pub open: OpenTokens,
}

/// Opens a plan's token ids for its tokenizer, given the cache.
pub type OpenTokens = fn(&Plan, &Tokenizer, &Path, &mut dyn FnMut(Event)) -> Result<Stored>;

/// Token ids on disk, and what is known of them.
#[derive(Debug)]
pub struct Stored {
    /// The ids.
    pub windows: Windows,
    /// The folder of the token store, where text was tokenised.
    pub store: Option<PathBuf>,
    /// What was read.
    pub summary: Summary,
    /// How often each token occurs in the training part, `[d_vocab]`.
    pub frequencies: Vec<u64>,
}

/// Opens the documents of a dataset, given its table and the plan's seed.
pub type OpenDocuments = fn(&Chosen, u64, &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>>;

/// Brings to this machine what a dataset reads, given its table; does nothing where all of it is here.
pub type Fetch = fn(&Chosen, &mut dyn FnMut(Event)) -> Result<()>;

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

impl Dataset {
    /// Opens a plan's dataset: learns or finds the tokenizer, tokenises or finds the stores.
    ///
    /// # Errors
    /// If nothing can be read, or it is less than two sequences.
    pub fn open(plan: &Plan, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Dataset> {
        let plan = plan.clone();
        Opened::fetch(&plan.dataset, events)?;
        let opened = Opened::new(&plan, &plan.dataset, events)?;
        let tokenizer = opened.tokenizer(&plan, cache, events)?;
        let (supply, summary) = opened.supply(&plan, &plan.dataset, &tokenizer, cache, events)?;
        let (read, tokens) = (plan.tokens_at(plan.training.steps), summary.tokens);
        if supply.has_text() && tokens < read / 10 {
            let times = read / tokens.max(1);
            events(Event::Warning(format!(
                "the dataset has {tokens} tokens, and training reads {read}: each about {times} times"
            )));
        }
        let window = plan.architecture.n_ctx + 1;
        let copies = supply.copies(window, survey::bytes_per_token(plan.d_vocab()));
        copies.iter().filter_map(Copies::warning).for_each(|words| events(Event::Warning(words)));
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

    /// The folders of tokens that were made of text: one for every text.
    pub fn stores(&self) -> Vec<&Path> {
        self.supply.stores()
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
