//! Writing to a person: stdout for data, stderr for everything else.

use std::io::{IsTerminal, Write};

/// Data. A closed pipe is the reader's wish to stop, not an error.
pub fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// A line for the person at the terminal.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}

/// Whether progress can move, and colours be shown.
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether colours are wanted.
#[allow(clippy::disallowed_methods, reason = "a convention of terminals, not of runs")]
pub fn colours() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
