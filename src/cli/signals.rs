//! Signals: the first that ends a process asks it to stop and save, the second ends it at once; SIGUSR1 asks to save and
//! go on.

use super::console;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

/// How many signals to end have come.
static ENDS: AtomicUsize = AtomicUsize::new(0);
/// The first of them; 2 is SIGINT, which is Ctrl-C.
static FIRST: AtomicI32 = AtomicI32::new(2);
/// Whether to save and go on.
static SAVE: AtomicBool = AtomicBool::new(false);

/// How many signals to end have come.
pub fn ends() -> usize {
    ENDS.load(Ordering::SeqCst)
}

/// Whether it was asked to save since this was last asked.
pub fn save() -> bool {
    SAVE.swap(false, Ordering::SeqCst)
}

/// The exit code of a process that was interrupted: 128 and the signal's number, as shells have it.
pub fn exit_code() -> u8 {
    128 + FIRST.load(Ordering::SeqCst) as u8
}

/// Begins to listen; `ended` is called at every signal to end, with how many there were before.
pub fn listen(ended: fn(usize)) {
    // Without a listener a signal ends the process, and loses only what no checkpoint holds.
    if start(ended).is_err() {
        console::note("warning: Ctrl-C will not save");
    }
}

fn end(signal: i32, ended: fn(usize)) {
    let before = ENDS.fetch_add(1, Ordering::SeqCst);
    if before == 0 {
        FIRST.store(signal, Ordering::SeqCst);
    }
    ended(before);
}

#[cfg(unix)]
fn start(ended: fn(usize)) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGUSR1 => SAVE.store(true, Ordering::SeqCst),
                signal => end(signal, ended),
            }
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
fn start(ended: fn(usize)) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || end(2, ended))
}
