//! How long no thread of a worker has come to the end of anything. The scoreboard says how many
//! requests run and how long they have taken together, but not since when the youngest one does;
//! who looks more than once can tell.

use crate::sys::snapshot::{Snapshot, WorkerView};

/// What was seen of the workers.
#[derive(Clone, Debug, Default)]
pub struct Stall {
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    slot: usize,
    age: u64,
    done_ns: u64,
    full_since_ns: u64,
}

impl Stall {
    /// Looks again. To be called often: between two looks a worker may have been idle unseen, but
    /// not without an end of a request, which is seen.
    pub fn look(&mut self, snapshot: &Snapshot, now_ns: u64) {
        let before = std::mem::take(&mut self.seen);
        let full = snapshot.workers.iter().filter(|worker| worker.alive && is_full(worker));
        self.seen = full
            .map(|worker| {
                let done_ns = worker.work.busy_ns.saturating_sub(worker.work.running_ns);
                let same = before.iter().find(|seen| {
                    (seen.slot, seen.age, seen.done_ns) == (worker.slot, worker.age, done_ns)
                });
                let full_since_ns = same.map_or(now_ns, |seen| seen.full_since_ns);
                Seen { slot: worker.slot, age: worker.age, done_ns, full_since_ns }
            })
            .collect();
    }

    /// Nanoseconds for which this worker has run as many requests as it can and has ended none;
    /// `None` when it has a thread to spare, or does not say how many it has.
    pub fn of(&self, worker: &WorkerView, now_ns: u64) -> Option<u64> {
        if !is_full(worker) {
            return None;
        }
        let mine = |seen: &&Seen| (seen.slot, seen.age) == (worker.slot, worker.age);
        let seen = self.seen.iter().find(mine)?;
        Some(now_ns.saturating_sub(seen.full_since_ns))
    }
}

fn is_full(worker: &WorkerView) -> bool {
    worker.room > 0 && worker.work.running >= worker.room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::scoreboard::Scoreboard;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_end_of_a_request_begins_the_time_anew() {
        let board = Scoreboard::new(None).unwrap();
        let slot = board.claim(0, 1).unwrap();
        slot.set_room(2);
        let mut stall = Stall::default();
        let mut at = |now_ns: u64| {
            let snapshot = board.snapshot(now_ns);
            stall.look(&snapshot, now_ns);
            stall.of(&snapshot.workers[0], now_ns)
        };
        assert_eq!(at(SECOND), None);
        slot.work().begin(SECOND);
        assert_eq!(at(2 * SECOND), None);
        slot.work().begin(2 * SECOND);
        assert_eq!(at(3 * SECOND), Some(0));
        assert_eq!(at(9 * SECOND), Some(6 * SECOND));
        slot.work().end(2 * SECOND, 9 * SECOND);
        slot.work().begin(9 * SECOND);
        assert_eq!(at(10 * SECOND), Some(0));
        assert_eq!(at(11 * SECOND), Some(SECOND));
        // Another worker in the same slot.
        slot.release();
        let next = board.claim(0, 2).unwrap();
        next.set_room(1);
        next.work().begin(11 * SECOND);
        assert_eq!(at(12 * SECOND), Some(0));
    }
}
