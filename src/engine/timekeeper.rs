//! `request_timeout` and `log_slow`: takes note of the requests in the application. The thread that
//! looks at them is in `lateness.rs`.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};

use super::about::About;
use super::bill::is_mine;
use super::herald::Road;
pub use super::lateness::Mail;
use super::lateness::{Post, Watch};
use super::{App, Conn};
use crate::http::{IdHeader, Policy};
use crate::sys::bell::Bell;
use crate::sys::blackbox::BlackBox;
use crate::sys::clock::monotonic_ns;
use crate::sys::flights::{Flight, Flights, Mark, Phase};
use crate::sys::scoreboard::Slot;
use crate::sys::tally::{Event, Outcome};
use crate::sys::thread::{identity, spawn_deaf};
use crate::sys::voice::{Overruled, Voice};

/// Requests that may have come since the thread looked; their memory is held until it does.
const UNSEEN: usize = 1024;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `request_timeout`.
    pub timeout: Option<Duration>,
    /// `log_slow`.
    pub slow: Option<Duration>,
}

/// Counts a request that the worker has to finish, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    slot: Slot,
    pid: u32,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A child that the application has forked has a copy of it, but not of the slot.
        if self.pid == std::process::id() {
            self.slot.end_request();
        }
    }
}

/// What others see of a request: where it is noted, and its name there.
pub type Noted = (Arc<Flights>, (usize, u64));

/// A request that enters the application.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The client's socket.
    pub socket: BorrowedFd<'a>,
    /// Nothing is on its way to the client.
    pub free: bool,
    /// How the client can be answered.
    pub road: Road,
    /// It is counted as long as it lasts, for nobody has a [`Claim`] to it.
    pub counts: bool,
    /// What is told of it.
    pub about: About,
    /// Where others see it.
    pub flight: Option<Noted>,
}

/// One request in the application.
#[derive(Debug)]
pub struct Timed {
    pub(super) voice: Voice,
    pub(super) about: About,
    pub(super) thread: u64,
    pub(super) started_ns: u64,
    /// CLOCK_MONOTONIC; 0 for none.
    deadline_ns: AtomicU64,
    /// How the client can be answered.
    pub(super) road: Road,
    limited: bool,
    /// Whether it is its own [`Claim`].
    counts: bool,
    /// It has been counted on the scoreboard.
    counted: AtomicBool,
    /// Set by whoever comes first: the one that counts it as overdue, or its end, which then takes
    /// nothing back.
    settled: AtomicBool,
    /// Its client has been told, or can't be.
    told: AtomicBool,
    flight: Option<Noted>,
    pub(super) desk: Arc<Desk>,
}

/// What the threads and the one that looks share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) bell: Bell,
    /// Requests that have come since it looked.
    pub(super) unseen: AtomicUsize,
    pub(super) slot: Option<Slot>,
    /// The field that carries the name of a request, if requests have names.
    pub(super) id_header: Option<IdHeader>,
    pid: u32,
}

impl Timed {
    /// See [`Voice::speak`].
    pub fn speak(&self) -> bool {
        self.voice.speak()
    }

    /// See [`Voice::log`].
    pub fn log(&self) -> bool {
        self.voice.log()
    }

    /// See [`Voice::is_overruled`].
    pub fn is_overruled(&self) -> bool {
        self.voice.is_overruled()
    }

    /// Whether its client has been told, as far as that could be.
    pub fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// See [`Voice::is_over`].
    pub fn is_over(&self) -> bool {
        self.voice.is_over()
    }

    /// Whether `request_timeout` counts for it.
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// The request is over. Tells what was done to it meanwhile.
    pub fn end(&self) -> Option<Overruled> {
        if self.voice.is_over() {
            return None;
        }
        let overruled = self.voice.end();
        // A child that the application has forked may come back here; the slot is not its own.
        let ours = self.desk.pid == std::process::id();
        if let Some(slot) = self.desk.slot.filter(|_| ours) {
            if overruled.is_some() && self.settled.swap(true, Ordering::AcqRel) {
                slot.note_overdue(true);
            }
            if self.counts {
                slot.end_request();
            }
        }
        overruled
    }

    /// Whether it is the caller's to count on the scoreboard; once.
    pub fn claim_count(&self) -> bool {
        !self.counted.swap(true, Ordering::AcqRel)
    }

    /// The watch has taken the request: counts it, unless its thread had done so.
    pub(super) fn count_overdue(&self, slot: Slot, now_ns: u64) {
        slot.count_event(Event::Overdue, 1);
        let flight = self.flight.as_ref().and_then(|(flights, name)| flights.named(*name));
        if is_mine(Some(self), flight.filter(|it| it.phase().is_some())) {
            let age_ns = now_ns.saturating_sub(self.started_ns);
            slot.count_request(&Outcome {
                status: 504,
                app_ns: Some(age_ns),
                whole_ns: age_ns,
                ..Outcome::default()
            });
        }
    }

    /// Moves the deadline: `Some` time from now, or no deadline. False: it has passed.
    pub fn extend(&self, by: Option<Duration>) -> bool {
        let at_ns = by.map_or(0, |by| monotonic_ns().saturating_add(nanos(by)).max(1));
        let before_ns = self.deadline_ns.swap(at_ns, Ordering::SeqCst);
        if at_ns != 0 && (before_ns == 0 || at_ns < before_ns) {
            // The thread may sleep longer than that.
            self.desk.bell.ring();
        }
        !self.voice.is_overruled() && !self.voice.is_over()
    }

    /// Nobody waits for it any more: the worker may be ended for all that it does for it.
    pub(super) fn give_up(&self) {
        if let Some(slot) = self.desk.slot {
            if !self.settled.swap(true, Ordering::AcqRel) {
                slot.note_overdue(false);
            }
        }
    }

    /// Shows others that the client has been answered.
    pub(super) fn note(&self, what: Overruled) {
        self.told.store(true, Ordering::Release);
        let Some(flight) = self.flight() else { return };
        if what == Overruled::Answered && !flight.advance(Phase::App, Phase::Answered) {
            flight.advance(Phase::Waiting, Phase::Answered);
        }
    }

    /// Tells whoever has to report of this worker's end that this request has been reported. Not
    /// before the report is on its way: a worker that dies in between would take it with it.
    pub(super) fn mark_reported(&self, what: Overruled) {
        let Some(flight) = self.flight() else { return };
        if what != Overruled::Late {
            flight.mark(Mark::Logged);
        }
        flight.mark(Mark::Overdue);
    }

    fn flight(&self) -> Option<Flight<'_>> {
        let (flights, name) = self.flight.as_ref()?;
        flights.named(*name).filter(|it| it.phase().is_some())
    }

    pub(super) fn deadline_ns(&self) -> Option<u64> {
        Some(self.deadline_ns.load(Ordering::SeqCst)).filter(|at_ns| *at_ns != 0)
    }
}

/// The threads' side: takes note of requests.
#[derive(Debug)]
pub struct Timekeeper {
    bounds: Bounds,
    desk: Arc<Desk>,
    requests: Sender<Arc<Timed>>,
}

impl Timekeeper {
    /// Starts the thread. To be called in the worker, after the fork. `stacks` is where stacks
    /// come from, if anywhere.
    ///
    /// # Errors
    /// EMFILE; EAGAIN when there are too many threads.
    pub fn start(
        bounds: Bounds,
        slot: Option<Slot>,
        mail: Mail,
        stacks: Option<BlackBox>,
        id_header: Option<IdHeader>,
    ) -> io::Result<Self> {
        let (requests, arriving) = unbounded();
        let (bell, unseen, pid) = (Bell::new()?, AtomicUsize::new(0), std::process::id());
        let desk = Arc::new(Desk { bell, unseen, slot, id_header, pid });
        let mut watch = Watch::new(bounds, desk.clone(), arriving, Post::new(mail), stacks);
        spawn_deaf("rgunicorn-time", move || watch.run())?;
        Ok(Self { bounds, desk, requests })
    }

    /// There is one more request to finish. `None` when there is nowhere to count.
    pub fn claim(&self) -> Option<Claim> {
        let slot = self.desk.slot?;
        slot.begin_request();
        Some(Claim { slot, pid: self.desk.pid })
    }

    /// A request enters the application, in the calling thread.
    ///
    /// # Errors
    /// EMFILE.
    pub fn enter(&self, entry: Entry<'_>) -> io::Result<Arc<Timed>> {
        let Entry { socket, free, road, counts, about, flight } = entry;
        let started_ns = monotonic_ns();
        let deadline_ns = self.bounds.timeout.map_or(0, |limit| started_ns + nanos(limit));
        let timed = Arc::new(Timed {
            voice: Voice::new(socket, free)?,
            about,
            thread: identity().0,
            flight,
            started_ns,
            deadline_ns: AtomicU64::new(deadline_ns),
            road,
            limited: self.bounds.timeout.is_some(),
            counts,
            counted: AtomicBool::new(false),
            settled: AtomicBool::new(false),
            told: AtomicBool::new(false),
            desk: self.desk.clone(),
        });
        if let Some(slot) = self.desk.slot.filter(|_| counts) {
            slot.begin_request();
        }
        // The thread holds the other end as long as the process lives.
        let _always = self.requests.send(timed.clone());
        if self.desk.unseen.fetch_add(1, Ordering::Relaxed) == UNSEEN {
            self.desk.bell.ring();
        }
        Ok(timed)
    }
}

impl Timekeeper {
    /// The request of `conn` enters the application.
    pub(super) fn watch_over<A: App>(
        &self,
        conn: &Conn<A>,
        policy: &Policy,
        header: Option<&IdHeader>,
        flight: Option<Noted>,
    ) -> io::Result<Option<Arc<Timed>>> {
        let Some(socket) = conn.socket() else { return Ok(None) };
        let about = About::of(conn, policy, header);
        let (free, road) = (!conn.owes(), conn.road());
        self.enter(Entry { socket, free, road, counts: false, about, flight }).map(Some)
    }
}

/// A duration as the clock counts.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}
