//! Texts that do not fit: known once there is a tokenizer, and before anything is trained.

use crate::error::Result;
use crate::plan::Plan;
use crate::spec::Findings;
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
