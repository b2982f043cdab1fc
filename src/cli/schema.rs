//! `indhead schema`: the language as a JSON Schema, for editors.

use super::printed::json;
use super::{Outcome, console};
use crate::language::language;

/// Prints it.
pub fn schema() -> Outcome {
    console::out(&json(&language().json_schema()));
    Ok(())
}
