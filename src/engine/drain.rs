//! The way out: no new connections, requests in flight to their end, and a limit on all of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::conn::{Conn, Phase};
use super::{App, Engine};

/// How long a connection whose last byte was sent may take to say its own, and how long one that
/// has not begun a request may still do so while the worker stops.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// Whether, and until when, the worker is on its way out.
#[derive(Debug, Default)]
pub struct Drain {
    /// Monotonic nanoseconds; 0 while serving normally.
    until_ns: u64,
    /// Cached for `patience`.
    now_ns: u64,
    /// Still accepting those who had connected when the stop began.
    sweeping: bool,
    /// That has been done.
    swept: bool,
}

impl Drain {
    /// Whether the worker is stopping.
    pub fn is_on(&self) -> bool {
        self.until_ns != 0
    }

    /// Whether anybody may come in: on the way out only what siblings on theirs hand over.
    pub(super) fn lets_in(&self) -> bool {
        !self.is_on() || self.swept
    }

    /// Whether connections that wait already are still let in.
    pub(super) fn is_sweeping(&self) -> bool {
        self.sweeping
    }

    /// How long `conn` may make no progress, given how long it normally might; none is no limit.
    pub fn patience<A: App>(&self, normal: Option<Duration>, conn: &Conn<A>) -> Option<Duration> {
        if !self.is_on() {
            return normal;
        }
        let longest = if conn.phase == Phase::Head && conn.filled == 0 {
            LAST_WORDS
        } else {
            Duration::from_nanos(self.until_ns.saturating_sub(self.now_ns))
        };
        Some(normal.map_or(longest, |normal| normal.min(longest)))
    }
}

impl<A: App> Engine<A> {
    /// Starts to stop: every connection gets its last deadline. With `sweep`, those who have
    /// connected already are let in until nobody waits: the master has closed its listeners, and
    /// whoever is left in the queue when the last worker closes its own is reset. Without, the
    /// queue is left to the siblings; a sweep may still follow.
    pub fn begin_drain(&mut self, sweep: bool) {
        let sweep = sweep && !self.drain.sweeping && !self.drain.swept;
        if sweep || !self.drain.is_on() {
            self.close_doors();
        }
        self.drain.sweeping |= sweep;
        if self.drain.is_on() {
            return;
        }
        self.shared.closing.store(true, Ordering::Relaxed);
        self.clock.tick();
        let now_ns = self.clock.now_ns();
        let grace_ns = self.shared.options.graceful_timeout.as_nanos() as u64;
        self.drain.until_ns = (now_ns + grace_ns).max(1);
        self.drain.now_ns = now_ns;
        for token in self.table.home() {
            if let Some(conn) = self.table.take(token) {
                self.park(conn);
            }
        }
    }

    /// Nobody waits any more, if that was being looked at.
    pub(super) fn end_sweep(&mut self) {
        if self.drain.sweeping {
            self.drain.sweeping = false;
            self.drain.swept = true;
            self.close_listeners();
        }
    }

    /// Whether nothing is left to do, or no time to do it.
    pub fn is_drained(&mut self) -> bool {
        if !self.drain.is_on() {
            return false;
        }
        self.drain.now_ns = self.clock.now_ns();
        if self.clock.now_ns() >= self.drain.until_ns {
            return true;
        }
        if !self.table.is_empty() || self.drain.sweeping {
            return false;
        }
        // The last one out takes what a sibling, or this worker itself, has put in the queue.
        !(self.drain.lets_in() && matches!(self.collect(), Ok(true)))
    }
}
