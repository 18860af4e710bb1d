//! Time: how long the loop may sleep, whose time is up, and the signals that wake it.

use std::time::Duration;

use super::App;
use super::conn::{Conn, Phase};
use super::dispatch::LOOK_AGAIN;
use super::drain::{LAST_WORDS, PARTING};
use super::overload;
use super::reactor::Engine;
use super::unread::is_unread;

impl<A: App> Engine<A> {
    /// Whether a signal came in since the last question.
    pub(super) fn take_signal(&mut self) -> bool {
        std::mem::take(&mut self.signalled)
    }

    /// Empties the signal pipe; before the handlers run, so that no signal is missed.
    pub(super) fn drain_signals(&self) {
        if let Some(fd) = &self.signals {
            crate::sys::file::drain(fd);
        }
    }

    /// Ends what made no progress for too long.
    pub(super) fn expire(&mut self) {
        let now_ns = self.clock.now_ns();
        while let Some((entry_ns, token)) = self.deadlines.pop_due(now_ns) {
            let Some(conn) = self.table.peek(token) else { continue };
            if !self.deadlines.is_up(&mut conn.deadline, token, entry_ns, now_ns) {
                continue;
            }
            if is_unread(conn) {
                // He has spoken in time.
                continue;
            }
            if let Some(conn) = self.table.take(token) {
                self.time_out(conn);
            }
        }
    }

    /// How long `conn` may make no progress; no limit when none.
    pub(super) fn patience(&self, conn: &Conn<A>) -> Option<Duration> {
        let options = &self.shared.options;
        let normal = match conn.phase {
            Phase::Head if conn.filled == 0 && conn.served > 0 => Some(options.idle_timeout),
            Phase::Head => options.header_timeout,
            Phase::Body => options.body_timeout,
            Phase::Busy | Phase::FlushThenKeep | Phase::FlushThenClose => options.write_timeout,
            Phase::Linger => Some(LAST_WORDS),
            Phase::Parted => Some(PARTING),
        };
        self.drain.patience(normal, conn)
    }

    /// How long the loop may sleep. `free`: a request that is ready could be run now.
    pub(super) fn wait_for(&self, free: bool) -> Duration {
        let sweeping = self.drain.is_sweeping() && self.reception.is_open() && !self.drain.rests();
        let work = !self.ready.is_empty() || self.signalled;
        if free && work || sweeping {
            return Duration::ZERO;
        }
        if self.hesitates && !free && !self.ready.is_empty() {
            return LOOK_AGAIN;
        }
        let now_ns = self.clock.now_ns();
        let tick = self.shared.options.tick;
        let longest = if !free && self.has_line() { tick.min(overload::LOOK_AGAIN) } else { tick };
        let mut until_ns = now_ns + longest.as_nanos() as u64;
        if let Some(at_ns) = self.deadlines.earliest_ns() {
            until_ns = until_ns.min(at_ns);
        }
        let others = [
            self.reception.pause_end_ns(),
            self.reception.room_at_ns,
            self.drain.next_ns(now_ns),
            self.line.ends_ns(),
            self.deposits.next_purge_ns(),
            self.deposits.want_leisure().then_some(now_ns),
        ];
        for at_ns in others.into_iter().flatten() {
            until_ns = until_ns.min(at_ns);
        }
        // epoll counts milliseconds and rounds down: one more, or the last one is spun away.
        Duration::from_nanos(until_ns.saturating_sub(now_ns)) + Duration::from_millis(1)
    }
}
