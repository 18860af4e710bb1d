//! `request_timeout` and `log_slow`: one thread per worker that looks at the requests in the
//! application. It never holds the GIL, so it also sees those that do not let go of it; what is to
//! be said about them goes to the master, which can say it.
//!
//! The thread sleeps until the nearest moment at which something is due. No request wakes it: one
//! that comes while it sleeps is due after the shortest limit at the earliest, and it never sleeps
//! longer than that.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{App, Conn};
use crate::http::{Policy, error_page, unquote};
use crate::sys::bell::Bell;
use crate::sys::blackbox::BlackBox;
use crate::sys::clock::monotonic_ns;
use crate::sys::scoreboard::{Slot, Wish};
use crate::sys::socket::{self, Transfer};
use crate::sys::thread::{ident, spawn_deaf};
use crate::sys::voice::{Overruled, Voice};

/// Requests that may have come since the thread looked; their memory is held until it does.
const UNSEEN: usize = 1024;
/// Reports that wait for room in the queue to the master; more are forgotten.
const WAITING_REPORTS: usize = 256;
/// Between two attempts to send one.
const RETRY: Duration = Duration::from_millis(50);
/// The part of a request's fields that a report carries.
const ABOUT_BYTES: usize = 32 * 1024;
/// Wakes the master's loop without being a signal (`signal.NSIG`).
const WAKE_MASTER: u8 = 65;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `request_timeout`.
    pub timeout: Option<Duration>,
    /// `log_slow`.
    pub slow: Option<Duration>,
}

/// Where reports go.
#[derive(Debug)]
pub struct Mail {
    /// The sending end of the queue to the master.
    pub queue: OwnedFd,
    /// Wakes the master.
    pub wake: Option<OwnedFd>,
}

/// What is told of a request, in the form in which it travels: fields, each after its length.
#[derive(Debug, Default)]
pub struct About(Vec<u8>);

impl About {
    /// Appends a field, cut where there is too much of it all.
    pub fn field(&mut self, bytes: &[u8]) {
        let room = ABOUT_BYTES.saturating_sub(self.0.len());
        put(&mut self.0, bytes.get(..room).unwrap_or(bytes));
    }
}

/// One request in the application.
#[derive(Debug)]
pub struct Flight {
    voice: Voice,
    about: About,
    thread: u64,
    started_ns: u64,
    /// CLOCK_MONOTONIC; 0 for none.
    deadline_ns: AtomicU64,
    /// Whether a page of ours may go out as it is.
    plain: bool,
    limited: bool,
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    bell: Bell,
    unseen: AtomicUsize,
    slot: Option<Slot>,
}

impl Flight {
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
        if let Some(slot) = self.desk.slot {
            slot.end_request();
            if overruled.is_some() {
                slot.end_overdue();
            }
        }
        overruled
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

    fn deadline_ns(&self) -> Option<u64> {
        Some(self.deadline_ns.load(Ordering::SeqCst)).filter(|at_ns| *at_ns != 0)
    }
}

/// The threads' side: takes note of requests.
#[derive(Debug)]
pub struct Timekeeper {
    patience: Patience,
    desk: Arc<Desk>,
    flights: Sender<Arc<Flight>>,
}

impl Timekeeper {
    /// Starts the thread. To be called in the worker, after the fork. `stacks` is where stacks
    /// come from, if anywhere.
    ///
    /// # Errors
    /// EMFILE; EAGAIN when there are too many threads.
    pub fn start(
        patience: Patience,
        slot: Option<Slot>,
        mail: Mail,
        stacks: Option<BlackBox>,
    ) -> io::Result<Self> {
        let (flights, arriving) = unbounded();
        let desk = Arc::new(Desk { bell: Bell::new()?, unseen: AtomicUsize::new(0), slot });
        let mut watch = Watch::new(patience, desk.clone(), arriving, Post::new(mail), stacks);
        spawn_deaf("rgunicorn-time", move || watch.run())?;
        Ok(Self { patience, desk, flights })
    }

    /// A request enters the application, in the calling thread. `free`: nothing is on its way to
    /// the client; `plain`: bytes go to `socket` as they are, without TLS.
    ///
    /// # Errors
    /// EMFILE.
    pub fn enter(
        &self,
        socket: BorrowedFd<'_>,
        free: bool,
        plain: bool,
        about: About,
    ) -> io::Result<Arc<Flight>> {
        let started_ns = monotonic_ns();
        let deadline_ns = self.patience.timeout.map_or(0, |limit| started_ns + nanos(limit));
        let flight = Arc::new(Flight {
            voice: Voice::new(socket, free)?,
            about,
            thread: ident(),
            started_ns,
            deadline_ns: AtomicU64::new(deadline_ns),
            plain,
            limited: self.patience.timeout.is_some(),
            desk: self.desk.clone(),
        });
        if let Some(slot) = self.desk.slot {
            slot.begin_request(started_ns);
        }
        // The thread holds the other end as long as the process lives.
        let _always = self.flights.send(flight.clone());
        if self.desk.unseen.fetch_add(1, Ordering::Relaxed) == UNSEEN {
            self.desk.bell.ring();
        }
        Ok(flight)
    }
}

impl Timekeeper {
    /// The request of `conn` enters the application.
    pub(super) fn watch_over<A: App>(
        &self,
        conn: &Conn<A>,
        policy: &Policy,
    ) -> io::Result<Option<Arc<Flight>>> {
        let Some(socket) = conn.socket() else { return Ok(None) };
        let (head, bytes) = (&conn.head, conn.head_bytes());
        let mut about = About::default();
        about.field(head.method.of(bytes));
        about.field(&head.uri(bytes));
        match head.path_info {
            Some(path) => about.field(path.of(bytes)),
            None => {
                let (path, prefix) = (head.path.of(bytes), head.script_name(bytes, policy));
                let mut decoded = Vec::new();
                unquote(path.strip_prefix(prefix).unwrap_or(path), &mut decoded);
                about.field(&decoded);
            }
        }
        about.field(head.query.of(bytes));
        about.field(format!("{}.{}", head.version.0, head.version.1).as_bytes());
        let proxied = conn.proxy.as_ref().and_then(|info| info.source);
        match (head.param(bytes, b"REMOTE_ADDR"), proxied) {
            (Some(addr), _) => about.field(addr),
            (None, Some(source)) => about.field(source.ip().to_string().as_bytes()),
            (None, None) => about.field(conn.addr.ip_text().as_bytes()),
        }
        for field in &head.fields {
            about.field(field.name.of(bytes));
            about.field(field.value.of(bytes));
        }
        self.enter(socket, !conn.owes(), conn.tls.is_none(), about).map(Some)
    }
}

/// A flight as the thread remembers it.
struct Seen {
    flight: Arc<Flight>,
    warned: bool,
    sampled: bool,
    overruled: bool,
}

/// The thread's side.
struct Watch {
    patience: Patience,
    /// The shortest of them: it never sleeps longer.
    shortest: Duration,
    desk: Arc<Desk>,
    arriving: Receiver<Arc<Flight>>,
    seen: Vec<Seen>,
    post: Post,
    stacks: Option<BlackBox>,
}

impl Watch {
    fn new(
        patience: Patience,
        desk: Arc<Desk>,
        arriving: Receiver<Arc<Flight>>,
        post: Post,
        stacks: Option<BlackBox>,
    ) -> Self {
        let half =
            patience.timeout.map(|limit| limit / if patience.slow.is_some() { 2 } else { 1 });
        let shortest = [half, patience.slow].into_iter().flatten().min();
        let shortest = shortest.unwrap_or(Duration::from_secs(1));
        Self { patience, shortest, desk, arriving, seen: Vec::new(), post, stacks }
    }

    /// Never returns; the thread ends with the process.
    fn run(&mut self) {
        let mut pause = self.shortest;
        loop {
            self.desk.bell.wait(None, pause);
            let now_ns = monotonic_ns();
            self.look(now_ns);
            pause = self.pause(monotonic_ns());
        }
    }

    fn look(&mut self, now_ns: u64) {
        self.desk.unseen.store(0, Ordering::Relaxed);
        while let Ok(flight) = self.arriving.try_recv() {
            self.seen.push(Seen { flight, warned: false, sampled: false, overruled: false });
        }
        self.seen.retain(|seen| !seen.flight.voice.is_over());
        let mut reports = Vec::new();
        for seen in &mut self.seen {
            let flight = &seen.flight;
            let age_ns = now_ns.saturating_sub(flight.started_ns);
            let overdue = flight.deadline_ns().is_some_and(|at_ns| at_ns <= now_ns);
            if overdue && !seen.overruled {
                if let Some(what) = overrule(flight) {
                    seen.overruled = true;
                    if let Some(slot) = self.desk.slot {
                        slot.begin_overdue();
                        slot.set_wish(Wish::Deadline);
                    }
                    reports.push(("overdue", word(what), age_ns, flight.clone()));
                }
                continue;
            }
            if seen.overruled {
                continue;
            }
            if self.patience.slow.is_some_and(|limit| age_ns >= nanos(limit)) && !seen.warned {
                seen.warned = true;
                reports.push(("slow", "", age_ns, flight.clone()));
            }
            if due_ns(seen, self.patience).is_some_and(|at_ns| at_ns <= now_ns) {
                seen.sampled = true;
                reports.push(("sample", "", age_ns, flight.clone()));
            }
        }
        // One dump shows all threads.
        let wanted = reports.iter().any(|(kind, ..)| *kind != "slow");
        let mut stack = if wanted { self.dump() } else { Vec::new() };
        for (kind, what, age_ns, flight) in reports {
            let text = if kind == "slow" { Vec::new() } else { std::mem::take(&mut stack) };
            self.post.send(report(kind, what, age_ns, &flight, &text));
        }
        self.post.push_on();
    }

    fn dump(&mut self) -> Vec<u8> {
        let Some(stacks) = &mut self.stacks else { return Vec::new() };
        stacks.dump().unwrap_or_else(|error| format!("no stack: {error}\n").into_bytes())
    }

    fn pause(&self, now_ns: u64) -> Duration {
        let mut pause = if self.post.is_empty() { self.shortest } else { RETRY };
        for seen in self.seen.iter().filter(|seen| !seen.overruled) {
            let flight = &seen.flight;
            let slow = self.patience.slow.filter(|_| !seen.warned);
            let moments = [
                flight.deadline_ns(),
                slow.map(|limit| flight.started_ns + nanos(limit)),
                due_ns(seen, self.patience),
            ];
            for at_ns in moments.into_iter().flatten() {
                pause = pause.min(Duration::from_nanos(at_ns.saturating_sub(now_ns)));
            }
        }
        // poll(2) counts milliseconds.
        pause.max(Duration::from_millis(1))
    }
}

/// When the stack is to be sampled: half-way to the deadline.
fn due_ns(seen: &Seen, patience: Patience) -> Option<u64> {
    let deadline_ns = seen.flight.deadline_ns().filter(|_| !seen.sampled)?;
    let started_ns = seen.flight.started_ns;
    patience.slow.map(|_| started_ns + deadline_ns.saturating_sub(started_ns) / 2)
}

fn overrule(flight: &Flight) -> Option<Overruled> {
    let mut page = Vec::new();
    error_page(504, "Gateway Timeout", "", &mut page);
    flight.voice.overrule(Some(&page[..]).filter(|_| flight.plain))
}

fn word(what: Overruled) -> &'static str {
    match what {
        Overruled::Answered => "answered",
        Overruled::Cut => "cut",
        Overruled::Late => "late",
    }
}

fn report(kind: &str, what: &str, age_ns: u64, flight: &Flight, stack: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, kind.as_bytes());
    put(&mut out, std::process::id().to_string().as_bytes());
    put(&mut out, what.as_bytes());
    put(&mut out, (age_ns / 1000).to_string().as_bytes());
    put(&mut out, format!("0x{:016x}", flight.thread).as_bytes());
    put(&mut out, stack);
    out.extend_from_slice(&flight.about.0);
    out
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(0);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes.get(..len as usize).unwrap_or_default());
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

/// Sends reports, and keeps those that found no room.
struct Post {
    queue: OwnedFd,
    wake: Option<File>,
    waiting: VecDeque<Vec<u8>>,
}

impl Post {
    fn new(mail: Mail) -> Self {
        Self { queue: mail.queue, wake: mail.wake.map(File::from), waiting: VecDeque::new() }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn send(&mut self, report: Vec<u8>) {
        if self.waiting.len() < WAITING_REPORTS {
            self.waiting.push_back(report);
        }
    }

    fn push_on(&mut self) {
        let mut sent = false;
        while let Some(report) = self.waiting.front() {
            match socket::transmit(self.queue.as_fd(), report) {
                Ok(Transfer::Blocked) => break,
                // The master has gone: nobody is left to tell.
                Ok(Transfer::Bytes(_)) | Err(_) => {
                    self.waiting.pop_front();
                    sent = true;
                }
            }
        }
        if let Some(wake) = self.wake.as_mut().filter(|_| sent) {
            // A full pipe wakes just as well; without a reader there is nobody to wake.
            let _ = wake.write(&[WAKE_MASTER]);
        }
    }
}
