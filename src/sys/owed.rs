//! How many requests a worker has to finish, and for how many of them nobody waits any more: what the
//! master asks before it ends a worker that leaves.

use std::sync::atomic::{AtomicU64, Ordering};

/// Both in one word, so that no reader takes one of them from before a request and the other from
/// after it: a worker with requests that somebody waits for would be killed.
const ONE_OVERDUE: u64 = 1 << 32;

/// Written by the threads of one worker. All-zero is a valid value.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Owed(AtomicU64);

impl Owed {
    /// There is one more to finish.
    pub(super) fn begin(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// It is finished.
    pub(super) fn end(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// One of them has passed its deadline, or comes `back` from there.
    pub(super) fn note_overdue(&self, back: bool) {
        self.0.fetch_add(
            if back { ONE_OVERDUE.wrapping_neg() } else { ONE_OVERDUE },
            Ordering::Relaxed,
        );
    }

    /// Whether every request, one at least, has passed its deadline.
    pub(super) fn is_lost(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        let (overdue, all) = (word / ONE_OVERDUE, word % ONE_OVERDUE);
        // More ends than beginnings would be a mistake of ours, and nobody is killed for that.
        overdue > 0 && overdue == all && all < ONE_OVERDUE / 2
    }

    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_lost_when_nobody_waits_for_any_of_its_requests() {
        let owed = Owed(AtomicU64::new(0));
        assert!(!owed.is_lost());
        owed.begin();
        owed.begin();
        owed.note_overdue(false);
        assert!(!owed.is_lost());
        owed.note_overdue(false);
        assert!(owed.is_lost());
        owed.note_overdue(true);
        owed.end();
        assert!(owed.is_lost());
        owed.clear();
        assert!(!owed.is_lost());
        owed.end();
        assert!(!owed.is_lost());
    }
}
