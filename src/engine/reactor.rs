//! The engine: waits, reads, watches and closes, for any number of connections, and keeps the queue
//! of complete requests. It never calls the application. One thread at a time has it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::accounts::TurnedAway;
use super::burden::Burden;
use super::conn::Conn;
use super::crew::{Crew, Done};
use super::deadlines::Deadlines;
use super::drain::Drain;
use super::keeping::Deposits;
use super::line::{LULL, Line};
use super::notices::Notices;
use super::pace::Pace;
use super::reading::Reading;
use super::reception::{Door, Reception};
use super::refusal::Refusal;
use super::shared::Shared;
use super::static_files::StaticFiles;
use super::table::Table;
use super::timekeeper::Timekeeper;
use super::transport::{self, CIPHER_BYTES, Lost, Opener};
use super::unread::Unread;
use super::{App, Options};
use crate::http::{LONGEST_PREAMBLE, Recent};
use crate::sys::clock::Clock;
use crate::sys::flights::Flights;
use crate::sys::handoff::Handoff;
use crate::sys::listener::Listener;
use crate::sys::poller::{Poller, Readiness, Token};
use crate::sys::scoreboard::Slot;
use crate::sys::socket::Transfer;
use crate::sys::till::Till;
use crate::sys::vault::Vault;

/// Generation of tokens that name no connection.
pub(super) const SPECIAL: u32 = u32::MAX;
const SIGNALS: Token = Token { place: u32::MAX, generation: SPECIAL };
const BELL: Token = Token { place: u32::MAX - 1, generation: SPECIAL };
/// There are messages in the queue between workers.
pub(super) const MESSAGE: Token = Token { place: u32::MAX - 2, generation: SPECIAL };
/// There is room in it.
pub(super) const ROOM: Token = Token { place: u32::MAX - 3, generation: SPECIAL };
/// Room for a request head at first; most fit, and idle connections hold none.
pub(super) const INBOX_BYTES: usize = 8 * 1024;
/// Room for reading bodies, shared by all connections.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Connections kept for reuse with their buffers.
pub(super) const SPARE_CONNS: usize = 64;

/// Something for the application to do.
pub(super) enum Work {
    /// Run the request.
    Request,
    /// Tell of a request that was refused.
    Refusal(Refusal),
}

/// A request with its connection.
pub(super) struct Job<A: App> {
    pub(super) conn: Box<Conn<A>>,
    pub(super) work: Work,
    /// Since when it is ready, monotonic nanoseconds.
    pub(super) since_ns: u64,
    /// It has found room in the queue (`max_queue`).
    pub(super) queued: bool,
}

/// Where connections come from.
pub struct Sources {
    /// The listening sockets, each with a name that a sibling knows it by.
    pub listeners: Vec<(Listener, Vec<u8>)>,
    /// The queue between workers.
    pub handoff: Option<Handoff>,
    /// The reading end of a pipe, non-blocking, that gets a byte for each signal.
    pub signals: Option<OwnedFd>,
    /// What encrypts the connections of the listeners, if anything does.
    pub tls: Option<Arc<dyn Opener>>,
    /// Who looks at how long requests take, if anybody does.
    pub timekeeper: Option<Timekeeper>,
    /// Where the requests that run are noted, for the case that the worker dies.
    pub flights: Option<Arc<Flights>>,
    /// Where connections are deposited for that case.
    pub vault: Option<Arc<Vault>>,
}

/// The I/O side of one worker.
pub struct Engine<A: App> {
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    /// Where the worker counts, for whoever has the engine.
    pub(super) till: Option<Till>,
    pub(super) poller: Poller,
    pub(super) table: Table<A>,
    pub(super) deadlines: Deadlines,
    pub(super) ready: VecDeque<Job<A>>,
    /// Requests that application threads are done with.
    returned: Receiver<Done<A>>,
    pub(super) pace: Pace,
    pub(super) notices: Notices,
    pub(super) turned_away: TurnedAway<A>,
    /// What is served without the application (`static_map`), if anything is.
    pub(super) static_files: Option<StaticFiles>,
    pub(super) scratch: Vec<u8>,
    /// What clients said in their heads, to know it again.
    pub(super) recent: Recent,
    pub(super) tls: Option<Arc<dyn Opener>>,
    /// Room for ciphertext, shared by all connections; empty without TLS.
    pub(super) cipher: Vec<u8>,
    pub(super) drain: Drain,
    pub(super) reception: Reception,
    pub(super) signals: Option<OwnedFd>,
    pub(super) signalled: bool,
    events: Vec<Readiness>,
    pub(super) spare: Vec<Box<Conn<A>>>,
    pub(super) inboxes: Vec<Vec<u8>>,
    /// Where messages between workers are put together and taken apart.
    pub(super) message: Vec<u8>,
    pub(super) burden: Burden,
    pub(super) deposits: Deposits,
    pub(super) reading: Reading,
    pub(super) unread: Unread,
    /// Requests wait for this worker that might go to a sibling soon.
    pub(super) hesitates: bool,
    pub(super) line: Line,
    /// Threads have given connections back of late.
    pub(super) stirs: bool,
    /// How often it was left in the seat for a call.
    pub(super) calls: u64,
    /// Who has it is inside of [`App::together`].
    pub(super) is_together: bool,
}

impl<A: App> Engine<A> {
    /// An engine that serves `sources`, and the crew that is going to work with it. `slot` is the
    /// worker's place on the scoreboard.
    ///
    /// # Errors
    /// EMFILE and the like from epoll.
    pub fn new(
        options: Options,
        sources: Sources,
        slot: Option<Slot>,
    ) -> io::Result<(Box<Self>, Crew<A>)> {
        let (crew, returned) = Crew::new(options, slot, sources.timekeeper, sources.flights)?;
        let poller = Poller::new()?;
        if let Some(fd) = &sources.signals {
            poller.watch(fd.as_fd(), SIGNALS)?;
        }
        poller.watch(crew.shared.bell.as_fd(), BELL)?;
        let mut engine = Self {
            shared: crew.shared.clone(),
            clock: Clock::new(),
            till: slot.map(Slot::till),
            poller,
            table: Table::new(crew.shared.hoard.clone()),
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            returned,
            pace: Pace::default(),
            notices: Notices::default(),
            turned_away: TurnedAway::default(),
            static_files: StaticFiles::open(&crew.shared.options.static_map),
            scratch: vec![0; SCRATCH_BYTES],
            recent: Recent::default(),
            cipher: vec![0; if sources.tls.is_some() { CIPHER_BYTES } else { 0 }],
            tls: sources.tls,
            drain: Drain::default(),
            burden: Burden::of(&crew.shared.options, sources.handoff.is_some()),
            reading: Reading::of(sources.vault.as_ref()),
            deposits: Deposits::of(sources.vault),
            unread: Unread::default(),
            reception: Reception::new(sources.listeners, sources.handoff),
            signals: sources.signals,
            signalled: false,
            events: Vec::new(),
            spare: Vec::new(),
            inboxes: Vec::new(),
            message: Vec::new(),
            hesitates: false,
            line: Line::default(),
            stirs: false,
            calls: 0,
            is_together: false,
        };
        engine.open_doors()?;
        Ok((Box::new(engine), crew))
    }

    /// The loop's clock, read at least once per turn.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits for events and does the I/O they ask for. `free`: a request that is ready could be
    /// run now, so there is no waiting while there is one.
    ///
    /// # Errors
    /// Only when the poller itself fails.
    pub(super) fn turn(&mut self, free: bool) -> io::Result<()> {
        self.read_all();
        self.keep_more(None);
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let lull = self.may_lull();
        let timeout = self.wait_for(free).min(if lull { LULL } else { Duration::MAX });
        let timeout = if self.shared.doze(lull) { timeout } else { Duration::ZERO };
        let sleeps = free && self.reception.is_open() && !timeout.is_zero();
        let slot = self.shared.slot.filter(|_| sleeps);
        self.show_connections();
        if let Some(slot) = slot {
            slot.set_waiting(true);
        }
        let waited = self.poller.wait(Some(timeout), &mut events);
        if let Some(slot) = slot {
            slot.set_waiting(false);
        }
        self.shared.rise();
        let slept_ns = self.clock.now_ns();
        self.clock.tick();
        self.deposits.rest(self.clock.now_ns().saturating_sub(slept_ns), events.is_empty());
        self.look_at_course();
        self.leave_unread(events.len(), free);
        for event in &events {
            self.on_event(event);
        }
        self.events = events;
        waited?;
        self.stirs = false;
        while let Ok(done) = self.returned.try_recv() {
            self.stirs = true;
            self.take_back(done);
        }
        self.expire();
        self.end_pause();
        self.end_rest();
        self.mind_exit(free);
        self.note_crowd();
        Ok(())
    }

    /// Whether somebody may want to be served while a request runs: another connection, or who
    /// waits at the doors, if that matters.
    pub(super) fn has_others(&self) -> bool {
        self.table.len() > 1 || !self.ready.is_empty() || self.greets_while_busy()
    }

    /// Reads once into the connection's inbox, growing it up to what the head may still need.
    pub(super) fn fill(&mut self, conn: &mut Conn<A>) -> Result<Transfer, Lost> {
        if conn.inbox.is_empty() {
            conn.inbox = self.inboxes.pop().unwrap_or_else(|| vec![0; INBOX_BYTES]);
        }
        if conn.filled == conn.inbox.len() {
            let mut room = conn.reader.room(conn.filled, &self.shared.options.policy).max(1);
            if !conn.preamble_over {
                room = room.max(LONGEST_PREAMBLE.saturating_sub(conn.filled));
            }
            let grown = conn.inbox.len() + room.min(conn.inbox.len());
            conn.inbox.resize(grown, 0);
        }
        let (got, more) = match self.take_in(conn) {
            Some(came) => came?,
            None => {
                conn.lift();
                let Some(fd) = conn.socket.as_ref() else { return Ok(Transfer::Bytes(0)) };
                let space = conn.inbox.get_mut(conn.filled..).unwrap_or_default();
                let tls = conn.tls.as_deref_mut();
                transport::receive(fd.as_fd(), tls, conn.ended, space, &mut self.cipher)?
            }
        };
        conn.readable = more;
        if let Transfer::Bytes(n) = got {
            conn.filled += n;
            conn.bill.receive(n);
        }
        Ok(got)
    }

    fn on_event(&mut self, event: &Readiness) {
        if event.token.generation == SPECIAL {
            return match event.token {
                SIGNALS => self.signalled = true,
                BELL => {}
                ROOM => self.has_room(),
                MESSAGE => self.on_knock(Door::Handoff),
                listener => self.on_knock(Door::Listener(listener.place as usize)),
            };
        }
        if self.put_off(event) {
            return;
        }
        let Some(mut conn) = self.table.take_to_read(event.token) else {
            self.table.note(event);
            return;
        };
        conn.readable |= event.readable || event.ended;
        conn.ended |= event.ended;
        self.proceed(conn);
    }
}
