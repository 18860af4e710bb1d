//! What a connection that waits does not hold.

use super::App;
use super::conn::{Conn, Phase};
use super::reactor::{Engine, INBOX_BYTES, SPARE_CONNS};

impl<A: App> Engine<A> {
    /// Takes from a connection that is going to wait what it does not need meanwhile.
    pub(super) fn lighten(&mut self, conn: &mut Conn<A>) {
        let flushing = matches!(conn.phase, Phase::FlushThenKeep | Phase::FlushThenClose);
        if flushing && !conn.has_leftover() {
            // The request is over: its head has been logged.
            conn.filled = 0;
            conn.head.len = 0;
        }
        if conn.filled == 0 && !conn.inbox.is_empty() {
            self.keep_inbox(std::mem::take(&mut conn.inbox));
        }
        conn.outbox.slim();
        if flushing && self.is_short_of(conn.outbox.held()) {
            // On a full disk it stays in memory.
            let _ = conn.outbox.spill(u64::MAX, self.shared.options.spool_dir.as_deref());
        }
    }

    /// Whether `more` bytes are too many beside what waits already.
    pub(super) fn is_short_of(&self, more: usize) -> bool {
        self.shared.hoard.bytes() + more > self.shared.options.waiting_memory
    }

    pub(super) fn keep_inbox(&mut self, inbox: Vec<u8>) {
        if inbox.len() == INBOX_BYTES && self.inboxes.len() < SPARE_CONNS {
            self.inboxes.push(inbox);
        }
    }
}
