//! The loop's hands: waits, reads, watches and closes, for any number of connections, and keeps
//! the queue of complete requests. It never calls the application.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::conn::{Conn, Phase, Watch};
use super::deadlines::Deadlines;
use super::drain::Drain;
use super::reception::Reception;
use super::refusal::Refusal;
use super::table::Table;
use super::{App, Options};
use crate::log::notice::Notice;
use crate::sys::clock::Clock;
use crate::sys::listener::Listener;
use crate::sys::poller::{Poller, Readiness, Token};
use crate::sys::scoreboard::Slot;
use crate::sys::socket::{self, Transfer};

/// Generation of tokens that name no connection.
pub(super) const SPECIAL: u32 = u32::MAX;
const SIGNALS: Token = Token { place: u32::MAX, generation: SPECIAL };
/// Room for a request head at first; most fit, and idle connections hold none.
pub(super) const INBOX_BYTES: usize = 8 * 1024;
/// Room for reading bodies, shared by all connections.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Connections kept for reuse with their buffers.
const SPARE_CONNS: usize = 64;

/// Something for the application to do.
pub(super) enum Work {
    /// Run the request.
    Request,
    /// Tell of a request that was refused.
    Refusal(Refusal),
}

/// The I/O side of one worker.
pub struct Engine<A: App> {
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) poller: Poller,
    pub(super) table: Table<A>,
    pub(super) deadlines: Deadlines,
    pub(super) ready: VecDeque<(Box<Conn<A>>, Work)>,
    pub(super) notices: Vec<Notice>,
    pub(super) scratch: Vec<u8>,
    pub(super) drain: Drain,
    pub(super) reception: Reception,
    signals: Option<OwnedFd>,
    signalled: bool,
    /// A signal came in during a request; its Python handler may have run there.
    pub(super) signalled_inside: bool,
    events: Vec<Readiness>,
    pub(super) spare: Vec<Box<Conn<A>>>,
    inboxes: Vec<Vec<u8>>,
    pub(super) pulse: Option<Slot>,
}

impl<A: App> Engine<A> {
    /// An engine on `listeners`. `signals` is the reading end of a pipe, non-blocking, that gets a
    /// byte for each signal.
    ///
    /// # Errors
    /// EMFILE and the like from epoll.
    pub fn new(
        options: Options,
        listeners: Vec<Listener>,
        signals: Option<OwnedFd>,
        pulse: Option<Slot>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        if let Some(fd) = &signals {
            poller.watch(fd.as_fd(), SIGNALS)?;
        }
        let mut engine = Self {
            options,
            clock: Clock::new(),
            poller,
            table: Table::default(),
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            notices: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
            drain: Drain::default(),
            reception: Reception::new(listeners),
            signals,
            signalled: false,
            signalled_inside: false,
            events: Vec::new(),
            spare: Vec::new(),
            inboxes: Vec::new(),
            pulse,
        };
        engine.listen()?;
        // Before the first request, which may be the one that hangs.
        engine.beat();
        Ok(engine)
    }

    /// The loop's clock, read at least once per turn.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the engine was told.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Waits for events and does the I/O they ask for.
    ///
    /// # Errors
    /// Only when the poller itself fails.
    pub(super) fn turn(&mut self) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let waited = self.poller.wait(Some(self.wait_for()), &mut events);
        self.clock.tick();
        self.beat();
        for event in &events {
            self.on_event(event);
        }
        self.events = events;
        waited?;
        self.expire();
        self.end_pause()?;
        Ok(())
    }

    /// Whether a signal came in since the last question.
    pub(super) fn take_signal(&mut self) -> bool {
        std::mem::take(&mut self.signalled)
    }

    /// Puts a connection down until something happens to it.
    pub(super) fn park(&mut self, mut conn: Box<Conn<A>>) {
        let room = self.table.catch_up(&mut conn);
        let news = match conn.phase {
            Phase::Head | Phase::Body | Phase::Linger => conn.readable,
            Phase::FlushThenKeep | Phase::FlushThenClose => room,
            Phase::Busy => false,
        };
        if news {
            // It came while the connection was away.
            return self.proceed(conn);
        }
        let wants = if conn.outbox.is_empty() { Watch::Input } else { Watch::Both };
        if let Err(error) = self.watch(&mut conn, wants) {
            self.notices.push(Notice::SocketError { error: error.to_string() });
            return self.close(conn);
        }
        let patience = self.patience(&conn);
        let at_ns = self.clock.now_ns() + patience.as_nanos() as u64;
        self.deadlines.arm(&mut conn.deadline, conn.token, at_ns);
        if conn.filled == 0 && conn.phase == Phase::Head && !conn.inbox.is_empty() {
            self.keep_inbox(std::mem::take(&mut conn.inbox));
        }
        self.table.settle(conn);
    }

    /// Watches a connection. A change to `Both` is told to the poller each time: it re-arms the
    /// edge, so that room which is there already is reported.
    pub(super) fn watch(&mut self, conn: &mut Conn<A>, wants: Watch) -> io::Result<()> {
        let Some(fd) = conn.socket.as_ref() else { return Ok(()) };
        let fd = fd.as_fd();
        match (conn.watch, wants) {
            (Watch::Nothing, _) => {
                self.poller.watch(fd, conn.token)?;
                if wants == Watch::Both {
                    self.poller.rewatch(fd, conn.token, true)?;
                }
            }
            (_, Watch::Both) => self.poller.rewatch(fd, conn.token, true)?,
            (Watch::Both, Watch::Input) => self.poller.rewatch(fd, conn.token, false)?,
            (Watch::Input, Watch::Input) | (_, Watch::Nothing) => return Ok(()),
        }
        conn.watch = wants;
        Ok(())
    }

    /// Ends a connection whose last byte has been handed to the kernel.
    pub(super) fn finish(&mut self, mut conn: Box<Conn<A>>) {
        self.table.catch_up(&mut conn);
        if !conn.has_unread_input() {
            return self.close(conn);
        }
        if let Some(fd) = conn.socket() {
            socket::end_writing(fd);
        }
        conn.phase = Phase::Linger;
        conn.filled = 0;
        conn.readable = true;
        self.proceed(conn);
    }

    /// Closes a connection at once.
    pub(super) fn close(&mut self, mut conn: Box<Conn<A>>) {
        if let (Some(fd), true) = (conn.socket(), conn.watch != Watch::Nothing) {
            // A duplicate may live on in the application (`gunicorn.socket`).
            self.poller.forget(fd);
        }
        self.table.release(conn.token);
        conn.retire();
        if !conn.inbox.is_empty() {
            self.keep_inbox(std::mem::take(&mut conn.inbox));
        }
        if self.spare.len() < SPARE_CONNS {
            self.spare.push(conn);
        }
        self.resume_listening();
    }

    /// Reads once into the connection's inbox, growing it up to what the head may still need.
    pub(super) fn fill(&mut self, conn: &mut Conn<A>) -> io::Result<Transfer> {
        if conn.inbox.is_empty() {
            conn.inbox = self.inboxes.pop().unwrap_or_else(|| vec![0; INBOX_BYTES]);
        }
        if conn.filled == conn.inbox.len() {
            let room = conn.reader.room(conn.filled, &self.options.policy).max(1);
            let grown = conn.inbox.len() + room.min(conn.inbox.len());
            conn.inbox.resize(grown, 0);
        }
        let Some(fd) = conn.socket.as_ref() else { return Ok(Transfer::Bytes(0)) };
        let fd = fd.as_fd();
        let space = conn.inbox.get_mut(conn.filled..).unwrap_or_default();
        let asked = space.len();
        let got = socket::receive(fd, space)?;
        if let Transfer::Bytes(n) = got {
            conn.filled += n;
            // A short read has emptied the socket; what comes later is a new edge. After an
            // end was seen, read on until it is found.
            conn.readable = n > 0 && (n == asked || conn.ended);
        } else {
            conn.readable = false;
        }
        Ok(got)
    }

    fn beat(&self) {
        if let Some(slot) = self.pulse {
            slot.beat(self.clock.now_ns());
        }
    }

    fn on_event(&mut self, event: &Readiness) {
        if event.token.generation == SPECIAL {
            if event.token == SIGNALS {
                self.signalled = true;
                if let Some(fd) = &self.signals {
                    crate::sys::file::drain(fd);
                }
            } else {
                self.reception.knock(event.token.place as usize);
            }
            return;
        }
        let Some(mut conn) = self.table.take(event.token) else {
            self.table.note(event);
            return;
        };
        conn.readable |= event.readable || event.ended;
        conn.ended |= event.ended;
        self.proceed(conn);
    }

    fn expire(&mut self) {
        let now_ns = self.clock.now_ns();
        while let Some((entry_ns, token)) = self.deadlines.pop_due(now_ns) {
            let Some(conn) = self.table.peek(token) else { continue };
            if !self.deadlines.is_up(&mut conn.deadline, token, entry_ns, now_ns) {
                continue;
            }
            if let Some(conn) = self.table.take(token) {
                self.time_out(conn);
            }
        }
    }

    fn patience(&self, conn: &Conn<A>) -> Duration {
        let normal = match conn.phase {
            Phase::Head if conn.filled == 0 && conn.served > 0 => self.options.idle_timeout,
            Phase::Linger => super::drain::LAST_WORDS,
            _ => self.options.stall_timeout,
        };
        self.drain.patience(normal, conn)
    }

    fn wait_for(&self) -> Duration {
        if !self.ready.is_empty() || self.drain.is_sweeping() && self.reception.is_open() {
            return Duration::ZERO;
        }
        let now_ns = self.clock.now_ns();
        let mut until_ns = now_ns + self.options.tick.as_nanos() as u64;
        if let Some(at_ns) = self.deadlines.earliest_ns() {
            until_ns = until_ns.min(at_ns);
        }
        if let Some(at_ns) = self.reception.pause_end_ns() {
            until_ns = until_ns.min(at_ns);
        }
        // epoll counts milliseconds and rounds down: one more, or the last one is spun away.
        Duration::from_nanos(until_ns.saturating_sub(now_ns)) + Duration::from_millis(1)
    }

    fn keep_inbox(&mut self, inbox: Vec<u8>) {
        if inbox.len() == INBOX_BYTES && self.inboxes.len() < SPARE_CONNS {
            self.inboxes.push(inbox);
        }
    }
}
