//! `digests.json`: what every file of a run should be, so that one that was changed or damaged is not taken for what
//! was measured. A folder without it, as a run that was thinned out, is taken as it is.

use super::RunDirectory;
use crate::error::{Error, Result};
use crate::files;
use std::collections::BTreeMap;
use std::fs;

/// The file's name.
pub(super) const NAME: &str = "digests.json";

/// blake3 by file; while a file is being replaced, that of the old one and that of the new one.
type Digests = BTreeMap<String, Vec<String>>;

/// The digest of a file's bytes.
pub fn of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

impl RunDirectory {
    fn digests(&self) -> Result<Digests> {
        let path = self.file(NAME);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::message(format!(
                    "{} is damaged: {e}; without it the run is taken as it is now",
                    path.display()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Digests::new()),
            Err(error) => Err(Error::read(&path)(error)),
        }
    }

    fn keep(&self, digests: &Digests) -> Result<()> {
        let path = self.file(NAME);
        let mut text = serde_json::to_string_pretty(digests).map_err(|e| Error::message(e.to_string()))?;
        text.push('\n');
        files::write(&path, text.as_bytes()).map_err(Error::write(&path))
    }

    /// Whether a file was written.
    pub(super) fn expects(&self, name: &str) -> Result<bool> {
        Ok(self.digests()?.contains_key(name))
    }

    /// Before a file is written: it may be what it was, or what it will be.
    pub(super) fn expect(&self, name: &str, digest: &str) -> Result<()> {
        let mut digests = self.digests()?;
        let known = digests.entry(name.to_string()).or_default();
        if known.iter().any(|other| other == digest) {
            return Ok(());
        }
        // A file that no digest is known of, as an older version left it.
        if known.is_empty()
            && let Ok(bytes) = fs::read(self.file(name))
        {
            known.push(of(&bytes));
        }
        known.push(digest.to_string());
        self.keep(&digests)
    }

    /// After a file was written: it is this.
    pub(super) fn settle(&self, name: &str, digest: &str) -> Result<()> {
        let mut digests = self.digests()?;
        let settled = vec![digest.to_string()];
        if digests.get(name) == Some(&settled) {
            return Ok(());
        }
        digests.insert(name.to_string(), settled);
        self.keep(&digests)
    }

    /// Keeps what a file is that was written piece by piece.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn seal(&self, name: &str) -> Result<()> {
        let path = self.file(name);
        let bytes = fs::read(&path).map_err(Error::read(&path))?;
        self.settle(name, &of(&bytes))
    }

    /// Before a file is grown again: it may be anything.
    pub(super) fn forget(&self, name: &str) -> Result<()> {
        let mut digests = self.digests()?;
        if digests.remove(name).is_some() { self.keep(&digests) } else { Ok(()) }
    }

    /// Whether a file is what was written.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn verify(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let digests = self.digests()?;
        let Some(known) = digests.get(name) else { return Ok(()) };
        if known.contains(&of(bytes)) {
            return Ok(());
        }
        Err(Error::message(format!(
            "{} is not what was written: it was changed or damaged; if it was meant to be, remove {}, and the run is \
             taken as it is",
            self.file(name).display(),
            self.file(NAME).display(),
        )))
    }
}
