//! What a worker gives away before it runs a request, so that a kill costs only what runs: clients
//! who have just come and not spoken, requests that are being received, others that are ready.
//!
//! They go into the queue between workers, which is the kernel's, and come back from there, to a
//! sibling or to the same worker, as soon as a thread is free. For workers with one thread: where
//! others are free, they would come back at once.

use std::time::Duration;

use super::conn::{Conn, Phase};
use super::reactor::{Engine, Job};
use super::{App, Options};
use crate::log::notice::Notice;
use crate::sys::poller::Token;
use crate::sys::scoreboard::Slot;

/// Who has begun to come, or to send a request, so long ago is slow: he stays where he is.
const YOUNG: Duration = Duration::from_secs(1);
/// What a move costs, in CPU time of both sides.
const MOVE_NS: u64 = 15_000;
/// Moves may cost this part of the time that calls take: long ones are worth the trouble, and a kill
/// hardly ever meets short ones.
const PART: u64 = 20;
/// Calls that take no longer, as they have been of late, are short.
const SHORT: Duration = Duration::from_micros(500);
/// Moves that can be saved up.
const MOST_MOVES: u64 = 64;
/// Room for so many tokens before those are looked for that lead nowhere.
const SURPLUS: usize = 256;
/// Memory that goes along with one move; the rest is paid for.
const BYTES_PER_MOVE: usize = 16 * 1024;

/// CPU time for moves that are made though perhaps nobody needs them.
#[derive(Debug)]
pub(super) struct Allowance {
    left_ns: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left_ns: MOST_MOVES * MOVE_NS }
    }
}

impl Allowance {
    /// A call took so long.
    pub(super) fn earn(&mut self, took_ns: u64) {
        self.left_ns = (self.left_ns + took_ns / PART).min(MOST_MOVES * MOVE_NS);
    }

    /// There is time for all that can be saved up.
    pub(super) fn refill(&mut self) {
        self.left_ns = MOST_MOVES * MOVE_NS;
    }

    /// Whether there is enough for one move.
    pub(super) fn is_left(&self) -> bool {
        self.left_ns >= MOVE_NS
    }

    /// Takes `moves`, if there are so many; all that can be saved up for what would cost more.
    pub(super) fn take(&mut self, moves: u64) -> bool {
        let left_ns = self.left_ns.checked_sub(moves.min(MOST_MOVES) * MOVE_NS);
        self.left_ns = left_ns.unwrap_or(self.left_ns);
        left_ns.is_some()
    }

    /// One that was taken was not made.
    pub(super) fn refund(&mut self) {
        self.left_ns += MOVE_NS;
    }
}

/// Connections that were put down in the middle of things, and may have gone since.
#[derive(Debug)]
pub(super) struct Burden {
    /// Whether anybody is ever given away before he is ready.
    gives: bool,
    young: Vec<Token>,
    pub(super) allowance: Allowance,
}

impl Burden {
    /// Where waiting is limited, or files are served, those who wait have to be seen, and answered,
    /// by a busy worker.
    pub(super) fn of(options: &Options, has_queue: bool) -> Self {
        let answers = options.patience.is_limited() || !options.static_map.places.is_empty();
        let gives = has_queue && !options.watched && !answers;
        Self { gives, young: Vec::new(), allowance: Allowance::default() }
    }
}

impl<A: App> Engine<A> {
    /// A connection is put down: whoever would lose it by a kill shall know.
    pub(super) fn note(&mut self, conn: &mut Conn<A>) {
        if conn.phase == Phase::Body {
            self.book(conn);
        }
        if !self.burden.gives || !is_under_way(conn) {
            return;
        }
        if conn.young_since_ns == 0 {
            conn.young_since_ns = self.clock.now_ns();
        }
        if std::mem::replace(&mut conn.is_noted, true) {
            return;
        }
        let young = &mut self.burden.young;
        if young.len() >= SURPLUS.max(2 * self.table.len()) {
            // Nothing has run for long.
            young.retain(|token| self.table.peek(*token).is_some());
        }
        young.push(conn.token);
    }

    /// A request is about to run: gives away what a kill would take along, within the allowance.
    /// Where calls are short the others are soon served here, and a move costs more than a call.
    /// What nobody else takes is deposited.
    pub(super) fn unburden(&mut self, job: &mut Job<A>) {
        let is_long = self.pace.is_long(SHORT);
        // That takes its time.
        let has_others = !self.ready.is_empty() || !self.burden.young.is_empty();
        if is_long && has_others {
            self.secure(job);
        }
        if is_long && self.burden.allowance.is_left() && !self.ready.is_empty() {
            self.give(false);
        }
        self.let_young_go();
        self.keep_ready(is_long);
        self.keep_more(Some(job));
    }

    /// The same with those who are not ready; also while a request runs.
    pub(super) fn let_young_go(&mut self) {
        // On the way out the queue may be nobody's.
        if self.burden.young.is_empty() || self.drain.is_on() {
            return;
        }
        self.clock.tick();
        let mut young = std::mem::take(&mut self.burden.young);
        young.retain(|token| self.table.peek(*token).is_some() && !self.let_go(*token));
        self.burden.young = young;
    }

    /// Whether nothing more is to be done about a connection that is home.
    fn let_go(&mut self, token: Token) -> bool {
        let now_ns = self.clock.now_ns();
        let Some(mut conn) = self.table.take_to_read(token) else { return true };
        let since_ns = conn.young_since_ns;
        let is_old = u128::from(now_ns.saturating_sub(since_ns)) >= YOUNG.as_nanos();
        if is_old || !is_under_way(&conn) || conn.owes() || conn.tls.is_some() {
            conn.is_noted = is_old;
            self.put_down(conn);
            return true;
        }
        // In the queue nobody reads, and this worker does, whatever runs in it.
        let is_read = conn.filled > 0 || conn.phase == Phase::Body;
        if is_read && !self.shared.slot.is_some_and(Slot::sibling_waits) {
            self.put_down(conn);
            return false;
        }
        let moves = 1 + conn.weight() / BYTES_PER_MOVE;
        if self.reception.awaits_room || !self.burden.allowance.take(moves as u64) {
            self.put_down(conn);
            return false;
        }
        match self.send_off(&conn, since_ns, false) {
            Ok(true) => {
                self.part_with(conn);
                return true;
            }
            Ok(false) => self.await_room(),
            // It can't travel (EMFILE for a file to go along), now.
            Err(error) => self.notices.push(Notice::SocketError { error: error.to_string() }),
        }
        self.put_down(conn);
        false
    }
}

/// Whether it has just come, or a request has begun to come on it.
fn is_under_way<A: App>(conn: &Conn<A>) -> bool {
    match conn.phase {
        Phase::Head => conn.filled > 0 || conn.served == 0,
        Phase::Body => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_are_saved_up_to_a_limit_and_earned_by_calls() {
        let mut allowance = Allowance::default();
        assert_eq!((0..100).filter(|_| allowance.take(1)).count() as u64, MOST_MOVES);
        allowance.earn(5 * MOVE_NS * PART);
        assert!(!allowance.take(6));
        assert!(allowance.take(5));
        assert!(!allowance.take(1));
        allowance.earn(3_600_000_000_000);
        assert!(allowance.take(MOST_MOVES));
        assert!(!allowance.take(1));
    }
}
