//! `request_timeout` and `log_slow`: one thread per worker that looks at the requests in the
//! application. It never holds the GIL, so it also sees those that do not let go of it; what is to
//! be said about them goes to the master, which can say it.
//!
//! The thread sleeps until the nearest moment at which something is due. No request wakes it: one
//! that comes while it sleeps is due after the shortest limit at the earliest, and it never sleeps
//! longer than that.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::about::put;
use super::herald::{Herald, Heralds, Road};
use super::timekeeper::{Bounds, Desk, Timed, nanos};
use crate::http::{add_field, error_page};
use crate::sys::blackbox::BlackBox;
use crate::sys::clock::monotonic_ns;
use crate::sys::socket::{self, Transfer};
use crate::sys::voice::{Overruled, Seized};
use crate::sys::wish::Wish;

/// Reports that wait for room in the queue to the master; more are forgotten.
const WAITING_REPORTS: usize = 256;
/// Between two attempts to send one.
const RETRY: Duration = Duration::from_millis(50);
/// Wakes the master's loop without being a signal (`signal.NSIG`).
const WAKE_MASTER: u8 = 65;

/// Where reports go.
#[derive(Debug)]
pub struct Mail {
    /// The sending end of the queue to the master.
    pub queue: OwnedFd,
    /// Wakes the master.
    pub wake: Option<OwnedFd>,
}

/// A request as the thread remembers it.
struct Seen {
    timed: Arc<Timed>,
    warned: bool,
    sampled: bool,
    overruled: bool,
}

/// The thread's side.
pub(super) struct Watch {
    bounds: Bounds,
    /// The shortest of them: it never sleeps longer.
    shortest: Duration,
    desk: Arc<Desk>,
    arriving: Receiver<Arc<Timed>>,
    seen: Vec<Seen>,
    post: Post,
    stacks: Option<BlackBox>,
    heralds: Heralds,
}

impl Watch {
    pub(super) fn new(
        bounds: Bounds,
        desk: Arc<Desk>,
        arriving: Receiver<Arc<Timed>>,
        post: Post,
        stacks: Option<BlackBox>,
    ) -> Self {
        let half = bounds.timeout.map(|limit| limit / if bounds.slow.is_some() { 2 } else { 1 });
        let shortest = [half, bounds.slow].into_iter().flatten().min();
        let shortest = shortest.unwrap_or(Duration::from_secs(1));
        let (seen, heralds) = (Vec::new(), Heralds::default());
        Self { bounds, shortest, desk, arriving, seen, post, stacks, heralds }
    }

    /// Never returns; the thread ends with the process.
    pub(super) fn run(&mut self) {
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
        while let Ok(timed) = self.arriving.try_recv() {
            self.seen.push(Seen { timed, warned: false, sampled: false, overruled: false });
        }
        self.seen.retain(|seen| !seen.timed.voice.is_over());
        let (mut reports, mut taken) = (Vec::new(), Vec::new());
        for seen in &mut self.seen {
            let timed = &seen.timed;
            let age_ns = now_ns.saturating_sub(timed.started_ns);
            let overdue = timed.deadline_ns().is_some_and(|at_ns| at_ns <= now_ns);
            if overdue && !seen.overruled {
                let answers = !matches!(timed.road, Road::None);
                if let Some(seized) = timed.voice.overrule(answers) {
                    seen.overruled = true;
                    taken.push(Taken { seized, age_ns, timed: timed.clone() });
                }
                continue;
            }
            if seen.overruled {
                continue;
            }
            if self.bounds.slow.is_some_and(|limit| age_ns >= nanos(limit)) && !seen.warned {
                seen.warned = true;
                reports.push((Kind::Slow, age_ns, timed.clone()));
            }
            if due_ns(seen, self.bounds).is_some_and(|at_ns| at_ns <= now_ns) {
                seen.sampled = true;
                reports.push((Kind::Sample, age_ns, timed.clone()));
            }
        }
        let (secured, taken): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|it| it.herald().is_some());
        reports.extend(taken.into_iter().map(|it| it.answer(now_ns)));
        // One dump shows all threads. Before somebody waits for the interpreter.
        let wanted = reports.iter().any(|(kind, ..)| *kind != Kind::Slow) || !secured.is_empty();
        let mut stack = if wanted { self.dump() } else { Vec::new() };
        reports.extend(self.answer_secured(secured, now_ns));
        let mut late = Vec::new();
        for (kind, age_ns, timed) in reports {
            let text = if kind == Kind::Slow { Vec::new() } else { std::mem::take(&mut stack) };
            let bytes = report(kind, age_ns, &timed, &text);
            let overdue = if let Kind::Overdue(what) = kind { Some((timed, what)) } else { None };
            late.extend(overdue.clone());
            self.post.send(Letter { bytes, overdue });
        }
        self.post.push_on();
        // From here on the master may end the worker, so it has the report first.
        for (timed, _) in late {
            timed.give_up();
            if let Some(slot) = self.desk.slot {
                slot.set_wish(Wish::Deadline);
            }
        }
    }

    /// Answers over TLS who can be answered, and cuts off the others.
    fn answer_secured(&self, taken: Vec<Taken>, now_ns: u64) -> Vec<Report> {
        let pages = taken.iter().filter_map(|it| Some((it.herald()?, it.timed.page()))).collect();
        let mut taken: Vec<_> = taken.into_iter().map(Some).collect();
        let mut reports = Vec::new();
        self.heralds.encrypt(pages, |index, page| {
            if let Some(it) = taken.get_mut(index).and_then(Option::take) {
                reports.push(it.settle(Some(page), now_ns));
            }
        });
        reports.extend(taken.into_iter().flatten().map(|it| it.settle(None, now_ns)));
        reports
    }

    fn dump(&mut self) -> Vec<u8> {
        let Some(stacks) = &mut self.stacks else { return Vec::new() };
        stacks.dump().unwrap_or_else(|error| format!("no stack: {error}\n").into_bytes())
    }

    fn pause(&self, now_ns: u64) -> Duration {
        let mut pause = if self.post.is_empty() { self.shortest } else { RETRY };
        for seen in self.seen.iter().filter(|seen| !seen.overruled) {
            let timed = &seen.timed;
            let slow = self.bounds.slow.filter(|_| !seen.warned);
            let moments = [
                timed.deadline_ns(),
                slow.map(|limit| timed.started_ns + nanos(limit)),
                due_ns(seen, self.bounds),
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
fn due_ns(seen: &Seen, bounds: Bounds) -> Option<u64> {
    let deadline_ns = seen.timed.deadline_ns().filter(|_| !seen.sampled)?;
    let started_ns = seen.timed.started_ns;
    bounds.slow.map(|_| started_ns + deadline_ns.saturating_sub(started_ns) / 2)
}

/// What the master is to be told: how old the request is, nanoseconds.
type Report = (Kind, u64, Arc<Timed>);

/// A request that was taken from its thread.
struct Taken {
    seized: Seized,
    age_ns: u64,
    timed: Arc<Timed>,
}

impl Taken {
    /// Who encrypts its page, if it takes that to answer it.
    fn herald(&self) -> Option<Arc<dyn Herald>> {
        match &self.timed.road {
            Road::Secured(herald) if self.seized.is_unanswered() => Some(herald.clone()),
            _ => None,
        }
    }

    /// Without encryption.
    fn answer(self, now_ns: u64) -> Report {
        let page = self.seized.is_unanswered().then(|| self.timed.page());
        self.settle(page.as_deref(), now_ns)
    }

    /// Sends `page`, as it goes over the wire; without one the client is cut off.
    fn settle(self, page: Option<&[u8]>, now_ns: u64) -> Report {
        let Self { seized, age_ns, timed } = self;
        let what = match page {
            Some(page) => seized.answer(page),
            None => seized.cut(),
        };
        timed.note(what);
        if let Some(slot) = timed.desk.slot {
            timed.count_overdue(slot, now_ns);
        }
        (Kind::Overdue(what), age_ns, timed)
    }
}

impl Timed {
    /// What its client is told.
    fn page(&self) -> Vec<u8> {
        let mut page = Vec::new();
        error_page(504, "Gateway Timeout", "", &mut page);
        let name = self.about.request_id();
        if let Some(header) = self.desk.id_header.as_ref().filter(|_| !name.is_empty()) {
            add_field(&mut page, 0, header.name(), name);
        }
        page
    }
}

/// What a report is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slow,
    Sample,
    Overdue(Overruled),
}

impl Kind {
    /// As the master reads it: the kind, and what was done.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Slow => ("slow", ""),
            Kind::Sample => ("sample", ""),
            Kind::Overdue(Overruled::Answered) => ("overdue", "answered"),
            Kind::Overdue(Overruled::Unheard) => ("overdue", "unheard"),
            Kind::Overdue(Overruled::Cut) => ("overdue", "cut"),
            Kind::Overdue(Overruled::Late) => ("overdue", "late"),
        }
    }
}

fn report(kind: Kind, age_ns: u64, timed: &Timed, stack: &[u8]) -> Vec<u8> {
    let (kind, what) = kind.words();
    let mut out = Vec::new();
    put(&mut out, kind.as_bytes());
    put(&mut out, std::process::id().to_string().as_bytes());
    put(&mut out, what.as_bytes());
    put(&mut out, (age_ns / 1000).to_string().as_bytes());
    put(&mut out, format!("0x{:016x}", timed.thread).as_bytes());
    put(&mut out, stack);
    out.extend_from_slice(&timed.about.0);
    out
}

/// A report on its way.
struct Letter {
    bytes: Vec<u8>,
    /// The request that need not be reported again once this is with the master.
    overdue: Option<(Arc<Timed>, Overruled)>,
}

/// Sends reports, and keeps those that found no room.
pub(super) struct Post {
    queue: OwnedFd,
    wake: Option<File>,
    waiting: VecDeque<Letter>,
}

impl Post {
    pub(super) fn new(mail: Mail) -> Self {
        Self { queue: mail.queue, wake: mail.wake.map(File::from), waiting: VecDeque::new() }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn send(&mut self, letter: Letter) {
        if self.waiting.len() < WAITING_REPORTS {
            self.waiting.push_back(letter);
        }
    }

    fn push_on(&mut self) {
        let mut sent = false;
        while let Some(letter) = self.waiting.front() {
            // Where there is an error the master has gone: nobody is left to tell.
            if matches!(socket::transmit(self.queue.as_fd(), &letter.bytes), Ok(Transfer::Blocked))
            {
                break;
            }
            if let Some((timed, what)) = &letter.overdue {
                timed.mark_reported(*what);
            }
            self.waiting.pop_front();
            sent = true;
        }
        if let Some(wake) = self.wake.as_mut().filter(|_| sent) {
            // A full pipe wakes just as well; without a reader there is nobody to wake.
            let _ = wake.write(&[WAKE_MASTER]);
        }
    }
}
