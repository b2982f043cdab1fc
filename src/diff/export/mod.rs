//! Differences as text, Markdown and JSON: one file a form.

mod json;
mod markdown;
mod text;

pub use json::to_json;
pub use markdown::to_markdown;
pub use text::to_text;

use super::{Difference, Differences};

/// The sections in their order: name in data, title for people.
fn sections(found: &Differences) -> [(&'static str, &'static str, &[Difference]); 5] {
    [
        ("results", "changes results", &found.results),
        ("follows", "follows from that (defaults)", &found.follows),
        ("cosmetic", "changes how it is watched and told", &found.cosmetic),
        ("provenance", "made elsewhere, or from other data", &found.provenance),
        ("outcomes", "outcomes", &found.outcomes),
    ]
}
