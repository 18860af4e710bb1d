//! What a worker counts, in shared memory: requests by their outcome, bytes, and how long things
//! took.
//!
//! The cells of a slot go on counting when the next worker has the slot: what the slots say,
//! added up, is what the server has done since it started. A worker's own part is the difference to
//! what the slot said when the worker got it.
//!
//! There are two sets of cells, and readers add them up. One is written by whoever has the worker's
//! [`super::till::Till`], one thread at a time, with plain loads and stores; the other by everybody else (a
//! [`super::slot::Slot`] is enough), with atomic additions, each of which costs as much as all
//! stores of a request. A till does not count how requests were answered: those cells of the first set are
//! for the only thread of a worker that runs them, where there is only one.

use std::sync::atomic::{AtomicU64, Ordering};

pub use super::connections::Connections;

/// Upper bounds of the buckets, nanoseconds; one more bucket is for all above. Fine where a WSGI
/// application that does nothing is (20 µs), coarse where people wait.
pub const BOUNDS_NS: [u64; 19] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];
/// Buckets of a histogram.
pub const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// One request that is over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Status of the response; 499 when the client had left before there was one.
    pub status: u16,
    /// From when it could have run (`X-Request-Start` of a trusted peer, or complete) to the
    /// application's start, if it got there.
    pub queue_ns: Option<u64>,
    /// From the application's start to its last word, if it was called.
    pub app_ns: Option<u64>,
    /// From there to the last byte that the kernel took, if there was something to write.
    pub write_ns: Option<u64>,
    /// All of that, and what lay between: from when it could have run to the end.
    pub whole_ns: u64,
}

/// Something else that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Event {
    /// The application let an exception through.
    Exception = 0,
    /// A request was past `request_timeout`, or its worker past `timeout`.
    Overdue = 1,
    /// 503: too many wait.
    Shed = 2,
    /// Answered from a file of `static_map`.
    Static = 3,
    /// A request that was never understood (4xx and 5xx of our own).
    Refused = 4,
    /// A connection was let in.
    Accepted = 5,
    /// Reading from a client failed.
    ReadError = 6,
    /// Writing to a client failed.
    WriteError = 7,
}

impl Event {
    /// All of them, each at its number.
    pub const ALL: [Self; EVENTS] = [
        Self::Exception,
        Self::Overdue,
        Self::Shed,
        Self::Static,
        Self::Refused,
        Self::Accepted,
        Self::ReadError,
        Self::WriteError,
    ];

    /// By its name in Python.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// Its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::Overdue => "overdue",
            Self::Shed => "shed",
            Self::Static => "static",
            Self::Refused => "refused",
            Self::Accepted => "accepted",
            Self::ReadError => "read_error",
            Self::WriteError => "write_error",
        }
    }
}

/// How many kinds of [`Event`] there are.
pub const EVENTS: usize = 8;
/// Status classes: 1xx to 5xx.
pub const CLASSES: usize = 5;

/// What the cells say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests by status class, 1xx first.
    pub responses: [u64; CLASSES],
    /// By [`Event`].
    pub events: [u64; EVENTS],
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// [`Outcome::queue_ns`].
    pub queue: Histogram,
    /// [`Outcome::app_ns`].
    pub app: Histogram,
    /// [`Outcome::write_ns`].
    pub write: Histogram,
    /// [`Outcome::whole_ns`].
    pub whole: Histogram,
}

impl Tally {
    /// Requests that are over.
    pub fn requests(&self) -> u64 {
        self.responses.iter().sum()
    }

    /// How often that has happened.
    pub fn count(&self, event: Event) -> u64 {
        self.events.get(event as usize).copied().unwrap_or(0)
    }
}

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Not added up, by [`BOUNDS_NS`]; the last one is for all above.
    pub buckets: [u64; BUCKETS],
    /// All of them together, nanoseconds.
    pub sum_ns: u64,
}

impl Histogram {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// Adds to a cell that others only read.
#[inline]
pub(super) fn add_alone(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// Whether counters and flights are written: always, but in a build that is made to measure what
/// they cost. It asks when it runs: of two builds each would have its own place for each
/// instruction in the cache, which is worth more than what is to be measured.
#[inline]
pub(super) fn is_counting() -> bool {
    #[cfg(feature = "uncounted")]
    {
        static LEFT_OUT: std::sync::LazyLock<bool> =
            std::sync::LazyLock::new(|| std::env::var_os("RGUNICORN_UNCOUNTED").is_some());
        !*LEFT_OUT
    }
    #[cfg(not(feature = "uncounted"))]
    true
}

/// Adds to a cell that anybody may write.
#[inline]
pub(super) fn add_beside_others(cell: &AtomicU64, n: u64) {
    cell.fetch_add(n, Ordering::Relaxed);
}

/// One set of cells. All-zero is a valid value. What is written for each request lies in few cache
/// lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct TallyCells {
    responses: [AtomicU64; CLASSES],
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    _line: AtomicU64,
    events: [AtomicU64; EVENTS],
    queue: HistogramCells,
    app: HistogramCells,
    write: HistogramCells,
    whole: HistogramCells,
}

impl TallyCells {
    /// Where its fields lie.
    #[cfg(test)]
    pub(super) const OFFSETS: [usize; 9] = [
        std::mem::offset_of!(Self, responses),
        std::mem::offset_of!(Self, bytes_in),
        std::mem::offset_of!(Self, bytes_out),
        std::mem::offset_of!(Self, events),
        std::mem::offset_of!(Self, queue),
        std::mem::offset_of!(Self, app),
        std::mem::offset_of!(Self, write),
        std::mem::offset_of!(Self, whole),
        std::mem::offset_of!(HistogramCells, buckets),
    ];

    #[inline]
    pub(super) fn add_response(&self, status: u16, add: Add) {
        if !is_counting() {
            return;
        }
        let class = usize::from(status / 100).clamp(1, CLASSES) - 1;
        if let Some(cell) = self.responses.get(class) {
            add(cell, 1);
        }
    }

    #[inline]
    pub(super) fn add_times(&self, outcome: &Outcome, add: Add) {
        if !is_counting() {
            return;
        }
        self.whole.add(outcome.whole_ns, add);
        for (cells, ns) in [
            (&self.queue, outcome.queue_ns),
            (&self.app, outcome.app_ns),
            (&self.write, outcome.write_ns),
        ] {
            if let Some(ns) = ns {
                cells.add(ns, add);
            }
        }
    }

    #[inline]
    pub(super) fn count(&self, event: Event, n: u64, add: Add) {
        if let Some(cell) = self.events.get(event as usize).filter(|_| n > 0) {
            add(cell, n);
        }
    }

    #[inline]
    pub(super) fn add_bytes(&self, bytes_in: u64, bytes_out: u64, add: Add) {
        if !is_counting() {
            return;
        }
        if bytes_in > 0 {
            add(&self.bytes_in, bytes_in);
        }
        if bytes_out > 0 {
            add(&self.bytes_out, bytes_out);
        }
    }

    /// What is in both sets.
    pub(super) fn read_with(&self, other: &Self) -> Tally {
        let sum = |one: &AtomicU64, two: &AtomicU64| {
            one.load(Ordering::Relaxed).wrapping_add(two.load(Ordering::Relaxed))
        };
        Tally {
            responses: load_both(&self.responses, &other.responses),
            events: load_both(&self.events, &other.events),
            bytes_in: sum(&self.bytes_in, &other.bytes_in),
            bytes_out: sum(&self.bytes_out, &other.bytes_out),
            queue: self.queue.read_with(&other.queue),
            app: self.app.read_with(&other.app),
            write: self.write.read_with(&other.write),
            whole: self.whole.read_with(&other.whole),
        }
    }
}

/// How something is added to a cell.
type Add = fn(&AtomicU64, u64);

#[derive(Debug)]
#[repr(C, align(64))]
struct HistogramCells {
    sum_ns: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl HistogramCells {
    #[inline]
    fn add(&self, ns: u64, add: Add) {
        // One after the other: most of what is counted most often lies at the beginning.
        let index = BOUNDS_NS.iter().position(|bound| ns <= *bound).unwrap_or(BOUNDS_NS.len());
        if let Some(cell) = self.buckets.get(index) {
            add(cell, 1);
        }
        add(&self.sum_ns, ns);
    }

    fn read_with(&self, other: &Self) -> Histogram {
        let one_ns = self.sum_ns.load(Ordering::Relaxed);
        let sum_ns = one_ns.wrapping_add(other.sum_ns.load(Ordering::Relaxed));
        Histogram { buckets: load_both(&self.buckets, &other.buckets), sum_ns }
    }
}

fn load_both<const N: usize>(ones: &[AtomicU64; N], others: &[AtomicU64; N]) -> [u64; N] {
    let others = load(others);
    let mut sums = load(ones);
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum = sum.wrapping_add(other);
    }
    sums
}

pub(super) fn load<const N: usize>(cells: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|n| cells.get(n).map_or(0, |cell| cell.load(Ordering::Relaxed)))
}

#[cfg(test)]
#[path = "test_tally.rs"]
mod tests;
