//! Why something could not be done, for people.

use std::path::Path;

/// What went wrong outside the spec.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried: `cannot read`, `cannot write` …
        action: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The device: out of memory, a failed kernel.
    #[error("the device failed: {0}")]
    Device(String),
    /// Anything else, said in full.
    #[error("{0}")]
    Message(String),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// A result whose failure is for people.
pub type Result<T> = std::result::Result<T, Error>;

/// A name of a stranger's as it can be shown: control characters, which a terminal would obey, replaced.
pub fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl Error {
    /// An error of its own words.
    pub fn message(words: impl Into<String>) -> Self {
        Error::Message(words.into())
    }

    /// A file could not be read.
    pub fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        Error::file("cannot read", path)
    }

    /// A file could not be written.
    pub fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        Error::file("cannot write", path)
    }

    fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = printable(&path.display().to_string());
        move |source| Error::File { action, path, source }
    }

    /// Whatever a device reports.
    pub fn device(error: impl std::fmt::Debug) -> Self {
        let said = format!("{error:?}");
        Error::Device(match said.contains("OUT_OF_MEMORY") {
            true => {
                "its memory is used up; take fewer sequences at a time (`training.micro_batch_size`)".into()
            }
            false => said,
        })
    }
}
