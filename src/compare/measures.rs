//! The numbers that are told of every run.

use super::words;
use crate::figures::text::{count, decimal};
use crate::record::Record;

/// A number of a run.
pub struct Measure {
    /// What stands above its column.
    pub heading: &'static str,
    /// What it is, for a reader who knows what an attention head is.
    pub meaning: &'static str,
    /// What is said of a change of it in one sentence; empty where it is left to the tables.
    pub told: &'static str,
    /// Whether it is one that means nothing beside that of another text.
    pub is_loss: bool,
    /// The number, where the run has it.
    pub of: fn(&Record) -> Option<f64>,
    /// The number in words.
    pub said: fn(f64) -> String,
}

impl Measure {
    /// A number in words, or that there is none.
    pub fn cell(&self, number: Option<f64>) -> String {
        number.map_or("–".into(), self.said)
    }
}

fn hundredths(x: f64) -> String {
    decimal(x, 2)
}

/// What is said of every run; what no run has measured is left out.
const MEASURES: &[Measure] = &[
    Measure {
        heading: "trained (tokens)",
        meaning: "how much text the run had read at its last checkpoint: \"not found\" is said of that much",
        told: "",
        is_loss: false,
        of: |record| record.metrics.numbers("tokens").into_iter().rfind(|x| x.is_finite()),
        said: count,
    },
    Measure {
        heading: "formed at (tokens)",
        meaning: "the first checkpoint from which the prefix matching of the first head that is found, on random tokens \
                  or on passages, whichever is more, stays above the threshold",
        told: "",
        is_loss: false,
        of: words::formed,
        said: count,
    },
    Measure {
        heading: "prefix matching on random tokens, best head",
        meaning: "where a token of a random sequence comes up again, the share of the head's attention on what followed \
                  it before; near 0 by chance",
        told: "the best prefix matching on random tokens",
        is_loss: false,
        of: |record| words::best(record, "prefix_matching"),
        said: hundredths,
    },
    Measure {
        heading: "prefix matching on passages, best head",
        meaning: "the same where real passages are shown twice, which the models know better; there tokens recur for \
                  other reasons too, and any head scores a little",
        told: "",
        is_loss: false,
        of: |record| words::best(record, "prefix_matching_passages"),
        said: hundredths,
    },
    Measure {
        heading: "previous token, best head",
        meaning: "the share of a head's attention on the token just before: what an attention layer has to learn before \
                  a head above it can find what followed a token. A convolution or smeared keys do it instead",
        told: "the best previous-token score",
        is_loss: false,
        of: |record| words::best(record, "previous_token"),
        said: hundredths,
    },
    Measure {
        heading: "ablation, most (nats)",
        meaning: "how much the loss on the second copy of a repeated random sequence rises when one head is removed, \
                  with attention patterns free to change or preserved, whichever is more; of the head that is missed most",
        told: "",
        is_loss: false,
        of: |record| words::held(record, "ablation"),
        said: hundredths,
    },
    Measure {
        heading: "token identity after the first block (share of the stream's variance)",
        meaning: "how much of the residual stream's variance the current token explains after the first block, where \
                  a second one would read it: near 0 the first block would have drowned the token",
        told: "",
        is_loss: false,
        of: words::identity,
        said: hundredths,
    },
    Measure {
        heading: "tokens that the last occurrence predicts (share of all)",
        meaning: "a property of the text, not of the model: the share of held-out tokens that are what followed the last \
                  occurrence of the token before, which is what an induction head has to gain",
        told: "",
        is_loss: false,
        of: words::predicted,
        said: |x| decimal(x, 3),
    },
    Measure {
        heading: "in-context-learning score (nats)",
        meaning: "the loss late in a window minus the loss early in it: below zero the model gains from what it has read; \
                  above zero the late tokens are harder than the early ones, and it does not make up for that",
        told: "",
        is_loss: false,
        of: words::in_context,
        said: hundredths,
    },
    Measure {
        heading: "held-out loss (nats)",
        meaning: "the mean loss a token on text that was kept from training",
        told: "the held-out loss",
        is_loss: true,
        of: words::validation,
        said: |x| decimal(x, 3),
    },
];

/// The measures that any of the records has.
pub fn measured<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> Vec<&'static Measure> {
    let any = |measure: &&Measure| records.clone().any(|record| (measure.of)(record).is_some());
    MEASURES.iter().filter(any).collect()
}
