//! The scoreboard as whoever looks at it sees it: plain numbers, taken once. The one source of
//! `/metrics`, `/stats`, `rgunicorn top` and `rgunicorn stats`.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use super::connections::Connections;
use super::course::Course;
use super::header::{Fact, Header, Reason};
use super::scoreboard::{SLOTS, Scoreboard, map_to_read};
use super::slot::Cells;
use super::tally::Tally;
use super::tells::Tells;
use super::wish::Wish;
use super::work::Work;

/// Everything at about one moment. Each number is right for itself; two of them may be of
/// different moments.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The whole server.
    pub server: ServerView,
    /// Every slot with a number that was ever taken, in order; also those that are free now, as what
    /// their workers have counted still counts.
    pub workers: Vec<WorkerView>,
}

/// The whole server.
#[derive(Clone, Debug)]
pub struct ServerView {
    /// What it is about to do.
    pub course: Course,
    /// By [`Fact`].
    pub facts: [u64; Fact::ALL.len()],
    /// Workers that have ended, by [`Reason`].
    pub ends: [u64; Reason::ALL.len()],
    /// Requests in the queue between workers.
    pub in_transit: u64,
}

impl ServerView {
    /// What the master has said.
    pub fn fact(&self, fact: Fact) -> u64 {
        self.facts.get(fact as usize).copied().unwrap_or(0)
    }
}

/// One slot, and the worker in it.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// Number of the slot.
    pub slot: usize,
    /// Whether there is a worker. Without one, what follows up to `connections` is of its last one.
    pub alive: bool,
    /// Its process; 0 until it has been forked.
    pub pid: u64,
    /// Serial number of its fork.
    pub age: u64,
    /// When the slot was taken for it: CLOCK_MONOTONIC and nanoseconds since 1970.
    pub claimed_ns: u64,
    /// The same since 1970.
    pub claimed_at_ns: u64,
    /// When it had loaded its application, CLOCK_MONOTONIC.
    pub booted_ns: Option<u64>,
    /// Last heartbeat.
    pub heartbeat_ns: Option<u64>,
    /// Why it asks for its replacement.
    pub wish: Option<Wish>,
    /// Requests that it can run at once.
    pub room: u64,
    /// What its threads are at.
    pub work: Work,
    /// Requests that wait in it for a thread; also one of [`WorkerView::connections`].
    pub queued: u64,
    /// Its connections.
    pub connections: Connections,
    /// What was counted in this slot, by this worker and those before it.
    pub tally: Tally,
    /// How many of these requests were there before this worker.
    pub requests_before: u64,
    /// Workers that have had the slot before this one.
    pub respawns: u64,
    /// Which of these numbers mean something.
    pub tells: Tells,
}

impl WorkerView {
    /// Requests that this worker has ended.
    pub fn own_requests(&self) -> u64 {
        self.tally.requests().saturating_sub(self.requests_before)
    }
}

impl Scoreboard {
    /// Everything, now. `now_ns` is CLOCK_MONOTONIC.
    pub fn snapshot(&self, now_ns: u64) -> Snapshot {
        snapshot(self.header, self.slots, now_ns)
    }

    /// What was counted in a slot.
    pub fn tally(&self, index: usize) -> Option<Tally> {
        self.slots.get(index).map(Cells::tally)
    }
}

/// The board of another server, to look at.
#[derive(Clone, Copy, Debug)]
pub struct Display {
    header: &'static Header,
    slots: &'static [Cells],
}

impl Display {
    /// By the descriptor of its memory (`/proc/PID/fd/N`, opened for reading). The mapping stays as
    /// long as the process.
    ///
    /// # Errors
    /// `InvalidData`: it is no scoreboard, or one of another version, which the message names; what
    /// mmap(2) answers.
    pub fn open(fd: OwnedFd) -> io::Result<Self> {
        let (header, slots) = map_to_read(&File::from(fd))?;
        match header.version() {
            (_, true) => Ok(Self { header, slots }),
            (Some(version), false) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the scoreboard has layout {version}, and this rgunicorn reads layout {}",
                    super::header::VERSION
                ),
            )),
            (None, false) => Err(io::Error::new(io::ErrorKind::InvalidData, "no scoreboard")),
        }
    }

    /// Everything, now. `now_ns` is CLOCK_MONOTONIC.
    pub fn snapshot(&self, now_ns: u64) -> Snapshot {
        snapshot(self.header, self.slots, now_ns)
    }
}

fn snapshot(header: &Header, slots: &[Cells], now_ns: u64) -> Snapshot {
    let known = usize::try_from(header.taken.load(Ordering::Relaxed)).unwrap_or(SLOTS);
    Snapshot {
        server: ServerView {
            course: Course::of(header.course.load(Ordering::Relaxed)),
            facts: std::array::from_fn(|n| {
                header.facts.get(n).map_or(0, |cell| cell.load(Ordering::Relaxed))
            }),
            ends: std::array::from_fn(|n| {
                header.ends.get(n).map_or(0, |cell| cell.load(Ordering::Relaxed))
            }),
            in_transit: header.transit.load(Ordering::Relaxed),
        },
        workers: slots
            .iter()
            .take(known)
            .enumerate()
            .map(|(slot, cells)| cells.view(slot, now_ns))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tally::Outcome;

    fn descriptor(board: &Scoreboard) -> OwnedFd {
        board.as_fd().try_clone_to_owned().unwrap()
    }

    #[test]
    fn others_see_what_workers_write() {
        let board = Scoreboard::new(None).unwrap();
        let other = Display::open(descriptor(&board)).unwrap();
        assert!(other.snapshot(0).workers.is_empty());
        let slot = board.claim(1, 7).unwrap();
        slot.set_pid(42);
        slot.set_room(4);
        slot.set_connection_states(Connections { waiting: 2, ..Connections::default() });
        slot.work().begin(5);
        slot.enter_transit();
        slot.count_request(&Outcome { status: 204, ..Outcome::default() });
        board.set_course(Course::Parting, 0);
        board.set_fact(Fact::Reloads, 3);
        board.count_end(Reason::Rss);
        let seen = other.snapshot(6);
        assert_eq!(seen.server.course, Course::Parting);
        assert_eq!((seen.server.fact(Fact::Reloads), seen.server.in_transit), (3, 1));
        assert_eq!(seen.server.ends[Reason::Rss as usize], 1);
        assert_eq!(seen.workers.len(), 2);
        assert!(!seen.workers[0].alive);
        let worker = &seen.workers[1];
        assert!(worker.alive && worker.claimed_at_ns > 0 && worker.claimed_ns > 0);
        assert_eq!((worker.pid, worker.age, worker.room, worker.queued), (42, 7, 4, 2));
        assert_eq!((worker.work.running, worker.own_requests(), worker.respawns), (1, 1, 0));
        slot.release();
        board.claim(1, 8).unwrap();
        let worker = other.snapshot(6).workers.remove(1);
        assert_eq!((worker.own_requests(), worker.tally.requests(), worker.respawns), (0, 1, 1));
    }

    #[test]
    fn what_is_no_board_is_refused() {
        let board = Scoreboard::new(None).unwrap();
        board.header.magic.store(1, Ordering::Relaxed);
        let error = Display::open(descriptor(&board)).unwrap_err();
        assert_eq!(error.to_string(), "no scoreboard");
        let short = tempfile::tempfile().unwrap();
        assert_eq!(Display::open(short.into()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
