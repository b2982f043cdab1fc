//! Reading ahead: documents come in groups, read by a thread of their own while those before are
//! worked on, so that memory does not grow with the corpus.

use super::documents::{Documents, Flow, Found, Place, read_from};
use crate::error::Result;
use std::sync::mpsc::sync_channel;

/// Bytes read together.
const GROUP: usize = 8 << 20;
/// Documents read together, and what was skipped between them.
const ITEMS: usize = 1 << 16;

/// Documents that follow one another.
#[derive(Debug)]
pub struct Group {
    /// Documents, and what was skipped between them.
    pub found: Vec<Found>,
    /// The place after the last.
    pub place: Place,
    /// Bytes of all files that have been read.
    pub done: u64,
}

/// Reads on from a place, and works on each group in turn.
///
/// # Errors
/// The first of `work`, which ends the reading.
pub fn in_groups(
    documents: &dyn Documents,
    from: Place,
    mut work: impl FnMut(Group) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        // One group is read while another is worked on, and none waits between them.
        let (send, receive) = sync_channel(0);
        scope.spawn(move || {
            let (mut found, mut bytes, mut last) = (Vec::new(), 0, (from, 0));
            let flow = read_from(documents, from, &mut |item, place, done| {
                bytes += item.as_ref().map_or(0, |document| document.text.len());
                found.push(item);
                last = (place, done);
                if bytes < GROUP && found.len() < ITEMS {
                    return Flow::Continue(());
                }
                bytes = 0;
                let group = Group { found: std::mem::take(&mut found), place, done };
                // Nobody listens any more once the work has failed.
                if send.send(group).is_err() { Flow::Break(()) } else { Flow::Continue(()) }
            });
            if flow.is_continue() && !found.is_empty() {
                let (place, done) = last;
                let _ = send.send(Group { found, place, done });
            }
        });
        receive.into_iter().try_for_each(&mut work)
    })
}
