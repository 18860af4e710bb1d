//! More requests than threads: who may wait, for how long, and what becomes of the rest.
//!
//! Whoever has no free thread for a request asks here (`keep_in_line`), and so does whoever is about
//! to run one (`next_job`). A request that may not wait is answered by the engine itself, which needs
//! neither thread nor GIL for that; its access line follows when the application can write one.

use std::time::Duration;

use super::accounts::Account;
use super::conn::{Conn, Phase};
use super::reactor::{Engine, Job, Work};
use super::{App, Refusal};
use crate::log::notice::Notice;
use crate::sys::scoreboard::Slot;
use crate::sys::socket::{self, Parting};

/// A request that had its thread sooner has not waited: who ends his side of the connection right
/// after the request may want the answer, and is never asked.
const QUEUED: Duration = Duration::from_millis(20);
/// The same where waiting is not limited: the question is a system call, and a crowd of short
/// requests is no overload.
const QUEUED_LONG: Duration = Duration::from_millis(100);
/// It is looked so often who of those that wait is late or gone.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Late requests taken out of the queue between workers in one turn.
const TAKEN_PER_TURN: usize = 64;

/// `max_queue` and `max_queue_time`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Requests that may wait for a thread, over all workers; no limit when 0.
    pub max_queue: usize,
    /// How long one may wait.
    pub max_wait: Option<Duration>,
}

impl Patience {
    /// Whether there is any limit.
    pub fn is_limited(&self) -> bool {
        self.max_queue > 0 || self.max_wait.is_some()
    }

    /// `Retry-After` of who is turned away: by then whoever waits now has been served, or turned
    /// away.
    fn retry_after_s(&self) -> u64 {
        self.max_wait.map_or(1, |wait| wait.as_millis().div_ceil(1000).max(1) as u64)
    }
}

impl<A: App> Engine<A> {
    /// Queues a request for the application.
    pub(super) fn enqueue(&mut self, mut conn: Box<Conn<A>>, work: Work) {
        conn.phase = Phase::Busy;
        self.shared.claim(&mut conn);
        conn.deadline.disarm();
        let since_ns = self.clock.now_ns();
        conn.waits_since_ns = since_ns.saturating_sub(conn.before_ns);
        let mut job = Job { conn, work, since_ns, queued: false };
        if self.is_deliberate() {
            self.secure(&mut job);
        }
        self.ready.push_back(job);
    }

    /// Whether somebody is to be served, or at least to be read.
    pub(super) fn has_work(&self) -> bool {
        !self.ready.is_empty() || !self.unread.is_empty()
    }

    /// The next request to run, for a thread that is free now: as a refusal if it has waited too
    /// long, or its client has gone.
    pub(super) fn next_job(&mut self) -> Option<Job<A>> {
        self.read_next();
        let mut job = self.ready.pop_front()?;
        if self.shared.options.patience.is_limited() {
            self.clock.tick();
            self.note_line();
        }
        if matches!(job.work, Work::Request) {
            let refusal = self.parted(&job.conn).or_else(|| self.too_late(&job.conn));
            if let Some(refusal) = refusal {
                self.turned_away.count(&refusal);
                job.work = Work::Refusal(refusal);
            }
        }
        self.see_off(&mut job);
        self.show_connections();
        Some(job)
    }

    /// Whether people are let in though nobody is free: the engine has answers of its own.
    pub(super) fn greets_while_busy(&self) -> bool {
        self.shared.options.patience.is_limited() || self.static_files.is_some()
    }

    /// No thread of this worker is free. What is ready goes to a sibling, waits, or is turned away.
    pub(super) fn keep_in_line(&mut self) {
        if !self.shared.options.patience.is_limited() {
            return self.hand_over();
        }
        self.fetch_late();
        if !self.ready.is_empty() {
            self.look_through();
            self.refuse_surplus();
            self.hand_over();
        }
        self.note_line();
    }

    /// Whether the loop must look soon, though nothing happens: somebody may become late.
    pub(super) fn has_line(&self) -> bool {
        let patience = &self.shared.options.patience;
        let elsewhere = || self.shared.slot.is_some_and(|slot| slot.in_transit() > 0);
        patience.is_limited() && (!self.ready.is_empty() || elsewhere())
    }

    /// Whether its client has gone, if it had to wait. A reset says so for certain. An end of the
    /// stream may be all that a client has to say before it reads the answer; where waiting is
    /// limited it is taken for leaving, as most proxies do it.
    fn parted(&self, conn: &Conn<A>) -> Option<Refusal> {
        let waited_ns = self.clock.now_ns().saturating_sub(conn.waits_since_ns);
        let limited = self.shared.options.patience.is_limited();
        let long = if limited { QUEUED } else { QUEUED_LONG };
        if u128::from(waited_ns) < long.as_nanos() {
            return None;
        }
        let gone = match socket::parting(conn.socket()?) {
            Parting::None => false,
            Parting::Ended => limited,
            Parting::Reset => true,
        };
        gone.then_some(Refusal::ClientLeft)
    }

    fn too_late(&self, conn: &Conn<A>) -> Option<Refusal> {
        let max_wait = self.shared.options.patience.max_wait?;
        let waited_ns = self.clock.now_ns().saturating_sub(conn.waits_since_ns);
        (u128::from(waited_ns) > max_wait.as_nanos()).then(|| Refusal::TooLate {
            retry_after_s: self.shared.options.patience.retry_after_s(),
        })
    }

    /// Turns those away who are too late or gone.
    fn look_through(&mut self) {
        let now_ns = self.clock.now_ns();
        if now_ns < self.turned_away.next_look_ns {
            return;
        }
        self.turned_away.next_look_ns = now_ns + LOOK_AGAIN.as_nanos() as u64;
        for job in std::mem::take(&mut self.ready) {
            let refusal = match job.work {
                Work::Refusal(_) => None,
                Work::Request => self.parted(&job.conn).or_else(|| self.too_late(&job.conn)),
            };
            match refusal {
                None => self.ready.push_back(job),
                Some(refusal) => self.turn_away(job.conn, refusal),
            }
        }
    }

    /// Turns those away who have just come and find the queue full. Who was let into it stays.
    fn refuse_surplus(&mut self) {
        let patience = self.shared.options.patience;
        if patience.max_queue == 0 || self.drain.is_on() || self.ready.iter().all(|job| job.queued)
        {
            return;
        }
        let slot = self.shared.slot;
        let elsewhere = slot.map_or(0, |slot| slot.queued_elsewhere() + slot.in_transit());
        // A sibling that is idle has a thread for one of them.
        let room = patience.max_queue as u64 + u64::from(slot.is_some_and(Slot::sibling_waits));
        let mut waiting = elsewhere + self.in_line();
        for mut job in std::mem::take(&mut self.ready) {
            if !job.queued && matches!(job.work, Work::Request) {
                if waiting >= room {
                    let retry_after_s = patience.retry_after_s();
                    self.turn_away(job.conn, Refusal::QueueFull { retry_after_s });
                    continue;
                }
                waiting += 1;
            }
            job.queued = true;
            self.ready.push_back(job);
        }
    }

    /// Takes those out of the queue between workers who have waited too long in there.
    fn fetch_late(&mut self) {
        let (Some(max_wait), Some(slot)) =
            (self.shared.options.patience.max_wait, self.shared.slot)
        else {
            return;
        };
        for _ in 0..TAKEN_PER_TURN {
            if slot.in_transit() == 0 {
                return;
            }
            let Some(since_ns) = self.oldest_in_transit() else { return };
            let waited_ns = self.clock.now_ns().saturating_sub(since_ns);
            if u128::from(waited_ns) <= max_wait.as_nanos() {
                return;
            }
            // Should a sibling have been faster, it is the next one, which waits here then.
            match self.collect() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    return self.notices.push(Notice::SocketError { error: error.to_string() });
                }
            }
        }
    }

    /// Answers a request and ends its connection, without the application.
    pub(super) fn turn_away(&mut self, mut conn: Box<Conn<A>>, refusal: Refusal) {
        self.turned_away.count(&refusal);
        let shared = self.shared.clone();
        let header = shared.options.id_header.as_ref();
        conn.name_request(header);
        self.put_on_account(&mut conn, Account::Refused(refusal.clone()));
        conn.count_refusal(self.shared.slot, &refusal, self.clock.now_ns());
        if refusal.is_silent() {
            return self.close(conn);
        }
        let start = conn.outbox.tail().len();
        refusal.answer(conn.outbox.tail());
        conn.sign(start, header);
        // Nothing that came with it is a request.
        conn.head.clear();
        conn.filled = 0;
        conn.readable = true;
        conn.phase = Phase::FlushThenClose;
        self.proceed(conn);
    }

    fn in_line(&self) -> u64 {
        let waits = |job: &&Job<A>| job.queued && matches!(job.work, Work::Request);
        self.ready.iter().filter(waits).count() as u64
    }

    /// Tells the siblings how many wait here.
    fn note_line(&self) {
        if let Some(slot) = self.shared.slot {
            slot.set_queued(self.in_line());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_the_longest_wait_and_a_second_at_least() {
        let retry = |max_wait_ms: u64| {
            let max_wait = Some(max_wait_ms).filter(|ms| *ms > 0).map(Duration::from_millis);
            Patience { max_queue: 1, max_wait }.retry_after_s()
        };
        assert_eq!([0, 1, 1000, 1001, 30_000].map(retry), [1, 1, 1, 2, 30]);
    }
}
