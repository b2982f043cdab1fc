//! From a plan's dataset to where its windows come from.

use super::documents::{self, Documents};
use super::store::{Facts, Store};
use super::supply::Supply;
use super::survey::{self, Survey};
use super::{DatasetKind, Event, KINDS, OpenSequences, Source, Stored, Summary, Tokens};
use crate::error::{Error, Result};
use crate::plan::{Chosen, Plan};
use crate::tokenizer::{Tokenizer, learned};
use std::path::Path;

fn kind(chosen: &Chosen) -> Result<&'static DatasetKind> {
    let found = KINDS.iter().copied().find(|k| k.kind.name == chosen.kind);
    found.ok_or_else(|| Error::message(format!("there is no dataset {:?} in this version", chosen.kind)))
}

/// A dataset whose tokenizer is not there yet.
pub enum Opened {
    Documents(Box<dyn Documents>),
    Tokens(&'static Tokens),
    Sequences(OpenSequences),
    Parts(Vec<(f64, Chosen, Opened)>),
}

impl Opened {
    /// Lists what a dataset is made of.
    ///
    /// # Errors
    /// If the documents cannot be listed.
    pub fn new(plan: &Plan, chosen: &Chosen, events: &mut dyn FnMut(Event)) -> Result<Opened> {
        Ok(match &kind(chosen)?.source {
            Source::Documents(open) | Source::Fetched(_, open) => {
                Opened::Documents(open(chosen, plan.seed, events)?)
            }
            Source::Tokens(tokens) => Opened::Tokens(tokens),
            Source::Sequences(open) => Opened::Sequences(*open),
            Source::Parts(parts) => {
                let mut opened = Vec::new();
                for (share, part) in parts(chosen)? {
                    let inner = Opened::new(plan, &part, events)?;
                    opened.push((share, part, inner));
                }
                Opened::Parts(opened)
            }
        })
    }

    /// Brings what a dataset is made of to this machine, where it can.
    ///
    /// # Errors
    /// If it could not all be brought.
    pub fn fetch(chosen: &Chosen, events: &mut dyn FnMut(Event)) -> Result<()> {
        match &kind(chosen)?.source {
            Source::Fetched(fetch, _) => fetch(chosen, events),
            Source::Parts(parts) => {
                parts(chosen)?.iter().try_for_each(|(_, part)| Opened::fetch(part, events))
            }
            _ => Ok(()),
        }
    }

    /// Every source of text, with its share of the sequences.
    fn texts(&self) -> Vec<(f64, &dyn Documents)> {
        match self {
            Opened::Documents(documents) => vec![(1.0, &**documents)],
            Opened::Tokens(_) | Opened::Sequences(_) => Vec::new(),
            Opened::Parts(parts) => {
                let mut texts = Vec::new();
                for (share, _, part) in parts {
                    texts.extend(part.texts().into_iter().map(|(inner, text)| (share * inner, text)));
                }
                texts
            }
        }
    }

    /// How much there is to read.
    fn survey(
        &self,
        plan: &Plan,
        chosen: &Chosen,
        known: Option<&Tokenizer>,
        cache: &Path,
    ) -> Result<Option<Survey>> {
        match self {
            Opened::Sequences(_) => Ok(None),
            Opened::Tokens(tokens) => (tokens.survey)(chosen).map(Some),
            Opened::Documents(documents) => Ok(Some(survey::of_text(
                &**documents,
                known,
                cache,
                (plan.architecture.n_ctx + 1, plan.d_vocab()),
            ))),
            Opened::Parts(parts) => {
                let mut whole: Option<Survey> = None;
                for (_, chosen, part) in parts {
                    let more = part.survey(plan, chosen, known, cache)?;
                    whole = whole.into_iter().chain(more).reduce(Survey::and);
                }
                Ok(whole)
            }
        }
    }

    /// The plan's tokenizer: learned from the texts, by share, or found.
    ///
    /// # Errors
    /// If the text it learns from cannot be read.
    pub fn tokenizer(&self, plan: &Plan, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Tokenizer> {
        self.tokenizer_if(true, plan, cache, events)
    }

    /// The same; where nothing is to be learned, an error if it would have to be.
    fn tokenizer_if(
        &self,
        learning: bool,
        plan: &Plan,
        cache: &Path,
        events: &mut dyn FnMut(Event),
    ) -> Result<Tokenizer> {
        let texts = self.texts();
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
            if !learning {
                return Err(Error::message("there is no tokenizer yet"));
            }
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
    ///
    /// # Errors
    /// If nothing can be read, or it is less than two sequences.
    pub fn supply(
        self,
        plan: &Plan,
        chosen: &Chosen,
        tokenizer: &Tokenizer,
        cache: &Path,
        events: &mut dyn FnMut(Event),
    ) -> Result<(Supply, Summary)> {
        let nothing_read = Summary { kind: chosen.kind.clone(), ..Summary::default() };
        Ok(match self {
            Opened::Documents(documents) => {
                let window = plan.architecture.n_ctx + 1;
                let Store { path, facts, windows } =
                    Store::open(&*documents, tokenizer, window, cache, events)?;
                let Facts { summary, frequencies, .. } = facts;
                let summary = Summary { path: documents.named(), ..summary };
                stored(chosen, Stored { windows, store: Some(path), summary, frequencies })
            }
            Opened::Tokens(tokens) => {
                let part = Plan { dataset: chosen.clone(), ..plan.clone() };
                stored(chosen, (tokens.open)(&part, tokenizer, cache, events)?)
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
                    let (part, summary) = part.supply(plan, &chosen, tokenizer, cache, events)?;
                    hasher.update(&share.to_le_bytes()).update(summary.digest.as_bytes());
                    whole.documents += summary.documents;
                    whole.bytes += summary.bytes;
                    whole.tokens +=
                        (summary.tokens as f64 * if part.has_text() { 1.0 } else { share }) as u64;
                    whole.skipped += summary.skipped;
                    whole.replaced += summary.replaced;
                    supplies.push((share, part));
                }
                whole.digest = hasher.finalize().to_hex().to_string();
                (Supply::Mixture(supplies), whole)
            }
        })
    }
}

/// Windows of what is on disk, with the place where it was found.
fn stored(chosen: &Chosen, stored: Stored) -> (Supply, Summary) {
    let written = || chosen.config.get("path").and_then(|p| p.as_str()).map(str::to_string);
    let path = stored.summary.path.clone().or_else(written);
    let summary = Summary { kind: chosen.kind.clone(), path, ..stored.summary.clone() };
    (Supply::Stored(Box::new(stored)), summary)
}

/// The plan's tokenizer alone: learned, or found in the cache.
///
/// # Errors
/// If the text it learns from cannot be read.
pub fn open_tokenizer(plan: &Plan, cache: &Path, events: &mut dyn FnMut(Event)) -> Result<Tokenizer> {
    Opened::new(plan, &plan.dataset, events)?.tokenizer(plan, cache, events)
}

/// How much there is to read; nothing where sequences are made on the spot.
///
/// # Errors
/// If it cannot be listed.
pub fn survey(plan: &Plan, cache: &Path) -> Result<Option<Survey>> {
    let opened = Opened::new(plan, &plan.dataset, &mut |_| {})?;
    let known = opened.tokenizer_if(false, plan, cache, &mut |_| {}).ok();
    opened.survey(plan, &plan.dataset, known.as_ref(), cache)
}
