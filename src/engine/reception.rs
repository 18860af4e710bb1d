//! The doors: who is let in, when nobody is, and how it starts again.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::App;
use super::reactor::{Engine, MESSAGE, SPECIAL};
use super::transport::Secured;
use crate::log::notice::Notice;
use crate::sys::handoff::Handoff;
use crate::sys::listener::Listener;
use crate::sys::poller::Token;
use crate::sys::scoreboard::Slot;
use crate::sys::tally::Event;

/// After accept(2) failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// What a look at the listeners came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// A connection was let in.
    Came,
    /// Nobody waits.
    Nobody,
    /// Somebody may wait, but can't come in now.
    NotNow,
}

/// Where a connection can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// A listening socket, by index.
    Listener(usize),
    /// The queue between workers.
    Handoff,
}

/// The doors of one worker.
#[derive(Debug)]
pub(super) struct Reception {
    listeners: Vec<Listener>,
    /// What siblings know the listeners by; stays when they are closed.
    pub(super) names: Vec<Vec<u8>>,
    pub(super) handoff: Option<Handoff>,
    /// Doors that may have somebody waiting.
    pending: VecDeque<Door>,
    /// Whether the poller watches the doors.
    open: bool,
    /// Whether it watches the listeners only: there is no free thread, but who waits shall be seen.
    lobby: bool,
    /// Monotonic nanoseconds; 0 when there is no pause.
    paused_until_ns: u64,
    /// Whether the last attempt to accept failed: a long famine is said once.
    failing: bool,
    /// The poller watches for room in the queue.
    pub(super) awaits_room: bool,
    /// What was to be put there last found too many descriptors on their way.
    pub(super) is_crowded: bool,
    /// When it is tried again then, monotonic nanoseconds.
    pub(super) room_at_ns: Option<u64>,
}

impl Reception {
    pub(super) fn new(listeners: Vec<(Listener, Vec<u8>)>, handoff: Option<Handoff>) -> Self {
        let (listeners, names) = listeners.into_iter().unzip();
        Self {
            listeners,
            names,
            handoff,
            pending: VecDeque::new(),
            open: false,
            lobby: false,
            paused_until_ns: 0,
            failing: false,
            awaits_room: false,
            is_crowded: false,
            room_at_ns: None,
        }
    }

    /// Whether anybody could come in now.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// When the pause ends, if there is one.
    pub(super) fn pause_end_ns(&self) -> Option<u64> {
        Some(self.paused_until_ns).filter(|until_ns| *until_ns != 0)
    }

    fn doors(&self) -> impl Iterator<Item = Door> + use<> {
        let handoff = self.handoff.is_some().then_some(Door::Handoff);
        handoff.into_iter().chain((0..self.listeners.len()).map(Door::Listener))
    }
}

impl<A: App> Engine<A> {
    /// Somebody waits at `door`. EPOLLEXCLUSIVE has woken nobody but us for that, so whatever else
    /// there is to do, one is let in now: a sibling can be given what we can't serve.
    pub(super) fn on_knock(&mut self, door: Door) {
        if !self.reception.pending.contains(&door) {
            self.reception.pending.push_back(door);
        }
        self.admit(door);
    }

    /// Lets one waiting connection in and reads what came with it; its request may be in the
    /// ready queue afterwards.
    pub(super) fn accept(&mut self) -> Visit {
        if !self.reception.open {
            return Visit::NotNow;
        }
        if self.table.len() >= self.shared.options.max_connections && !self.drain.is_sweeping() {
            // Opens again when a connection ends.
            self.close_doors();
            return Visit::NotNow;
        }
        if self.drain.is_sweeping() && self.reception.pending.is_empty() {
            self.reception.pending = self.reception.doors().collect();
        }
        while let Some(door) = self.reception.pending.pop_front() {
            // Last in line again: no door starves another.
            self.reception.pending.push_back(door);
            match self.admit(door) {
                Visit::Nobody => {}
                visit => return visit,
            }
        }
        Visit::Nobody
    }

    /// A thread has come free after a time in which nobody could be let in: one from each door goes
    /// before what has become ready here meanwhile, which is younger. Without, a connection whose
    /// next request comes at once would overtake the queue and the backlog for ever. The poller
    /// need not know of it.
    pub(super) fn first_come(&mut self) {
        if self.reception.open || self.reception.paused_until_ns != 0 {
            return;
        }
        let younger = std::mem::take(&mut self.ready);
        for door in self.reception.doors() {
            if self.reception.lobby && door != Door::Handoff {
                // Who has come since is younger still.
                continue;
            }
            if !self.may_admit() {
                break;
            }
            self.admit(door);
        }
        self.ready.extend(younger);
    }

    /// Watches the doors, unless there is no room, nobody is to come in, or they rest. Whoever
    /// leads calls it before each turn while an application thread is free.
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub(super) fn open_doors(&mut self) -> io::Result<()> {
        if self.reception.open || self.reception.paused_until_ns != 0 || !self.may_admit() {
            return Ok(());
        }
        self.reception.open = true;
        if self.drain.is_sweeping() {
            // Without the poller: until nobody waits at any door.
            self.reception.pending = self.reception.doors().collect();
            return Ok(());
        }
        let seen = std::mem::take(&mut self.reception.lobby);
        let mut watched = if seen { Ok(()) } else { self.watch_listeners() };
        if let (Ok(()), Some(handoff)) = (&watched, &self.reception.handoff) {
            watched = self.poller.listen(handoff.receiving(), MESSAGE);
        }
        watched.or_else(|error| self.shut_out(error))
    }

    /// There is no free thread. Watches no door, so that a sibling is woken; but where waiting is
    /// limited, or files are served, and no sibling is free either, the listeners: who waits there
    /// can't be counted, nor answered. Encrypted connections can't go to a sibling: they wait outside.
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub(super) fn doors_while_busy(&mut self) -> io::Result<()> {
        let sees = self.greets_while_busy()
            && self.tls.is_none()
            && !self.drain.is_on()
            && self.reception.paused_until_ns == 0
            && self.may_admit()
            && !self.shared.slot.is_some_and(Slot::sibling_waits);
        if !sees {
            self.close_doors();
            return Ok(());
        }
        if self.reception.lobby {
            return Ok(());
        }
        if self.reception.open {
            if let Some(handoff) = &self.reception.handoff {
                self.poller.forget(handoff.receiving());
            }
            self.reception.pending.clear();
            self.reception.open = false;
            self.reception.lobby = true;
            return Ok(());
        }
        self.reception.lobby = true;
        self.watch_listeners().or_else(|error| self.shut_out(error))
    }

    /// The doors can't be watched: for want of memory, or past fs.epoll.max_user_watches, which all
    /// processes of a user share. Nobody comes in for a while; who is in is served.
    ///
    /// # Errors
    /// `error`, when it is of another kind: it will not pass.
    fn shut_out(&mut self, error: io::Error) -> io::Result<()> {
        if !matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::StorageFull) {
            return Err(error);
        }
        self.reception.open = true;
        self.rest(&error);
        Ok(())
    }

    /// Lets nobody in for a while.
    fn rest(&mut self, error: &io::Error) {
        if !self.reception.failing {
            self.notices.push(Notice::AcceptFailed { error: error.to_string() });
        }
        self.reception.failing = true;
        self.close_doors();
        self.reception.paused_until_ns = self.clock.now_ns() + PAUSE.as_nanos() as u64;
    }

    fn watch_listeners(&self) -> io::Result<()> {
        for (index, listener) in self.reception.listeners.iter().enumerate() {
            let token = Token { place: index as u32, generation: SPECIAL };
            self.poller.listen(listener.as_fd(), token)?;
        }
        Ok(())
    }

    /// Watches no door: a sibling shall be woken instead.
    pub(super) fn close_doors(&mut self) {
        if !self.reception.open && !self.reception.lobby {
            return;
        }
        for listener in &self.reception.listeners {
            self.poller.forget(listener.as_fd());
        }
        if let Some(handoff) = &self.reception.handoff {
            self.poller.forget(handoff.receiving());
        }
        self.reception.pending.clear();
        self.reception.open = false;
        self.reception.lobby = false;
    }

    /// Ends a pause that is over.
    pub(super) fn end_pause(&mut self) {
        if self.reception.pause_end_ns().is_some_and(|until_ns| self.clock.now_ns() >= until_ns) {
            self.reception.paused_until_ns = 0;
        }
    }

    /// Closes the listeners for good: whoever comes now shall go elsewhere. What siblings hand
    /// over is still taken.
    pub(super) fn close_listeners(&mut self) {
        self.close_doors();
        self.reception.listeners.clear();
    }

    pub(super) fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.reception.listeners.iter()
    }

    fn may_admit(&self) -> bool {
        self.drain.is_sweeping()
            || self.table.len() < self.shared.options.max_connections && self.drain.lets_in()
    }

    pub(super) fn admit(&mut self, door: Door) -> Visit {
        self.leave_none_behind();
        let now_ns = self.clock.now_ns();
        let came = match door {
            Door::Handoff => self.collect(),
            Door::Listener(index) => {
                let listener = self.reception.listeners.get(index);
                match listener.map_or(Ok(None), |it| self.reading.accept(it, index, now_ns)) {
                    Ok(None) => Ok(false),
                    Ok(Some((socket, addr))) => {
                        let mut conn = self.new_conn(index, socket, addr);
                        if let Some(till) = &mut self.till {
                            till.count_event(Event::Accepted, 1);
                        }
                        if let Some(opener) = &self.tls {
                            conn.tls = Some(Box::new(Secured::new(opener.clone())));
                            // What it says is received elsewhere.
                            self.reading.end();
                        }
                        let ready = self.ready.len();
                        self.proceed(conn);
                        if self.ready.len() == ready && !self.drain.is_sweeping() {
                            // Who comes after somebody that has said nothing yet is younger still,
                            // if anybody is there at all: the poller tells, which is asked anyway.
                            self.reception.pending.retain(|pending| *pending != door);
                        }
                        Ok(true)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        match came {
            Ok(true) => {
                self.reception.failing = false;
                Visit::Came
            }
            Ok(false) => {
                self.reading.end();
                self.reception.pending.retain(|pending| *pending != door);
                Visit::Nobody
            }
            Err(error) => {
                self.reading.end();
                self.rest(&error);
                Visit::NotNow
            }
        }
    }
}
