//! Requests that the engine has answered itself, until it has been said: by their access lines, and by
//! a word in the error log about those who were turned away.

use std::time::Duration;

use super::conn::Conn;
use super::exchange::Exchange;
use super::pace::Stopwatch;
use super::reactor::Engine;
use super::static_reply::Served;
use super::{App, Refusal};
use crate::log::notice::Notice;
use crate::sys::poller::Token;

/// The error log tells of refusals so often at most.
const WORD_AFTER: Duration = Duration::from_secs(1);
/// Access lines that wait for somebody to write them; an application can be busy for long.
const ACCOUNTS: usize = 4096;

/// What became of a request that the engine has answered itself.
pub(super) enum Account {
    Refused(Refusal),
    Served(Served),
}

/// Those who were turned away, until it has been said.
pub(super) struct TurnedAway<A: App> {
    /// Requests answered by the engine, without their sockets.
    accounts: Vec<(Box<Conn<A>>, Account)>,
    /// Those of them that are too many to keep.
    unlogged: u64,
    full: u64,
    late: u64,
    next_word_ns: u64,
    /// When it is looked again who of those that wait is to join them.
    pub(super) next_look_ns: u64,
}

impl<A: App> Default for TurnedAway<A> {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            unlogged: 0,
            full: 0,
            late: 0,
            next_word_ns: 0,
            next_look_ns: 0,
        }
    }
}

impl<A: App> TurnedAway<A> {
    /// One more, of whom the error log tells.
    pub(super) fn count(&mut self, refusal: &Refusal) {
        self.full += u64::from(matches!(refusal, Refusal::QueueFull { .. }));
        self.late += u64::from(matches!(refusal, Refusal::TooLate { .. }));
    }

    fn word(&mut self, now_ns: u64) -> Option<Notice> {
        if self.full + self.late + self.unlogged == 0 || now_ns < self.next_word_ns {
            return None;
        }
        self.next_word_ns = now_ns + WORD_AFTER.as_nanos() as u64;
        Some(Notice::Overloaded {
            full: std::mem::take(&mut self.full),
            late: std::mem::take(&mut self.late),
            unlogged: std::mem::take(&mut self.unlogged),
        })
    }
}

impl<A: App> Engine<A> {
    /// Says what the engine wants said, and who was turned away.
    pub(super) fn say_notices(&mut self, app: &mut A) {
        if let Some(word) = self.turned_away.word(self.clock.now_ns()) {
            self.notices.push(word);
        }
        for notice in self.notices.drain() {
            app.notice(&notice);
        }
        if self.turned_away.accounts.is_empty() {
            return;
        }
        let mut stopwatch = Stopwatch::new(false);
        for (mut conn, account) in std::mem::take(&mut self.turned_away.accounts) {
            let mut exchange =
                Exchange::new(&self.shared, &mut self.clock, &mut stopwatch, &mut conn, None);
            match account {
                Account::Refused(refusal) => app.refused(&mut exchange, &refusal),
                Account::Served(served) => app.served(&mut exchange, served),
            }
        }
    }

    /// Keeps what an access line needs of a request. Its head is gone afterwards.
    pub(super) fn put_on_account(&mut self, conn: &mut Conn<A>, account: Account) {
        if self.turned_away.accounts.len() >= ACCOUNTS {
            self.turned_away.unlogged += 1;
            return;
        }
        // A place that no table has: whoever gives it back does nothing.
        let mut record = Box::new(Conn::new(Token { place: u32::MAX, generation: u32::MAX }));
        record.listener = conn.listener;
        record.request_id = conn.request_id.clone();
        record.waits_since_ns = conn.waits_since_ns;
        record.addr = conn.addr;
        record.peer = conn.peer;
        record.trusted = conn.trusted;
        record.proxy = conn.proxy;
        record.inbox = conn.head_bytes().get(..conn.head.len).unwrap_or_default().to_vec();
        record.filled = record.inbox.len();
        record.head = std::mem::take(&mut conn.head);
        record.served = conn.served;
        self.turned_away.accounts.push((record, account));
    }
}
