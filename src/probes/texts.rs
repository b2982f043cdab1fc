//! Texts that do not fit: known once there is a tokenizer, and before anything is trained.

use super::Context;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::spec::{Checking, Findings};
use crate::tokenizer::Tokenizer;

/// A text's tokens after the start token, as the model meets a document.
///
/// # Errors
/// If the tokenizer cannot read it.
pub fn from_start(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let mut ids = vec![tokenizer.start()];
    ids.extend(tokenizer.encode(text)?);
    Ok(ids)
}

/// A text's tokens after the start token, and what they look like.
///
/// # Errors
/// If the tokenizer cannot read it, or it is longer than a sequence.
pub(super) fn shown(cx: &Context<'_>, text: &str) -> Result<(Vec<usize>, Vec<String>)> {
    let (tokenizer, n_ctx) = (cx.material.tokenizer(), cx.subject.n_ctx());
    let ids = from_start(tokenizer, text)?;
    if ids.len() > n_ctx {
        return Err(Error::message(format!("the text is {} tokens, and n_ctx is {n_ctx}", ids.len())));
    }
    Ok((ids.iter().map(|&id| id as usize).collect(), tokenizer.strings(&ids)))
}

/// Reports a `text` without anything in it.
pub(super) fn check_text(cx: &mut Checking<'_>) {
    if cx.text("text").is_some_and(str::is_empty) {
        cx.error("text", "`text` is empty", "write what the model should read");
    }
}

/// Reports every text of an analysis that has more tokens than a sequence has positions.
pub fn check_texts(plan: &Plan, tokenizer: &Tokenizer, findings: &mut Findings) {
    let n_ctx = plan.architecture.n_ctx;
    for (i, analysis) in plan.analyses.iter().enumerate() {
        let Some(text) = analysis.config.get("text").and_then(|t| t.as_str()) else { continue };
        let path = format!("analyses.{i}.text");
        match from_start(tokenizer, text) {
            Ok(ids) if ids.len() > n_ctx => {
                let message =
                    format!("this text is {} tokens with its start token, and n_ctx is {n_ctx}", ids.len());
                let other = ("architecture.n_ctx", "positions in a sequence");
                findings.clash(&path, message, other, "shorten the text, or raise n_ctx or d_vocab");
            }
            Ok(_) => {}
            Err(error) => {
                findings.error(&path, format!("this text cannot be tokenised: {error}"), "write another")
            }
        }
    }
}
