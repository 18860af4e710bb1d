//! The line: requests that wait while all threads are busy. A thread that is done takes the next one
//! from there itself; the leader need not be woken for that, nor for what the thread gives back.
//!
//! For workers without siblings: where there are some, what waits goes to whoever is free first.

use std::collections::VecDeque;
use std::time::Duration;

use super::App;
use super::crew::Crew;
use super::reactor::{Engine, Job, Work};
use crate::sys::scoreboard::Slot;

/// Who has waited for so long goes back to the engine, which puts him into the queue between
/// workers: a kill does not reach him there, and what that costs is little beside the wait.
const WAITS_UP_TO: Duration = Duration::from_millis(100);
/// While threads give connections back, the leader looks around so often at least. Their clients
/// make themselves heard through the poller, at once.
pub(super) const LULL: Duration = Duration::from_millis(10);

/// What the engine knows of the line.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Since when those in it are ready, monotonic nanoseconds, the oldest first; of those at the
    /// front some may have been taken.
    since_ns: VecDeque<u64>,
    /// Those in it had to wait too long: until a thread is idle nobody stands in it.
    closed: bool,
}

impl Line {
    /// When the oldest has waited too long, if there is one.
    pub(super) fn ends_ns(&self) -> Option<u64> {
        self.since_ns.front().map(|since_ns| since_ns + WAITS_UP_TO.as_nanos() as u64)
    }

    /// A thread is idle, and nothing is ready for it.
    pub(super) fn reopen(&mut self) {
        self.closed = false;
    }
}

impl<A: App> Engine<A> {
    /// Lines up what is ready. False: there is no line now, the engine decides about each.
    pub(super) fn line_up(&mut self, crew: &Crew<A>) -> bool {
        if self.line.closed || !self.may_line_up() {
            return false;
        }
        while let Some(mut job) = self.next_job() {
            if matches!(job.work, Work::Request) {
                self.book(&mut job.conn);
                self.secure(&mut job);
            }
            self.line.since_ns.push_back(job.since_ns);
            crew.line_up(job);
        }
        true
    }

    /// Takes everybody out of the line again when the oldest has waited too long, or there shall be
    /// none.
    pub(super) fn mind_line(&mut self, crew: &Crew<A>) {
        if self.line.since_ns.is_empty() {
            return;
        }
        let taken = self.line.since_ns.len().saturating_sub(self.shared.in_line());
        self.line.since_ns.drain(..taken);
        let Some(ends_ns) = self.line.ends_ns() else { return };
        let too_long = self.clock.now_ns() >= ends_ns;
        if !too_long && self.may_line_up() {
            return;
        }
        self.line.closed = too_long;
        self.line.since_ns.clear();
        let mut line: VecDeque<Job<A>> = std::iter::from_fn(|| crew.recall()).collect();
        line.append(&mut self.ready);
        self.ready = line;
    }

    /// Whether the leader may sleep for a moment without being told that threads become idle:
    /// some are going to, and nothing waits for one.
    pub(super) fn may_lull(&self) -> bool {
        let options = &self.shared.options;
        let watched = options.watched && self.shared.has_calls();
        let busy = self.stirs && watched && self.ready.is_empty();
        busy && self.reception.is_open() && !self.drain.is_on() && !options.patience.is_limited()
    }

    fn may_line_up(&self) -> bool {
        let options = &self.shared.options;
        let plain = !self.drain.is_on() && !options.patience.is_limited();
        plain
            && self.pace.is_long(options.inline_up_to)
            && self.shared.slot.is_none_or(Slot::is_alone)
    }
}
