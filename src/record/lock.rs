//! One process at a time trains in a run.

use super::RunDirectory;
use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file that is locked; in it, the process that holds it.
pub const NAME: &str = "lock";

/// Held until it is dropped, or its process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// The folders that were not there before, the deepest first.
    made: Vec<PathBuf>,
}

impl RunDirectory {
    /// Keeps other processes from training here; makes the folder if it is not there.
    ///
    /// # Errors
    /// If another process does, with its number and for how long; if the disk refuses.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.file(NAME);
        let named = |folder: &&Path| !folder.as_os_str().is_empty();
        let missing = self.path.ancestors().filter(named).take_while(|folder| !folder.exists());
        let made: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
        fs::create_dir_all(&self.path).map_err(Error::write(&self.path))?;
        loop {
            let opened = File::options().create(true).read(true).write(true).truncate(false).open(&path);
            let mut file = opened.map_err(Error::write(&path))?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(self.held(&path)),
                // A disk that knows no locks is no reason not to train.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            // The one who held it may have removed the file since it was opened here.
            if is(&file, &path) {
                file.set_len(0).map_err(Error::write(&path))?;
                writeln!(file, "{}", std::process::id()).map_err(Error::write(&path))?;
                return Ok(Lock { file, path, made });
            }
        }
    }

    /// Whether a process is training here, as far as the disk can tell.
    pub fn running(&self) -> bool {
        let Ok(file) = File::open(self.file(NAME)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    fn held(&self, path: &Path) -> Error {
        let owner = fs::read_to_string(path).unwrap_or_default();
        let owner = match owner.trim() {
            "" => "another process".to_string(),
            number => format!("process {number}"),
        };
        let since = fs::metadata(path).and_then(|file| file.modified()).ok().and_then(|at| at.elapsed().ok());
        let since = since.map_or(String::new(), |age| format!(", since {} minutes", age.as_secs() / 60));
        let run = self.path.display();
        Error::message(format!("{run} is being trained by another process ({owner}{since})"))
    }
}

/// Whether a path still leads to this file.
#[cfg(unix)]
fn is(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (here, there) = (file.metadata().map(number), fs::metadata(path).map(number));
    here.is_ok_and(|here| there.is_ok_and(|there| here == there))
}

#[cfg(not(unix))]
fn is(_: &File, _: &Path) -> bool {
    true
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is held, so that nobody can take what is about to go.
        let _ = fs::remove_file(&self.path);
        // A run that was not begun leaves no folder; one that is not empty stays.
        self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
        let _ = self.file.unlock();
    }
}
