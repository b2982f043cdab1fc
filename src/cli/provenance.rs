//! Where a run came from: the only place that asks the machine what it is and what time it is.

use super::device;
use crate::dataset::Dataset;
use crate::plan::Plan;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// `provenance.json`.
pub fn provenance(plan: &Plan, dataset: &Dataset, n_parameters: usize) -> Value {
    let tokenizer = dataset.tokenizer();
    let card = (device::of(plan).description)();
    let mut told = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit": env!("INDHEAD_COMMIT"),
        "device": plan.training.device,
        "threads": rayon::current_num_threads(),
        "seed": plan.seed,
        "n_parameters": n_parameters,
        "argv": command_line(),
        "dataset": dataset.summary(),
        "tokenizer": {
            "kind": plan.tokenizer.kind,
            "d_vocab": plan.d_vocab(),
            "digest": tokenizer.digest(),
        },
        "created": now(),
    });
    if let (Value::Object(told), false) = (&mut told, card.is_empty()) {
        let card = card.into_iter().map(|(name, value)| (name.to_string(), value.into()));
        told.insert("card".into(), Value::Object(card.collect()));
    }
    told
}

/// What was typed, without the place where the program lies: members of a sweep are run by their full path.
fn command_line() -> Vec<String> {
    let mut words: Vec<String> = std::env::args().collect();
    let name =
        words.first().and_then(|first| Some(Path::new(first).file_name()?.to_string_lossy().into_owned()));
    if let (Some(first), Some(name)) = (words.first_mut(), name) {
        *first = name;
    }
    words
}

/// Now, as `2026-11-24T09:30:00Z`.
#[allow(clippy::disallowed_methods, reason = "provenance is what is dated")]
pub fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days since 1970-01-01, counting years from March (Hinnant, "chrono-compatible
    // low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
