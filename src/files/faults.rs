//! Faults for tests: from the nth operation on a file on, the disk refuses.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many operations there are until the disk refuses.
static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Lets this many operations succeed, and none after them.
pub fn refuse_after(operations: u64) {
    LEFT.store(operations, Ordering::SeqCst);
}

/// Lets all operations succeed again.
pub fn mend() {
    LEFT.store(u64::MAX, Ordering::SeqCst);
}

/// Whether an operation was refused since the count was set.
pub fn refused() -> bool {
    LEFT.load(Ordering::SeqCst) == 0
}

/// Counts one.
///
/// # Errors
/// If the disk is to refuse.
pub(super) fn operation() -> io::Result<()> {
    match LEFT.load(Ordering::SeqCst) {
        u64::MAX => Ok(()),
        0 => Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device (a test says so)")),
        left => {
            LEFT.store(left - 1, Ordering::SeqCst);
            Ok(())
        }
    }
}
