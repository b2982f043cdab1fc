//! Unfinished stores that nobody will go on with.
//!
//! A file beside an unfinished store, `KEY.from`, names the place that its texts are read from and how, whatever
//! is there. Texts of the same place with another key have changed since, and with the old ones nothing can be
//! gone on with. What has no such file, or is held by a process, is left alone.

use super::lock::try_hold;
use crate::error::{Error, Result};
use crate::files;
use std::fs;
use std::path::Path;

const FROM: &str = "from";

/// Says that a store is being made of a place, and removes what was begun of that place before it changed.
///
/// # Errors
/// If the disk refuses to keep what is said.
pub fn remove(folder: &Path, key: &str, place: &str) -> Result<()> {
    let path = folder.join(key).with_extension(FROM);
    files::write(&path, place.as_bytes()).map_err(Error::write(&path))?;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let from = entry.path();
        let Some(other) = from.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let is_of_it = from.extension().is_some_and(|extension| extension == FROM)
            && other != key
            && fs::read_to_string(&from).is_ok_and(|of| of == place);
        // As long as this is held, nobody begins it again.
        if is_of_it && let Some(_alone) = try_hold(&folder.join(other).with_extension("lock")) {
            let working = folder.join(format!(".working-{other}"));
            if fs::remove_dir_all(&working).is_ok() || !working.exists() {
                forget(folder, other);
            }
        }
    }
    Ok(())
}

/// Says that a store is not being made any more.
pub fn forget(folder: &Path, key: &str) {
    let _ = fs::remove_file(folder.join(key).with_extension(FROM));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_begun_of_the_same_place_and_is_held_by_nobody_goes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (key, place) in [("old", "here"), ("held", "here"), ("elsewhere", "there"), ("new", "here")] {
            fs::create_dir(at(&format!(".working-{key}"))).unwrap();
            fs::write(at(&format!(".working-{key}/training.bin")), "1").unwrap();
            fs::write(at(&format!("{key}.from")), place).unwrap();
        }
        fs::create_dir(at(".working-unknown")).unwrap();
        fs::create_dir(at("whole")).unwrap();
        let held = try_hold(&at("held.lock")).unwrap();
        remove(folder.path(), "new", "here").unwrap();
        let left =
            ["old", "held", "elsewhere", "new", "unknown"].map(|key| at(&format!(".working-{key}")).exists());
        assert_eq!(left, [false, true, true, true, true]);
        assert!(at("whole").exists() && !at("old.from").exists());
        drop(held);
        remove(folder.path(), "new", "here").unwrap();
        assert!(!at(".working-held").exists() && at(".working-new/training.bin").exists());
    }
}
