//! Watch induction heads form: one TOML file in, a trained transformer, its probes and a report out.

pub mod error;
pub mod files;
pub mod model;
pub mod ops;
pub mod plan;
pub mod random;
pub mod record;
pub mod spec;
pub mod cli;
pub mod dataset;
pub mod diff;
pub mod language;
pub mod probes;
pub mod tokenizer;
pub mod training;
