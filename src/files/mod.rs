//! Files that are whole or absent, and paths as people write them.

#[doc(hidden)]
pub mod faults;
pub mod hub;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How the name of a file begins that is being written.
pub const UNFINISHED: &str = ".writing-";

/// Writes a file under a temporary name, flushes it to the disk and renames it into place:
/// whatever happens, the file is the old one or the new one, whole.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    faults::operation()?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    append(file.as_file_mut(), bytes)?;
    finish(&mut file)?;
    faults::operation()?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(folder)
}

/// Removes from a folder what a process that was killed was writing there.
pub fn tidy(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Reads a file that a person wrote: longer than 16 MiB it is none.
pub fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    const LONGEST: u64 = 16 << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LONGEST {
        true => Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than 16 MiB")),
        false => Ok(bytes),
    }
}

/// Writes at the end of an open file.
pub fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    faults::operation().or_else(|error| {
        // What a full disk leaves.
        file.write_all(&bytes[..bytes.len() / 2])?;
        Err(error)
    })?;
    file.write_all(bytes)
}

/// Makes what was written to a file last through a power cut.
pub fn sync(file: &File) -> io::Result<()> {
    faults::operation()?;
    file.sync_data()
}

/// Moves a file or a folder to another name, all of it at once.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::operation()?;
    fs::rename(from, to)
}

/// Flushes a temporary file to the disk, with the permissions an ordinary file would have.
fn finish(file: &mut tempfile::NamedTempFile) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.flush()?;
    faults::operation()?;
    file.as_file().sync_all()
}

/// Makes a rename in a folder last through a power cut.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows has no handle on a folder to sync.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Replaces a leading `~` and every `$VAR` or `${VAR}`.
///
/// # Errors
/// The name of the variable that is not set.
pub fn expand(path: &str) -> Result<PathBuf, String> {
    let variable = |name: &str| environment(name).ok_or_else(|| name.to_string());
    let mut out = String::new();
    let mut rest = path;
    if let Some(after) = path.strip_prefix('~').filter(|a| a.is_empty() || a.starts_with('/')) {
        out.push_str(&variable("HOME")?);
        rest = after;
    }
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let braced = after.strip_prefix('{').and_then(|a| a.split_once('}'));
        let length = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, left) = braced.unwrap_or((&after[..length], &after[length..]));
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&variable(name)?);
        }
        rest = left;
    }
    out.push_str(rest);
    Ok(PathBuf::from(out))
}

/// The folder for what can be made again: token stores, trained tokenizers.
/// `INDHEAD_CACHE`, else `XDG_CACHE_HOME/indhead`, else `~/.cache/indhead`.
pub fn cache_folder() -> PathBuf {
    let xdg = || environment("XDG_CACHE_HOME").map(|c| Path::new(&c).join("indhead"));
    let home = || environment("HOME").map(|h| Path::new(&h).join(".cache/indhead"));
    let own = environment("INDHEAD_CACHE").map(PathBuf::from);
    own.or_else(xdg).or_else(home).unwrap_or_else(|| PathBuf::from(".indhead-cache"))
}

#[allow(clippy::disallowed_methods, reason = "paths are the only thing that is looked up")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_expand_as_people_write_them() {
        let home = environment("HOME").unwrap_or_default();
        assert_eq!(expand("~/a").unwrap(), PathBuf::from(format!("{home}/a")));
        assert_eq!(expand("/x/$HOME/y").unwrap(), PathBuf::from(format!("/x/{home}/y")));
        assert_eq!(expand("${HOME}y").unwrap(), PathBuf::from(format!("{home}y")));
        assert_eq!(expand("a~b").unwrap(), PathBuf::from("a~b"));
        assert_eq!(expand("/$NO_SUCH_VARIABLE/").unwrap_err(), "NO_SUCH_VARIABLE");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
