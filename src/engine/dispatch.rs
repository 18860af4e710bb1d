//! What goes to a sibling: requests that are ready while no application thread of this worker is
//! free. They go into one queue that all workers share and that only those with a free thread
//! read, so that over the whole server who comes first is served first.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::App;
use super::conn::{Conn, Phase, Watch};
use super::letter::{IN_FILE, INLINE, START_BYTES, open, since, start};
use super::parcel::Parcel;
use super::reactor::{Engine, Job, ROOM, Work};
use super::refusal::Refusal;
use crate::log::notice::Notice;
use crate::sys::file;
use crate::sys::handoff::{MESSAGE_BYTES, Sent};
use crate::sys::listener::PeerAddr;
use crate::sys::outflow;
use crate::sys::scoreboard::Slot;

/// A request waits so long for a thread of its own worker while no sibling is idle: for calls that
/// are short, but for a moment off the CPU, the way through the queue would cost more.
const PATIENCE: Duration = Duration::from_millis(20);
/// When too many descriptors are on their way, it is tried again after that.
const REST: Duration = Duration::from_millis(50);
/// In between it is looked for an idle sibling so often.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(2);

impl<A: App> Engine<A> {
    /// Gives what is ready to the siblings, as far as there is room in the queue: at once when one
    /// of them is idle, else after a while, so that nobody who came later is served first.
    pub(super) fn hand_over(&mut self) {
        self.give(true);
    }

    /// The same; with `at_will` false only as far as the allowance goes.
    pub(super) fn give(&mut self, at_will: bool) {
        self.hesitates = false;
        if self.reception.handoff.is_none() || self.reception.awaits_room {
            return;
        }
        let Some(oldest) = self.ready.front() else { return };
        let waited_ns = self.clock.now_ns().saturating_sub(oldest.since_ns);
        let is_due = || {
            self.shared.slot.is_none_or(Slot::sibling_waits)
                || u128::from(waited_ns) >= PATIENCE.as_nanos()
        };
        let now = at_will && is_due();
        // Several threads: one is free soon.
        let watched = self.shared.options.watched;
        let limited = self.shared.options.patience.is_limited();
        let mut staying = VecDeque::new();
        while let Some(job) = self.ready.pop_front() {
            if !may_travel(&job) {
                staying.push_back(job);
                continue;
            }
            // Where waiting is limited it is looked who has left meanwhile, which the queue hides.
            let may = now || !limited && !watched && self.burden.allowance.take(1);
            if !may {
                self.hesitates = true;
                staying.push_back(job);
                break;
            }
            // Counted before: a sibling may have taken it when the call returns.
            let slot = self.counting_slot();
            if let Some(slot) = slot {
                slot.enter_transit();
            }
            let ready = matches!(job.work, Work::Request);
            let sent = self.send_off(&job.conn, job.conn.waits_since_ns, ready);
            if let (Some(slot), Ok(false) | Err(_)) = (slot, &sent) {
                slot.leave_transit();
            }
            match sent {
                Ok(true) => {
                    self.part_with(job.conn);
                }
                Ok(false) => {
                    self.await_room();
                    staying.push_back(job);
                    break;
                }
                Err(error) => {
                    // It can't travel (EMFILE for a file to go along): it waits here.
                    self.notices.push(Notice::SocketError { error: error.to_string() });
                    staying.push_back(job);
                }
            }
        }
        staying.append(&mut self.ready);
        self.ready = staying;
        if at_will {
            self.book_ready();
        }
    }

    /// Closes what is left here of a connection that lies in the queue: it does not end with it.
    pub(super) fn part_with(&mut self, mut conn: Box<Conn<A>>) {
        if let (Some(fd), true) = (conn.socket(), conn.watch != Watch::Nothing) {
            self.poller.forget(fd);
            conn.watch = Watch::Nothing;
        }
        conn.deposit = None;
        conn.has_twin = false;
        self.close(conn);
        self.deposits.has_let_go();
    }

    /// There is room in the queue again.
    pub(super) fn has_room(&mut self) {
        if let Some(handoff) = &self.reception.handoff {
            self.poller.forget(handoff.sending());
        }
        self.reception.awaits_room = false;
    }

    /// Takes one connection out of the queue; its request is ready afterwards. False: there was
    /// none.
    ///
    /// # Errors
    /// recvmsg(2)'s.
    pub(super) fn collect(&mut self) -> io::Result<bool> {
        let Some(handoff) = &self.reception.handoff else { return Ok(false) };
        let slot = self.shared.slot;
        let came = self.reading.collect(handoff, &mut self.message, self.clock.now_ns())?;
        let Some((message, fds)) = came else {
            if let Some(slot) = slot {
                slot.clear_transit();
            }
            return Ok(false);
        };
        if let Some(slot) = slot {
            slot.leave_transit();
        }
        let since_ns = since(message).unwrap_or_default();
        let parcel = open(message, &fds)?;
        let mut fds = fds.into_iter();
        let (Some(parcel), Some(socket)) = (parcel, fds.next()) else {
            // Nobody but our own siblings writes here.
            return Err(io::ErrorKind::InvalidData.into());
        };
        let addr = parcel.peer.map_or(PeerAddr::Unix, PeerAddr::Ip);
        let listeners = &self.reception.names;
        let listener = listeners.iter().position(|name| *name == parcel.listener).unwrap_or(0);
        let mut conn = self.new_conn(listener, socket, addr);
        conn.outflow = conn.socket().and_then(outflow::of);
        // Of the worker from which it comes.
        conn.has_twin = self.deposits.are_made();
        let (ready, has_file) = (parcel.ready, parcel.has_file);
        let is_believed = parcel.come.is_empty() || parcel.is_exact;
        let file = fds.next().filter(|_| has_file);
        if !parcel.unpack(&mut conn, file, &self.shared.options.policy) {
            self.close(conn);
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.reading.keep_letter(&mut conn);
        if !is_believed && !self.is_whole(&mut conn) {
            self.close(conn);
            return Ok(true);
        }
        if !ready {
            conn.young_since_ns = since_ns;
            self.go_on(conn);
            return Ok(true);
        }
        match self.parse_head(&mut conn) {
            Ok(true) => {
                // It goes on waiting.
                conn.before_ns = self.clock.now_ns().saturating_sub(since_ns);
                self.enqueue(conn, Work::Request);
                if let Some(job) = self.ready.back_mut() {
                    job.queued = true;
                }
            }
            // Settings may have changed between there and here.
            Ok(false) => self.close(conn),
            Err(error) => self.enqueue(conn, Work::Refusal(Refusal::Parse(error))),
        }
        Ok(true)
    }

    /// A request goes on being received that a sibling had begun with; or it is judged once more.
    fn go_on(&mut self, mut conn: Box<Conn<A>>) {
        if conn.body.is_some() {
            match self.parse_head(&mut conn) {
                Ok(true) => {
                    conn.phase = Phase::Body;
                    self.shared.claim(&mut conn);
                }
                // Settings may have changed between there and here.
                Ok(false) => return self.close(conn),
                Err(error) => return self.enqueue(conn, Work::Refusal(Refusal::Parse(error))),
            }
        }
        self.proceed(conn);
    }

    /// Puts a connection into the queue; it is still to be [closed](Self::part_with) here. False: there is no room.
    ///
    /// # Errors
    /// It can't travel.
    pub(super) fn send_off(
        &mut self,
        conn: &Conn<A>,
        since_ns: u64,
        ready: bool,
    ) -> io::Result<bool> {
        let file = self.pack_within(conn, since_ns, ready, MESSAGE_BYTES)?;
        let Some(handoff) = &self.reception.handoff else { return Ok(false) };
        let mut fds = Parcel::descriptors(conn);
        fds.extend(file.as_ref().map(AsFd::as_fd));
        let bytes = &self.message[..];
        let mut sent = self.deposits.give(conn, handoff, bytes, &fds)?;
        // What is deposited may be in the way.
        if sent == Sent::Crowded && self.deposits.give_way(&self.clock, &mut self.notices) {
            sent = self.deposits.give(conn, handoff, bytes, &fds)?;
        }
        self.reception.is_crowded = sent == Sent::Crowded;
        Ok(sent == Sent::Whole)
    }

    /// Puts the message together with which a connection travels. Returns its length.
    pub(super) fn pack(&mut self, conn: &Conn<A>, since_ns: u64, ready: bool) -> usize {
        let name = self.reception.names.get(conn.listener).map_or(&[][..], Vec::as_slice);
        let parcel = Parcel::of(conn, name, ready);
        self.wrap(&parcel, since_ns)
    }

    /// The same in a message of at most `most` bytes, enough for a label: the parcel lies in the file that is
    /// returned, if that has to go along.
    ///
    /// # Errors
    /// EMFILE, ENOMEM.
    pub(super) fn pack_within(
        &mut self,
        conn: &Conn<A>,
        since_ns: u64,
        ready: bool,
        most: usize,
    ) -> io::Result<Option<File>> {
        if self.pack(conn, since_ns, ready) <= most {
            return Ok(None);
        }
        let file = file::in_memory(self.message.get(START_BYTES..).unwrap_or_default())?;
        let name = self.reception.names.get(conn.listener).map_or(&[][..], Vec::as_slice);
        self.message.clear();
        self.message.extend_from_slice(&start(IN_FILE, since_ns));
        Parcel::label(conn, name).write(&mut self.message);
        Ok(Some(file))
    }

    /// The same as it will be between two requests.
    pub(super) fn pack_idle(&mut self, conn: &Conn<A>, since_ns: u64) -> usize {
        let name = self.reception.names.get(conn.listener).map_or(&[][..], Vec::as_slice);
        let parcel = Parcel::idle(conn, name);
        self.wrap(&parcel, since_ns)
    }

    fn wrap(&mut self, parcel: &Parcel, since_ns: u64) -> usize {
        self.message.clear();
        self.message.extend_from_slice(&start(INLINE, since_ns));
        parcel.write(&mut self.message);
        self.message.len()
    }

    /// Since when the oldest request in the queue waits, monotonic nanoseconds.
    pub(super) fn oldest_in_transit(&self) -> Option<u64> {
        let mut message = [0; START_BYTES];
        let handoff = self.reception.handoff.as_ref()?;
        handoff.peek(&mut message).ok().flatten()?;
        since(&message)
    }

    /// Where what lies in the queue is counted, if anybody wants to know.
    fn counting_slot(&self) -> Option<Slot> {
        self.shared.slot
    }

    /// Nothing more is put into the queue until there is room, or a moment has passed: the poller can
    /// not tell when fewer descriptors are on their way.
    pub(super) fn await_room(&mut self) {
        let Some(handoff) = &self.reception.handoff else { return };
        if self.reception.is_crowded {
            self.reception.room_at_ns = Some(self.clock.now_ns() + REST.as_nanos() as u64);
            self.reception.awaits_room = true;
        } else if self.poller.watch_room(handoff.sending(), ROOM).is_ok() {
            // Without: it is tried again at the next event.
            self.reception.awaits_room = true;
        }
    }

    /// The moment has passed.
    pub(super) fn end_rest(&mut self) {
        let now_ns = self.clock.now_ns();
        if self.reception.room_at_ns.take_if(|at_ns| now_ns >= *at_ns).is_some() {
            self.reception.awaits_room = false;
        }
    }
}

/// Whether a sibling can do the same with it. Refusals for other reasons than the bytes
/// themselves stay; they are rare, and hold nobody. So do encrypted connections: OpenSSL's state
/// can't be put into a message.
pub(super) fn may_travel<A: App>(job: &Job<A>) -> bool {
    if job.conn.tls.is_some() {
        return false;
    }
    match &job.work {
        Work::Request => true,
        Work::Refusal(refusal) => matches!(refusal, Refusal::Parse(_)),
    }
}
