//! What the scoreboard says of the whole server: written by the master, but for the queue between
//! workers.

use std::sync::atomic::{AtomicU64, Ordering};

use super::scoreboard::{SLOTS, Scoreboard};
use super::slot::SLOT_SIZE;

pub(super) const MAGIC: u64 = u64::from_be_bytes(*b"rgunicrn");
pub(super) const VERSION: u64 = 10;

/// Why a worker has ended, or has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Reason {
    /// By itself, with status 0, and nobody had told it to.
    Exit = 0,
    /// By itself, with another status.
    Failure = 1,
    /// A signal that nobody here had sent.
    Signal = 2,
    /// `timeout`: it was silent for too long.
    Timeout = 3,
    /// The kernel's OOM killer.
    Oom = 4,
    /// `max_rss`, `max_rss_hard`.
    Rss = 5,
    /// `max_worker_lifetime`.
    Lifetime = 6,
    /// `max_requests`.
    MaxRequests = 7,
    /// `request_timeout`.
    Deadline = 8,
    /// HUP, or a change of the code.
    Reload = 9,
    /// Fewer workers are wanted.
    Surplus = 10,
    /// The server stops.
    Stop = 11,
    /// It never finished booting.
    Boot = 12,
}

impl Reason {
    /// By its name in Python.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// All of them, each at its number.
    pub const ALL: [Self; 13] = [
        Self::Exit,
        Self::Failure,
        Self::Signal,
        Self::Timeout,
        Self::Oom,
        Self::Rss,
        Self::Lifetime,
        Self::MaxRequests,
        Self::Deadline,
        Self::Reload,
        Self::Surplus,
        Self::Stop,
        Self::Boot,
    ];

    /// Its name for metrics and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Failure => "failure",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
            Self::Oom => "oom",
            Self::Rss => "rss",
            Self::Lifetime => "lifetime",
            Self::MaxRequests => "max_requests",
            Self::Deadline => "deadline",
            Self::Reload => "reload",
            Self::Surplus => "surplus",
            Self::Stop => "stop",
            Self::Boot => "boot",
        }
    }
}

/// Room for reasons to come.
const REASONS: usize = 24;

/// All-zero is a valid value.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Header {
    pub(super) magic: AtomicU64,
    version: AtomicU64,
    slot_size: AtomicU64,
    slots: AtomicU64,
    /// How many slots with a number were ever taken.
    pub(super) taken: AtomicU64,
    /// See `course.rs`.
    pub(super) course: AtomicU64,
    pub(super) stops_until_ns: AtomicU64,
    /// Requests in the queue between workers: `line.rs`.
    pub(super) transit: AtomicU64,
    pub(super) facts: [AtomicU64; Fact::ALL.len()],
    pub(super) ends: [AtomicU64; REASONS],
    _reserved: [AtomicU64; SLOT_SIZE / 8 - 8 - Fact::ALL.len() - REASONS],
}

const _: () = assert!(size_of::<Header>() == SLOT_SIZE);

/// One number that the master says of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Fact {
    /// The master's process.
    Pid = 0,
    /// When it started: nanoseconds since 1970.
    StartedAt = 1,
    /// Workers wanted.
    Workers = 2,
    /// `threads`: requests that one worker runs at once.
    Threads = 3,
    /// `max_queue`, 0 for no limit.
    MaxQueue = 4,
    /// Reloads that have begun.
    Reloads = 5,
    /// Those that failed.
    ReloadFailures = 6,
    /// 1 when the last one failed.
    ReloadFailed = 7,
    /// Workers that were forked.
    Spawns = 8,
    /// Forks that failed.
    SpawnFailures = 9,
    /// Workers that have finished booting.
    Boots = 10,
    /// How long that took them, nanoseconds added up.
    BootTime = 11,
    /// 1 while no worker is forked because they end too early.
    BackOff = 12,
    /// `backlog` of the listeners.
    Backlog = 13,
    /// Of rgunicorn: 1_002_003 is 1.2.3.
    Version = 14,
}

impl Fact {
    /// By its name in Python.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.name() == name)
    }

    /// All of them, each at its number.
    pub const ALL: [Self; 15] = [
        Self::Pid,
        Self::StartedAt,
        Self::Workers,
        Self::Threads,
        Self::MaxQueue,
        Self::Reloads,
        Self::ReloadFailures,
        Self::ReloadFailed,
        Self::Spawns,
        Self::SpawnFailures,
        Self::Boots,
        Self::BootTime,
        Self::BackOff,
        Self::Backlog,
        Self::Version,
    ];

    /// Its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::StartedAt => "started_at_ns",
            Self::Workers => "workers",
            Self::Threads => "threads",
            Self::MaxQueue => "max_queue",
            Self::Reloads => "reloads",
            Self::ReloadFailures => "reload_failures",
            Self::ReloadFailed => "reload_failed",
            Self::Spawns => "spawns",
            Self::SpawnFailures => "spawn_failures",
            Self::Boots => "boots",
            Self::BootTime => "boot_time_ns",
            Self::BackOff => "back_off",
            Self::Backlog => "backlog",
            Self::Version => "version",
        }
    }
}

impl Header {
    /// Says what board this is. The magic comes last: without it nobody believes the rest.
    pub(super) fn entitle(&self) {
        self.version.store(VERSION, Ordering::Relaxed);
        self.slot_size.store(SLOT_SIZE as u64, Ordering::Relaxed);
        self.slots.store(SLOTS as u64, Ordering::Relaxed);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// Which version of the layout this is, `None` for something else; and whether it is ours.
    pub(super) fn version(&self) -> (Option<u64>, bool) {
        let known = self.magic.load(Ordering::Acquire) == MAGIC;
        let version = Some(self.version.load(Ordering::Relaxed)).filter(|_| known);
        let sizes = (self.slot_size.load(Ordering::Relaxed), self.slots.load(Ordering::Relaxed));
        (version, version == Some(VERSION) && sizes == (SLOT_SIZE as u64, SLOTS as u64))
    }
}

impl Scoreboard {
    /// Says something of the server; master only.
    pub fn set_fact(&self, fact: Fact, value: u64) {
        if let Some(cell) = self.header.facts.get(fact as usize) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// Counts something of the server; master only.
    pub fn add_to_fact(&self, fact: Fact, n: u64) {
        if let Some(cell) = self.header.facts.get(fact as usize) {
            cell.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// A worker has ended; master only.
    pub fn count_end(&self, reason: Reason) {
        if let Some(cell) = self.header.ends.get(reason as usize) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_and_ends_stand_at_their_numbers() {
        for (number, fact) in Fact::ALL.into_iter().enumerate() {
            assert_eq!(fact as usize, number);
        }
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
        assert!(Reason::ALL.len() <= REASONS);
        let board = Scoreboard::new(None).unwrap();
        board.set_fact(Fact::Workers, 3);
        board.add_to_fact(Fact::Reloads, 2);
        board.count_end(Reason::Oom);
        let server = board.snapshot(0).server;
        assert_eq!((server.fact(Fact::Workers), server.fact(Fact::Reloads)), (3, 2));
        assert_eq!(server.ends[Reason::Oom as usize], 1);
        assert_eq!(board.header.version(), (Some(VERSION), true));
    }
}
