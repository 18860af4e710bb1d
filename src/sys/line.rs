//! How many requests wait for a thread, for `max_queue`: in each worker, in its slot of the
//! scoreboard, and in the queue between workers, in the header.

use std::sync::atomic::Ordering;

use super::slot::Slot;

impl Slot {
    /// How many requests wait in this worker for a thread.
    pub fn set_queued(self, requests: u64) {
        self.cells.queued.store(requests, Ordering::Relaxed);
    }

    /// As last said.
    pub fn queued(self) -> u64 {
        self.cells.queued.load(Ordering::Relaxed)
    }

    /// The same of all other workers. One that was killed counts until the master has seen it.
    pub fn queued_elsewhere(self) -> u64 {
        self.siblings().map(|cells| cells.queued.load(Ordering::Relaxed)).sum()
    }

    /// One more request goes into the queue between workers.
    pub fn enter_transit(self) {
        self.board.header.transit.fetch_add(1, Ordering::Relaxed);
    }

    /// One has left it.
    pub fn leave_transit(self) {
        let cell = &self.board.header.transit;
        let _empty = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    }

    /// The queue was found empty: what a worker that was killed in between has not counted is
    /// forgotten here.
    pub fn clear_transit(self) {
        self.board.header.transit.store(0, Ordering::Relaxed);
    }

    /// How many requests lie in the queue between workers.
    pub fn in_transit(self) -> u64 {
        self.board.header.transit.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use crate::sys::scoreboard::Scoreboard;

    #[test]
    fn those_who_wait_are_counted_until_their_worker_is_gone() {
        let board = Scoreboard::new(None).unwrap();
        let mine = board.claim(0, 1).unwrap();
        let theirs = board.claim(2, 2).unwrap();
        mine.set_queued(5);
        theirs.set_queued(3);
        assert_eq!(mine.queued(), 5);
        assert_eq!((mine.queued_elsewhere(), theirs.queued_elsewhere()), (3, 5));
        theirs.release();
        assert_eq!(mine.queued_elsewhere(), 0);
        board.claim(2, 3).unwrap();
        assert_eq!(mine.queued_elsewhere(), 0);
        mine.enter_transit();
        theirs.leave_transit();
        theirs.leave_transit();
        assert_eq!(mine.in_transit(), 0);
        mine.enter_transit();
        theirs.clear_transit();
        assert_eq!(mine.in_transit(), 0);
    }
}
