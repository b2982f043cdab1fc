//! One process at a time makes a store.

use super::Event;
use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::Path;

/// Holds a lock until it is dropped, or its process ends in whatever way: then the next one takes over.
/// Waits, and says for whom, if another process holds it.
///
/// # Errors
/// If the file cannot be made.
pub fn hold(path: &Path, events: &mut dyn FnMut(Event)) -> Result<File> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Error::write(folder))?;
    let opened = File::options().create(true).read(true).write(true).truncate(false).open(path);
    let mut file = opened.map_err(Error::write(path))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        let owner = fs::read_to_string(path).unwrap_or_default();
        let owner = if owner.is_empty() { "another process".into() } else { format!("process {owner}") };
        events(Event::Warning(format!("{owner} is tokenising the same text: waiting for it")));
        file.lock().map_err(Error::write(path))?;
    }
    // A disk that knows no locks is no reason not to read.
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}

/// Holds a lock if no process does.
pub fn try_hold(path: &Path) -> Option<File> {
    let file = File::options().create(true).read(true).write(true).truncate(false).open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}
