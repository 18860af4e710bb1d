//! Connections that have something to say, left unread until it is their turn. Where calls are short the
//! poller names many at once. Whoever read them all first would hold as many requests in his hands, which
//! a kill takes along, and would find none of them in the CPU's cache when their turn comes. What lies in
//! the kernel is not lost while a duplicate of the connection is in the vault.

use std::collections::VecDeque;

use super::App;
use super::conn::{Conn, Phase};
use super::reactor::Engine;
use crate::sys::poller::{Readiness, Token};

/// Who is to be read, in the order in which the poller named them.
#[derive(Debug, Default)]
pub(super) struct Unread {
    tokens: VecDeque<Token>,
    /// When the poller named them: monotonic nanoseconds.
    since_ns: u64,
    /// Whether the poller's present news are left there.
    leaves: bool,
}

impl Unread {
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

impl<A: App> Engine<A> {
    /// News has come of `events` connections. They are left unread if a thread runs what is ready next
    /// (`free`), soon, and nobody has to know how much that is: not where waiting is limited, where the
    /// engine has answers of its own, or on the way out. Encrypted connections are not held anyway.
    pub(super) fn leave_unread(&mut self, events: usize, free: bool) {
        self.unread.since_ns = self.clock.now_ns();
        self.unread.leaves = free
            && events > 1
            && !self.drain.is_on()
            && !self.greets_while_busy()
            && self.tls.is_none()
            && !self.pace.is_long(self.shared.options.inline_up_to);
    }

    /// Whether what `event` tells is left for later: the beginning of a request, on a connection that
    /// waits for one.
    pub(super) fn put_off(&mut self, event: &Readiness) -> bool {
        if !self.unread.leaves || event.ended {
            return false;
        }
        let Some(conn) = self.table.peek(event.token) else { return false };
        if !awaits_request(conn) {
            return false;
        }
        if !std::mem::replace(&mut conn.readable, true) {
            self.unread.tokens.push_back(event.token);
        }
        true
    }

    /// Reads until a request is ready, or nobody is left. Who is read here goes before those who have
    /// become ready since the poller named him.
    pub(super) fn read_next(&mut self) {
        while let Some(token) = self.unread.tokens.pop_front() {
            let ready = self.ready.len();
            self.read(token);
            if self.ready.len() > ready {
                return self.ready.rotate_right(1);
            }
        }
    }

    /// Reads everybody: nobody knows when it would be their turn.
    pub(super) fn read_all(&mut self) {
        while let Some(token) = self.unread.tokens.pop_front() {
            self.read(token);
        }
    }

    fn read(&mut self, token: Token) {
        // Somebody may have taken him up meanwhile, and read.
        if !self.table.peek(token).is_some_and(|conn| is_unread(conn)) {
            return;
        }
        let Some(conn) = self.table.take_to_read(token) else { return };
        let ready = self.ready.len();
        self.proceed(conn);
        if let Some(job) = self.ready.get_mut(ready) {
            job.since_ns = self.unread.since_ns;
            job.conn.waits_since_ns = job.since_ns.saturating_sub(job.conn.before_ns);
        }
    }
}

/// Whether a connection that is home is between two requests, or before the first.
fn awaits_request<A: App>(conn: &Conn<A>) -> bool {
    conn.phase == Phase::Head && conn.filled == 0
}

/// Whether a connection that is home is to be read: whoever has nothing left to read is not marked so.
pub(super) fn is_unread<A: App>(conn: &Conn<A>) -> bool {
    awaits_request(conn) && conn.readable
}
