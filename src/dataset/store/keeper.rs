//! Makes what was written of a store last, beside the work: the disk takes its time, and the processor need not wait.

use super::journal::Journal;
use crate::error::{Error, Result};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Flushes files to the disk, then writes the journal that says how far they go; one time after the other.
pub struct Keeper {
    folder: Arc<Path>,
    files: Arc<[File]>,
    working: Option<JoinHandle<Result<()>>>,
}

impl Keeper {
    /// Of files in a folder, by handles of their own.
    pub fn new(folder: &Path, files: Vec<File>) -> Keeper {
        Keeper { folder: folder.into(), files: files.into(), working: None }
    }

    /// Begins to keep what has been written, which the journal counts, once the time before is done.
    ///
    /// # Errors
    /// If the disk refused the time before.
    pub fn keep(&mut self, journal: Journal) -> Result<()> {
        self.wait()?;
        let (folder, files) = (self.folder.clone(), self.files.clone());
        self.working = Some(thread::spawn(move || {
            files.iter().try_for_each(File::sync_data).map_err(Error::write(&folder))?;
            journal.write(&folder)
        }));
        Ok(())
    }

    /// Waits until all is kept that was asked for.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn wait(&mut self) -> Result<()> {
        let Some(working) = self.working.take() else { return Ok(()) };
        let failed = |_| Err(Error::message("what was tokenised could not be kept"));
        working.join().unwrap_or_else(failed)
    }
}

impl Drop for Keeper {
    /// Nothing is written to a folder that its owner has left.
    fn drop(&mut self) {
        let _ = self.wait();
    }
}
