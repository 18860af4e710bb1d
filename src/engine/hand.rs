//! A thread that runs the application: the only one of a sync worker, one of several of gthread.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::booking::{book_departing, ticket};
use super::crew::{Crew, Done, Task};
use super::exchange::Exchange;
use super::pace::Stopwatch;
use super::reactor::{Engine, Job, Work};
use super::reception::Visit;
use super::{App, Conn, Stage, Verdict};
use crate::log::notice::Notice;
use crate::sys::clock::Clock;
use crate::sys::flights::Flight;
use crate::sys::scoreboard::Slot;
use crate::sys::thread;

/// To hand more than so many bytes to the kernel takes a while.
const LARGE: usize = 64 * 1024;
/// Connections accepted between two looks at the poller.
const ACCEPTS_PER_TURN: usize = 64;

/// While calls last longer, what else is ready is kept from being lost by a kill; that takes about a
/// microsecond.
const WORTH_KEEPING: Duration = Duration::from_micros(100);

/// One application thread with what it needs for itself.
pub struct Hand<'a, A: App> {
    pub(super) crew: &'a Crew<A>,
    pub(super) app: &'a mut A,
    pub(super) clock: Clock,
    stopwatch: Stopwatch,
    /// The calling thread, as others know it.
    thread: (u64, u32),
    /// Its place among the flights, most likely.
    place: usize,
    /// It is inside of [`App::together`].
    pub(super) is_together: bool,
}

impl<'a, A: App> Hand<'a, A> {
    /// A hand of `crew`, to be used by the calling thread.
    pub fn new(crew: &'a Crew<A>, app: &'a mut A) -> Self {
        let stopwatch = Stopwatch::new(crew.shared.options.app_threads > 1);
        let (clock, thread) = (Clock::new(), thread::identity());
        crew.runner.store(thread.1, Ordering::Relaxed);
        Self { crew, app, clock, stopwatch, thread, place: 0, is_together: false }
    }

    /// Works for a crew that somebody else watches, until it leaves (gthread).
    ///
    /// # Errors
    /// Only when the poller itself fails.
    pub fn work(&mut self) -> io::Result<()> {
        let mut in_peace = false;
        loop {
            self.app.turn_over();
            self.crew.become_idle(in_peace);
            in_peace = false;
            match self.crew.next_task() {
                Task::Run(job) => {
                    let done = self.perform(job);
                    in_peace = done.can_wait();
                    self.crew.give_back(done);
                }
                Task::Lead(engine) => self.lead(engine)?,
                Task::Leave => return Ok(()),
            }
        }
    }

    /// Leads for as long as calls are short: runs what is ready itself, one call after the other.
    fn lead(&mut self, mut engine: Box<Engine<A>>) -> io::Result<()> {
        let inline_up_to = self.crew.shared.options.inline_up_to;
        loop {
            let mut accepts = 0;
            let mut stretch = engine.stretch();
            loop {
                while engine.has_work() && stretch.goes_on(engine.clock.now_ns()) {
                    if engine.pace.is_long(inline_up_to) {
                        self.crew.offer(engine);
                        return Ok(());
                    }
                    let Some(mut job) = engine.next_job() else { break };
                    engine.keep_more(Some(&mut job));
                    engine.keep_ready(engine.pace.is_long(WORTH_KEEPING));
                    if self.crew.must_ring() {
                        engine.secure(&mut job);
                    }
                    let flight = self.take_up(&mut job);
                    self.crew.leave_in_seat(engine);
                    let done = self.run(job, flight);
                    match self.crew.take_seat() {
                        Some(back) => engine = back,
                        None => {
                            // It lasted, and the watcher has the engine.
                            self.crew.give_back(done);
                            return Ok(());
                        }
                    }
                    engine.clock.advance(done.ended_ns);
                    engine.take_back(done);
                }
                accepts += 1;
                let serves = self.app.stage() == Stage::Serving;
                let more = serves && accepts <= ACCEPTS_PER_TURN && !engine.has_work();
                if !more || engine.accept() != Visit::Came {
                    break;
                }
                stretch.lengthen();
            }
            self.say_notices(&mut engine);
            self.app.turn_over();
            if self.crew.is_leaving() {
                return Ok(());
            }
            if self.app.stage() != Stage::Serving || engine.drain.is_on() {
                // The way out is the watcher's business.
                self.crew.offer(engine);
                return Ok(());
            }
            // This thread is free. There may have been too many connections, or a pause.
            engine.open_doors()?;
            engine.turn(true)?;
        }
    }

    /// Runs one request, and sends what the client takes at once.
    fn perform(&mut self, mut job: Job<A>) -> Done<A> {
        let flight = self.take_up(&mut job);
        self.run(job, flight)
    }

    /// A request is about to run, here: from now on it is told of. To be called before the engine is left to others, who
    /// may read somebody else where all there is of this request lies.
    pub(super) fn take_up(&mut self, job: &mut Job<A>) -> Option<Flight<'a>> {
        let Job { conn, work, .. } = job;
        self.clock.tick();
        let shared = &self.crew.shared;
        let begun_ns = self.clock.now_ns();
        match shared.slot.map(Slot::work) {
            Some(work) if self.is_alone() => work.begin_alone(begun_ns),
            Some(work) => work.begin(begun_ns),
            None => {}
        }
        if work.has_request() {
            conn.name_request(shared.options.id_header.as_ref());
        }
        let flight = match work {
            Work::Request => self.depart(conn),
            Work::Refusal(_) => None,
        };
        if flight.is_some() {
            conn.note_flight(flight.map(Flight::name));
        }
        conn.booking = None;
        if flight.is_none() || shared.timekeeper.is_some() {
            // The watch over its time may answer it before the application begins.
            conn.lift();
        }
        flight
    }

    /// Runs a request that was [taken up](Self::take_up) as `flight`.
    pub(super) fn run(&mut self, job: Job<A>, flight: Option<Flight<'a>>) -> Done<A> {
        let Job { mut conn, work, .. } = job;
        let (shared, begun_ns) = (&self.crew.shared, self.clock.now_ns());
        let (clock, stopwatch) = (&mut self.clock, &mut self.stopwatch);
        let mut exchange = Exchange::new(shared, clock, stopwatch, &mut conn, flight);
        let mut verdict = match work {
            Work::Request => {
                exchange.is_prompt = self.is_together;
                if let Err(error) = exchange.take_off() {
                    self.app.notice(&Notice::SocketError { error: error.to_string() });
                }
                let verdict = self.app.call(&mut exchange);
                exchange.conclude_as_it_is();
                exchange.land().unwrap_or(verdict)
            }
            Work::Refusal(refusal) => {
                self.app.refused(&mut exchange, &refusal);
                exchange.refuse(&refusal);
                if refusal.is_silent() { Verdict::Drop } else { Verdict::Close }
            }
        };
        if let (Verdict::Close, Some(tls)) = (verdict, exchange.conn().tls()) {
            tls.part();
        }
        // Here and now: whoever leads may be busy.
        let lasts = self.is_together && exchange.conn.outbox.in_memory() > LARGE;
        let mut flush = || if lasts { A::apart(|| exchange.flush()) } else { exchange.flush() };
        if verdict != Verdict::Drop && flush().is_err() {
            verdict = Verdict::Drop;
        }
        let is_owed = verdict != Verdict::Drop && conn.owes();
        if let Some(flight) = flight {
            if let (Some(flights), true) = (&shared.flights, is_owed) {
                book_departing(flights, &mut conn, begun_ns, flight);
            }
            flight.end();
        }
        let rest = is_owed.then(|| {
            let (most, dir) = (shared.options.waiting_memory, shared.options.spool_dir.as_deref());
            shared.hoard.set_aside(&mut conn.outbox, most, dir)
        });
        self.clock.tick();
        let ended_ns = self.clock.now_ns();
        match shared.slot.map(Slot::work) {
            Some(work) if self.is_alone() => work.end_alone(begun_ns, ended_ns),
            Some(work) => work.end(begun_ns, ended_ns),
            None => {}
        }
        let lap = self.stopwatch.stop(&self.clock);
        Done { conn, verdict, rest, ended_ns, lap }
    }

    /// Whether no other thread of the worker runs the application.
    fn is_alone(&self) -> bool {
        self.crew.shared.options.app_threads == 1
    }

    /// Notes the request of `conn`, for whoever will have to tell of it.
    fn depart(&mut self, conn: &Conn<A>) -> Option<Flight<'a>> {
        let flights = self.crew.shared.flights.as_ref()?;
        let ticket = ticket(conn, self.clock.now_ns(), self.thread);
        match self.is_alone() {
            true => flights.begin_alone(&mut self.place, &ticket),
            false => flights.begin(&mut self.place, &ticket),
        }
    }

    pub(super) fn say_notices(&mut self, engine: &mut Engine<A>) {
        engine.say_notices(self.app);
    }
}
