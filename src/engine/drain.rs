//! The way out: who waits at the doors, requests in flight to their end, and a limit on all of it.
//! Why it is as it is: docs/design/drain.md.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::conn::{Conn, Phase};
use super::dispatch::may_travel;
use super::reactor::Work;
use super::sweep::Queue;
use super::{App, Engine, Refusal};
use crate::log::notice::Notice;
use crate::sys::course::Course;

/// How long a connection whose last byte was sent may take to say its own.
pub const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long one that has not begun a request may still do so while the worker stops.
const LAST_CHANCE: Duration = Duration::from_millis(1500);
/// How long one that has been idle is listened to after our end of it.
pub(super) const PARTING: Duration = Duration::from_millis(500);
/// How long newcomers are let in while others wait already. Longer, and a server with more to do
/// than it can would not stop before its limit.
const ADMISSION: Duration = Duration::from_secs(1);
/// How long requests that are running have in a quick stop.
const QUICK: Duration = Duration::from_secs(1);
/// Before the limit is reached those who wait are told so; at most, and as a part of all the time.
const LAST_CALL: Duration = Duration::from_secs(1);
const LAST_CALL_PART: u64 = 4;
/// Between two looks for somebody whose handshake has begun.
const GLANCE_NS: u64 = 5_000_000;
/// Who has been seen to come arrives within this, or is not waited for: half of a handshake stays where a
/// client has gone, or never meant it.
pub(super) const ARRIVAL: Duration = Duration::from_secs(1);
/// It is looked for them so often.
pub(super) const LOOK_OUT: Duration = Duration::from_millis(20);

/// Whether, and until when, the worker is on its way out.
#[derive(Debug, Default)]
pub struct Drain {
    /// Monotonic nanoseconds; 0 while serving normally.
    until_ns: u64,
    /// From here on who waits is told that the time is over.
    last_call_ns: u64,
    /// Cached for `patience`.
    pub(super) now_ns: u64,
    /// Where the server stood when that was last looked at.
    course: Course,
    pub(super) queue: Queue,
    /// Still accepting.
    pub(super) sweeping: bool,
    /// That has been done.
    pub(super) swept: bool,
    /// From here on nobody new can come, if not before.
    bar_ns: u64,
    /// Since the doors are barred: until here who has begun to come may arrive. 0 before.
    pub(super) settled_ns: u64,
    /// Until here who is seen to come is waited for.
    pub(super) arrival_ns: u64,
    /// Nobody is to come whom it is worth to wait for: who can be there is there.
    pub(super) looked_out: bool,
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
        let longest = match conn.phase {
            Phase::Head if conn.filled == 0 && self.course == Course::Quitting => Duration::ZERO,
            Phase::Head if conn.filled == 0 => LAST_CHANCE,
            _ => Duration::from_nanos(self.until_ns.saturating_sub(self.now_ns)),
        };
        Some(normal.map_or(longest, |normal| normal.min(longest)))
    }

    /// When there is something to do again, whatever happens; on the way out only.
    pub(super) fn next_ns(&self, now_ns: u64) -> Option<u64> {
        if !self.is_on() {
            return None;
        }
        let sweeping = self.sweeping && self.queue == Queue::Ended;
        let look_ns = match self.settled_ns {
            0 => self.bar_ns,
            settled_ns => settled_ns.min(now_ns + GLANCE_NS),
        };
        let last_ns = if now_ns < self.last_call_ns { self.last_call_ns } else { self.until_ns };
        Some(if sweeping { look_ns.min(last_ns) } else { last_ns })
    }

    /// Whether nobody was found a moment ago and somebody may still come.
    pub(super) fn rests(&self) -> bool {
        self.settled_ns > self.now_ns
    }
}

impl<A: App> Engine<A> {
    /// Starts to stop: every connection gets its last deadline. `alone`: the master is gone. Who
    /// waits at the doors is left to the siblings, if there are any; otherwise they are let in
    /// until nobody waits. Called again, it looks again whether there are.
    pub fn begin_drain(&mut self, alone: bool) {
        let queue = self.queue_now(alone);
        let sweep = queue > Queue::Left && !self.drain.sweeping && !self.drain.swept;
        if sweep || !self.drain.is_on() {
            self.close_doors();
        }
        self.drain.sweeping |= sweep;
        self.drain.queue = self.drain.queue.max(queue);
        if self.drain.is_on() {
            return;
        }
        self.shared.closing.store(true, Ordering::Relaxed);
        self.clock.tick();
        let now_ns = self.clock.now_ns();
        self.drain.bar_ns = now_ns + ADMISSION.as_nanos() as u64;
        self.limit(now_ns);
        self.hurry();
    }

    /// Looks at where the server stands: a stop is known here before its signal, and also while
    /// the application keeps the thread that signals interrupt.
    pub(super) fn look_at_course(&mut self) {
        let Some(slot) = self.shared.slot else { return };
        let course = slot.course();
        if course == self.drain.course {
            return;
        }
        self.drain.course = course;
        match course {
            Course::Serving | Course::Parting => {}
            Course::Leaving | Course::Closing => self.begin_drain(false),
            Course::Quitting if self.drain.is_on() => {
                self.limit(self.clock.now_ns());
                self.hurry();
            }
            // By its signal, which the application hears of.
            Course::Quitting => {}
        }
    }

    /// Sets the limits that count from now on.
    fn limit(&mut self, now_ns: u64) {
        let options = &self.shared.options;
        let own_ns = match self.drain.course {
            Course::Quitting => QUICK.min(options.graceful_timeout / 2),
            _ => options.graceful_timeout,
        };
        let mut until_ns = now_ns + own_ns.as_nanos() as u64;
        // Then the master kills.
        if let Some(at_ns) = self.shared.slot.and_then(|slot| slot.stops_until_ns()) {
            until_ns = until_ns.min(at_ns);
        }
        if self.drain.is_on() {
            until_ns = until_ns.min(self.drain.until_ns);
        }
        let left_ns = until_ns.saturating_sub(now_ns);
        let before_ns = (left_ns / LAST_CALL_PART).min(LAST_CALL.as_nanos() as u64);
        self.drain.until_ns = until_ns.max(1);
        self.drain.last_call_ns = until_ns - before_ns;
        self.drain.now_ns = now_ns;
    }

    /// Gives every connection the deadline that counts now.
    fn hurry(&mut self) {
        for token in self.table.home() {
            if let Some(conn) = self.table.take(token) {
                self.park(conn);
            }
        }
    }

    /// What the way out needs and no application thread is needed for. Called before each wait.
    /// `free`: there is such a thread, and it lets people in itself.
    #[inline]
    pub(super) fn mind_exit(&mut self, free: bool) {
        if self.drain.is_on() {
            self.go_on_with_exit(free);
        }
    }

    fn go_on_with_exit(&mut self, free: bool) {
        // The application may have taken its time.
        self.clock.tick();
        let now_ns = self.clock.now_ns();
        self.drain.now_ns = now_ns;
        if self.drain.sweeping && self.drain.queue == Queue::Ended {
            if self.drain.settled_ns == 0 && now_ns >= self.drain.bar_ns {
                self.bar_doors();
            }
            if !free {
                self.sweep_beside();
            }
        }
        if now_ns >= self.drain.last_call_ns {
            self.call_last();
        }
    }

    /// The time is nearly over: who has not begun is told so, which is better than a reset. What is
    /// running may end.
    fn call_last(&mut self) {
        if self.drain.sweeping {
            if self.drain.queue == Queue::Ended {
                self.bar_doors();
                self.drain.settled_ns = self.clock.now_ns();
                self.drain.looked_out = true;
                self.let_all_in(usize::MAX);
            }
            if self.drain.sweeping && self.reception.pause_end_ns().is_none() {
                // Others let them in.
                self.drain.queue = Queue::Swept;
                self.end_sweep();
            }
        }
        if self.drain.course > Course::Parting {
            // What siblings have put there: they are at the end of their time as well.
            while matches!(self.collect(), Ok(true)) {}
        }
        self.dismiss();
    }

    /// Answers those that are ready and have not begun. Siblings that stay are given what they can
    /// take.
    fn dismiss(&mut self) {
        let siblings = self.drain.course <= Course::Parting;
        if siblings {
            self.hand_over();
        }
        let mut count = 0;
        for job in std::mem::take(&mut self.ready) {
            if siblings && may_travel(&job) || !matches!(job.work, Work::Request) {
                self.ready.push_back(job);
                continue;
            }
            count += 1;
            self.turn_away(job.conn, Refusal::Stopping);
        }
        if count > 0 {
            self.notices.push(Notice::TurnedAway { count });
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
