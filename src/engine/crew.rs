//! The threads of one worker, and how the engine goes from hand to hand.
//!
//! The engine belongs to exactly one thread at a time, the leader. A leader that runs the
//! application leaves the engine in the *seat* meanwhile. When the call returns soon it takes it up
//! again: two locked instructions, no other thread involved. When the call lasts, the watcher finds
//! the engine there, takes it, and goes on with everybody's I/O.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::hoard::Rest;
use super::pace::Lap;
use super::reactor::{Engine, Job};
use super::shared::Shared;
use super::timekeeper::Timekeeper;
use super::{App, Conn, Options, Verdict};
use crate::sys::bell::Bell;
use crate::sys::flights::Flights;
use crate::sys::scoreboard::Slot;
use crate::sys::seat::Seat;
use crate::sys::tells::Tells;

type Channel<T> = (Sender<T>, Receiver<T>);

/// A request that has been dealt with.
pub(super) struct Done<A: App> {
    pub(super) conn: Box<Conn<A>>,
    pub(super) verdict: Verdict,
    /// What is owed of the response, if anything is.
    pub(super) rest: Option<Rest>,
    /// When that was, CLOCK_MONOTONIC.
    pub(super) ended_ns: u64,
    pub(super) lap: Option<Lap>,
}

impl<A: App> Done<A> {
    /// Whether nothing is to be done for the connection until its client says something, which the
    /// poller will tell.
    pub(super) fn can_wait(&self) -> bool {
        self.verdict == Verdict::Keep && self.conn.is_at_rest()
    }
}

/// What an application thread is woken for.
pub(super) enum Task<A: App> {
    /// Run this request.
    Run(Job<A>),
    /// Lead.
    Lead(Box<Engine<A>>),
    /// There is nothing more to do.
    Leave,
}

/// The threads of one worker.
pub struct Crew<A: App> {
    pub(super) shared: Arc<Shared>,
    seat: Seat<Engine<A>>,
    /// Where the watcher gives the engine back to the application thread (sync).
    back: Channel<Box<Engine<A>>>,
    tasks: Channel<Task<A>>,
    returns: Sender<Done<A>>,
    /// The number of the call for which the engine was put in the seat last: tells one from the next.
    calls: AtomicU64,
    /// The application thread waits for the engine (sync).
    wanted: AtomicBool,
    /// The engine in the seat is meant for the watcher, now.
    offered: AtomicBool,
    leaving: AtomicBool,
    /// The one thread of sync runs the application.
    pub(super) calling: AtomicBool,
    /// The thread that runs the application (sync), as the kernel calls it.
    pub(super) runner: AtomicU32,
    /// Whether there is a watcher (sync).
    pub(super) guarded: AtomicU8,
    /// The watcher sleeps until it is told that there is a call to watch.
    asleep: AtomicBool,
    /// Wakes the watcher.
    pub(super) watcher: Bell,
}

impl<A: App> Crew<A> {
    /// A crew without an engine, and where done requests come in, for the engine.
    ///
    /// # Errors
    /// EMFILE and the like.
    pub(super) fn new(
        options: Options,
        slot: Option<Slot>,
        timekeeper: Option<Timekeeper>,
        flights: Option<Arc<Flights>>,
    ) -> io::Result<(Self, Receiver<Done<A>>)> {
        let shared = Shared::new(options, slot, timekeeper, flights)?;
        if let Some(slot) = slot {
            slot.set_room(shared.options.app_threads as u64);
            slot.tell(Tells::ALL);
        }
        let (returns, returned) = unbounded();
        let crew = Self {
            shared: Arc::new(shared),
            seat: Seat::new(),
            back: bounded(1),
            tasks: unbounded(),
            returns,
            calls: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            offered: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            calling: AtomicBool::new(false),
            runner: AtomicU32::new(0),
            guarded: AtomicU8::new(0),
            asleep: AtomicBool::new(true),
            watcher: Bell::new()?,
        };
        Ok((crew, returned))
    }

    /// Leaves the engine while the application runs; a sleeping watcher is told.
    pub(super) fn leave_in_seat(&self, mut engine: Box<Engine<A>>) {
        engine.calls = engine.calls.wrapping_add(1);
        let call = engine.calls;
        // There is one engine and one seat: it is free.
        self.seat.put(engine);
        // Only now: a watcher that has looked at this call in vain would go to sleep over it. A store is
        // enough, for who has the engine is alone in counting with it. Should another thread get the
        // engine, and put it down again, before this store, the watcher sees the later number first: to it
        // both are another call, and each number is stored once.
        self.calls.store(call, Ordering::SeqCst);
        // Whoever falls asleep says so, and then looks at the number. In the one order of all these four
        // accesses either he sees the new number, or this is seen here.
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.watcher.ring();
        }
    }

    /// Whether the watcher sleeps, and is to be woken for the next call: a system call, after which the
    /// CPU may be another thread's for long.
    pub(super) fn must_ring(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// The same, when nobody needs to be told: there is nobody but the client of this call. Should
    /// it last, a watcher that looks for another reason finds the engine there.
    pub(super) fn leave_quietly(&self, engine: Box<Engine<A>>) {
        self.seat.put(engine);
    }

    /// Takes the engine out of the seat, if it is there.
    pub(super) fn take_seat(&self) -> Option<Box<Engine<A>>> {
        self.seat.take()
    }

    /// Takes the engine back from wherever it is; the watcher has it for a moment at most.
    ///
    /// # Errors
    /// Never: somebody always has it.
    pub(super) fn reclaim(&self) -> io::Result<Box<Engine<A>>> {
        if let Some(engine) = self.take_seat() {
            return Ok(engine);
        }
        self.wanted.store(true, Ordering::SeqCst);
        self.shared.wake();
        let engine = A::apart(|| self.back.1.recv()).map_err(io::Error::other);
        self.wanted.store(false, Ordering::SeqCst);
        engine
    }

    /// The watcher gives the engine back to the thread that waits for it, or will.
    pub(super) fn hand_back(&self, engine: Box<Engine<A>>) {
        // There is one engine: there is room.
        let _always = self.back.0.try_send(engine);
    }

    /// Whether the application thread waits for the engine.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    /// Gives the engine to the watcher for good.
    pub fn offer(&self, engine: Box<Engine<A>>) {
        self.seat.put(engine);
        self.offered.store(true, Ordering::SeqCst);
        self.watcher.ring();
    }

    /// Whether the engine was offered; once.
    pub(super) fn take_offer(&self) -> bool {
        self.offered.swap(false, Ordering::SeqCst)
    }

    /// The watcher wants to be rung for the next call. It looks for a call once more after that.
    pub(super) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    /// It looks by itself again.
    pub(super) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// The number of the present call.
    pub(super) fn call(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Hands a request back to whoever leads; [`Crew::become_idle`] follows and wakes them.
    pub(super) fn give_back(&self, done: Done<A>) {
        done.conn.hold_when_done(done.verdict);
        // The receiver is the engine's: without one the connection ends here.
        let _gone = self.returns.send(done);
    }

    /// Takes one idle application thread, if there is one, to send it a task.
    pub(super) fn book(&self) -> bool {
        let one_less = |idle: isize| (idle > 0).then(|| idle - 1);
        self.shared.idle.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }

    /// Whether an application thread is idle.
    pub(super) fn has_idle(&self) -> bool {
        self.shared.idle.load(Ordering::SeqCst) > 0
    }

    /// Sends a task to a thread that was booked.
    pub(super) fn assign(&self, task: Task<A>) {
        // We hold a receiver ourselves.
        let _always = self.tasks.0.send(task);
    }

    /// Puts a request into the line that the threads take the next one from.
    pub(super) fn line_up(&self, job: Job<A>) {
        self.shared.idle.fetch_sub(1, Ordering::SeqCst);
        self.assign(Task::Run(job));
    }

    /// Takes the request that waits longest out of that line again.
    pub(super) fn recall(&self) -> Option<Job<A>> {
        match self.tasks.1.try_recv().ok()? {
            Task::Run(job) => {
                self.shared.idle.fetch_add(1, Ordering::SeqCst);
                Some(job)
            }
            other => {
                self.assign(other);
                None
            }
        }
    }

    /// An application thread becomes idle. Wakes the leader, which may have turned people away;
    /// `in_peace`: unless that looks around soon anyway.
    pub(super) fn become_idle(&self, in_peace: bool) {
        self.shared.idle.fetch_add(1, Ordering::SeqCst);
        if in_peace {
            self.shared.murmur();
        } else {
            self.shared.wake();
        }
    }

    /// Waits for a task.
    pub(super) fn next_task(&self) -> Task<A> {
        self.tasks.1.recv().unwrap_or(Task::Leave)
    }

    /// Sends every application thread away after what it is doing.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        for _ in 0..self.shared.options.app_threads {
            self.assign(Task::Leave);
        }
        self.shared.wake();
        self.watcher.ring();
    }

    /// Whether everybody is to go.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }
}
