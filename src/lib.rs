//! Watch induction heads form: one TOML file in, a trained transformer, its probes and a report out.
//!
//! Data flows one way, and each room imports only from those above it in this list; `figures`,
//! `report`, `diff` and `compare` read nothing but `record` and know no device.

pub mod error;
pub mod files;
pub mod random;
pub mod spec;
pub mod plan;
pub mod record;
pub mod tokenizer;
pub mod dataset;
pub mod ops;
pub mod model;
pub mod training;
pub mod probes;
pub mod figures;
pub mod report;
pub mod diff;
pub mod compare;
pub mod language;
pub mod cli;
