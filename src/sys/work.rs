//! How busy the threads of a worker are, as two words that others can read.

use std::sync::atomic::{AtomicU64, Ordering};

/// [`WorkCells::running`] counts in its upper 20 bits; the others are the times at which these
/// requests began, added up, in units of 2^24 ns (17 ms): room for 9000 years of uptime times
/// requests.
const ONE_RUNNING: u64 = 1 << 44;
const UNIT_BITS: u32 = 24;

/// What a reader makes of [`WorkCells`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Requests that a thread is at.
    pub running: u64,
    /// For how long it has been at them, added up.
    pub running_ns: u64,
    /// Time that threads have spent on requests so far, with that.
    pub busy_ns: u64,
}

/// Written by the threads of one worker, a few atomic additions per request where they are several. Times are
/// CLOCK_MONOTONIC. All-zero is a valid value.
#[derive(Debug)]
#[repr(C)]
pub struct WorkCells {
    running: AtomicU64,
    /// Time spent on requests that are over.
    done_ns: AtomicU64,
}

impl WorkCells {
    /// A thread takes up a request.
    #[inline]
    pub fn begin(&self, now_ns: u64) {
        self.running.fetch_add(one(now_ns), Ordering::Relaxed);
    }

    /// It is done with the one that it took up at `since_ns`.
    #[inline]
    pub fn end(&self, since_ns: u64, now_ns: u64) {
        // One operation for both parts: no reader sees a request without its time.
        self.running.fetch_sub(one(since_ns), Ordering::Relaxed);
        self.done_ns.fetch_add(now_ns.saturating_sub(since_ns), Ordering::Relaxed);
    }

    /// [`WorkCells::begin`] for the only thread of a worker.
    #[inline]
    pub fn begin_alone(&self, now_ns: u64) {
        let running = self.running.load(Ordering::Relaxed);
        self.running.store(running.wrapping_add(one(now_ns)), Ordering::Relaxed);
    }

    /// [`WorkCells::end`] for the only thread of a worker.
    #[inline]
    pub fn end_alone(&self, since_ns: u64, now_ns: u64) {
        let running = self.running.load(Ordering::Relaxed);
        self.running.store(running.wrapping_sub(one(since_ns)), Ordering::Relaxed);
        let done_ns = self.done_ns.load(Ordering::Relaxed);
        self.done_ns.store(done_ns + now_ns.saturating_sub(since_ns), Ordering::Relaxed);
    }

    /// How it is at `now_ns`. Between the two operations of an end the time of that request is
    /// missing; the next reading has it.
    pub fn read(&self, now_ns: u64) -> Work {
        let cell = self.running.load(Ordering::Relaxed);
        let (running, begun) = (cell / ONE_RUNNING, cell % ONE_RUNNING);
        let now = (now_ns >> UNIT_BITS).saturating_mul(running);
        let running_ns = now.saturating_sub(begun) << UNIT_BITS;
        let done_ns = self.done_ns.load(Ordering::Relaxed);
        Work { running, running_ns, busy_ns: done_ns.saturating_add(running_ns) }
    }

    pub(super) fn clear(&self) {
        self.running.store(0, Ordering::Relaxed);
        self.done_ns.store(0, Ordering::Relaxed);
    }
}

fn one(since_ns: u64) -> u64 {
    ONE_RUNNING + (since_ns >> UNIT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn requests_count_while_they_run_and_after() {
        let cells = WorkCells { running: AtomicU64::new(0), done_ns: AtomicU64::new(0) };
        cells.begin(SECOND_NS);
        cells.begin_alone(2 * SECOND_NS);
        let work = cells.read(3 * SECOND_NS);
        assert_eq!(work.running, 2);
        assert!(work.running_ns.abs_diff(3 * SECOND_NS) < SECOND_NS / 10, "{work:?}");
        assert_eq!(work.busy_ns, work.running_ns);
        cells.end_alone(2 * SECOND_NS, 4 * SECOND_NS);
        cells.end(SECOND_NS, 4 * SECOND_NS);
        let done = Work { running: 0, running_ns: 0, busy_ns: 5 * SECOND_NS };
        assert_eq!(cells.read(9 * SECOND_NS), done);
        cells.clear();
        assert_eq!(cells.read(9 * SECOND_NS), Work::default());
    }

    #[test]
    fn many_requests_after_a_long_uptime_leave_nothing_behind() {
        let cells = WorkCells { running: AtomicU64::new(0), done_ns: AtomicU64::new(0) };
        let ten_years_ns = 10 * 365 * 24 * 3600 * SECOND_NS;
        for n in 0..800 {
            cells.begin(ten_years_ns + n);
        }
        let work = cells.read(ten_years_ns + SECOND_NS);
        assert_eq!(work.running, 800);
        assert!(work.running_ns.abs_diff(800 * SECOND_NS) < 20 * SECOND_NS, "{work:?}");
        for n in 0..800 {
            cells.end(ten_years_ns + n, ten_years_ns + SECOND_NS);
        }
        assert_eq!(cells.read(ten_years_ns + SECOND_NS).running_ns, 0);
    }
}
