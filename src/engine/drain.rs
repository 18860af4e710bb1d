//! The way out: no new connections, requests in flight to their end, and a limit on all of it.

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
}

impl Drain {
    /// Whether the worker is stopping.
    pub fn is_on(&self) -> bool {
        self.until_ns != 0
    }

    /// How long `conn` may make no progress, given how long it normally might.
    pub fn patience<A: App>(&self, normal: Duration, conn: &Conn<A>) -> Duration {
        if !self.is_on() {
            return normal;
        }
        if conn.phase == Phase::Head && conn.filled == 0 {
            return normal.min(LAST_WORDS);
        }
        normal.min(Duration::from_nanos(self.until_ns.saturating_sub(self.now_ns)))
    }
}

impl<A: App> Engine<A> {
    /// Starts to stop: closes the listeners and gives every connection its last deadline.
    pub fn begin_drain(&mut self) {
        if self.drain.is_on() {
            return;
        }
        self.stop_listening();
        self.clock.tick();
        let now_ns = self.clock.now_ns();
        let grace_ns = self.options.graceful_timeout.as_nanos() as u64;
        self.drain = Drain { until_ns: (now_ns + grace_ns).max(1), now_ns };
        for token in self.table.home() {
            if let Some(conn) = self.table.take(token) {
                self.park(conn);
            }
        }
    }

    /// Whether nothing is left to do, or no time to do it.
    pub fn is_drained(&mut self) -> bool {
        self.drain.now_ns = self.clock.now_ns();
        self.drain.is_on() && (self.table.is_empty() || self.clock.now_ns() >= self.drain.until_ns)
    }
}
