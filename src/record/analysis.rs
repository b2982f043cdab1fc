//! `analyses/<id>.json`: what a probe found.

use super::table::Table;
use serde::{Deserialize, Serialize};

/// The result of one probe over the checkpoints of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The version of this file's form.
    pub format: u32,
    /// The probe's name in the registry.
    pub probe: String,
    /// The name of this analysis within its run.
    pub id: String,
    /// The formula and its source, in words.
    pub definition: String,
    /// Every parameter the probe ran with.
    pub parameters: toml::Table,
    /// The version of the probe: another one may measure otherwise.
    #[serde(default)]
    pub version: u32,
    /// Digest of the checkpoints that were measured; empty where they were none of a run.
    #[serde(default)]
    pub measured_on: String,
    /// What was measured.
    pub tables: Vec<Table>,
}

impl Analysis {
    /// The table of that name, if the probe emitted one.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == name)
    }
}
