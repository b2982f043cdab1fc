//! Watch induction heads form: one TOML file in, a trained transformer, its probes and a report out.

pub mod figures;
pub mod record;
pub mod report;
