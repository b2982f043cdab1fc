//! Watch induction heads form: one TOML file in, a trained transformer, its probes and a report out.

pub mod error;
pub mod files;
pub mod model;
pub mod ops;
pub mod plan;
pub mod random;
pub mod record;
pub mod spec;
