//! What a worker sees of the others on the scoreboard.

use std::sync::atomic::Ordering;

use super::slot::{CLAIMED, Cells, Slot};

impl Slot {
    /// Whether another worker sleeps until a connection comes. One that was killed counts until the master has seen it.
    pub fn sibling_waits(self) -> bool {
        self.siblings().any(|cells| cells.waiting.load(Ordering::Relaxed) != 0)
    }

    /// Whether there is no other worker.
    pub fn is_alone(self) -> bool {
        self.siblings().next().is_none()
    }

    /// What the other workers have.
    pub(super) fn siblings(self) -> impl Iterator<Item = &'static Cells> {
        let known = self.board.header.taken.load(Ordering::Relaxed) as usize;
        self.board.slots.iter().take(known).filter(move |cells| {
            cells.state.load(Ordering::Acquire) == CLAIMED && !std::ptr::eq(*cells, self.cells)
        })
    }
}
