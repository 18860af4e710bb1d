//! What the threads of one worker share, and how the one that leads is woken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use super::Options;
use super::hoard::Hoard;
use super::timekeeper::Timekeeper;
use crate::sys::bell::Bell;
use crate::sys::flights::Flights;
use crate::sys::scoreboard::Slot;

/// What everybody who works for a request may know.
#[derive(Debug)]
pub struct Shared {
    /// What the worker was told.
    pub options: Options,
    /// The worker's place on the scoreboard.
    pub(super) slot: Option<Slot>,
    /// The requests that run, as others see them.
    pub(super) flights: Option<Arc<Flights>>,
    /// Whether the application's own thread beats the heart: a call that lasts too long must be
    /// seen.
    beats: bool,
    /// The worker is on its way out: no response promises another request.
    pub(super) closing: AtomicBool,
    /// There is hardly room for new connections: none is kept for another request.
    pub(super) crowded: AtomicBool,
    /// The memory of what waits for clients.
    pub(super) hoard: Arc<Hoard>,
    /// Who looks at how long requests take, if anybody does.
    pub(super) timekeeper: Option<Timekeeper>,
    /// Wakes whoever leads.
    pub(super) bell: Bell,
    /// There is something for the leader to look at.
    news: AtomicBool,
    /// The leader sleeps, or is about to look whether there are news.
    dozing: AtomicBool,
    /// It looks around soon, whatever happens: what can wait for that needs no bell.
    lull: AtomicBool,
    /// A thread has become idle since the leader last looked.
    idled: AtomicBool,
    /// Application threads that wait for a task, less the tasks that are on their way. Below zero:
    /// so many tasks wait for a thread.
    pub(super) idle: AtomicIsize,
}

impl Shared {
    /// For a worker that begins.
    ///
    /// # Errors
    /// EMFILE and the like.
    pub(super) fn new(
        options: Options,
        slot: Option<Slot>,
        timekeeper: Option<Timekeeper>,
        flights: Option<Arc<Flights>>,
    ) -> io::Result<Self> {
        Ok(Self {
            beats: !options.watched,
            options,
            slot,
            flights,
            closing: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
            hoard: Arc::default(),
            timekeeper,
            bell: Bell::new()?,
            news: AtomicBool::new(false),
            dozing: AtomicBool::new(false),
            lull: AtomicBool::new(false),
            idled: AtomicBool::new(false),
            idle: AtomicIsize::new(0),
        })
    }

    /// Makes the leader look around, also when it sleeps.
    pub(super) fn wake(&self) {
        self.news.store(true, Ordering::SeqCst);
        if self.dozing.swap(false, Ordering::SeqCst) {
            self.bell.ring();
        }
    }

    /// Whether the worker is on its way out, or the server will be soon.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed) || self.slot.is_some_and(Slot::server_parts)
    }

    /// The leader goes to sleep. With `lull` not for long, and nothing waits for a thread to become
    /// idle. False: there are news, it must not sleep.
    pub(super) fn doze(&self, lull: bool) -> bool {
        // By whoever leads only: it is as it was left.
        if self.lull.load(Ordering::Relaxed) != lull {
            self.lull.store(lull, Ordering::SeqCst);
        }
        self.dozing.store(true, Ordering::SeqCst);
        let idled = !lull && self.idled.load(Ordering::SeqCst);
        !self.news.load(Ordering::SeqCst) && !idled
    }

    /// Whether the leader sleeps, as far as is known.
    pub(super) fn dozes(&self) -> bool {
        self.dozing.load(Ordering::Relaxed)
    }

    /// The leader is awake, and looks at everything before it sleeps again.
    pub(super) fn rise(&self) {
        self.dozing.store(false, Ordering::SeqCst);
        // Only what is set: a store costs as much as ten loads. What is set after it was looked at stays
        // set, and is found before the next sleep.
        for flag in [&self.lull, &self.news, &self.idled] {
            if flag.load(Ordering::SeqCst) {
                flag.store(false, Ordering::SeqCst);
            }
        }
    }

    /// A thread has become idle; nothing else has happened that could not wait for a moment.
    pub(super) fn murmur(&self) {
        self.idled.store(true, Ordering::SeqCst);
        if !self.lull.load(Ordering::SeqCst) && self.dozing.swap(false, Ordering::SeqCst) {
            self.bell.ring();
        }
    }

    /// Whether some threads are busy.
    pub(super) fn has_calls(&self) -> bool {
        self.idle.load(Ordering::SeqCst) < self.options.app_threads as isize
    }

    /// Tasks that wait for a thread.
    pub(super) fn in_line(&self) -> usize {
        self.idle.load(Ordering::SeqCst).min(0).unsigned_abs()
    }

    /// The application's own thread lives.
    pub(super) fn beat(&self, now_ns: u64) {
        if let Some(slot) = self.pulse() {
            slot.beat(now_ns);
        }
    }

    /// The heart that the application's own thread beats.
    pub(super) fn pulse(&self) -> Option<Slot> {
        self.slot.filter(|_| self.beats)
    }
}
