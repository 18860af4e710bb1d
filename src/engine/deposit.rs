//! What a worker deposits, so that a kill costs only what runs: its idle connections, requests that
//! are being received, those that wait for a thread. Why and how: docs/design/dispatch.md.
//!
//! A deposited connection is *held* only while it is at home in the table, or in the ready queue, and
//! nobody does anything with it. Whoever takes it up *lifts* it first; from there on a kill closes it.

use std::sync::Arc;
use std::time::Duration;

use super::App;
use super::booking::Booking;
use super::burden::Allowance;
use super::conn::{Conn, Phase};
use super::dispatch::may_travel;
use super::parcel::Parcel;
use super::reactor::{Engine, Job, Work};
use crate::log::notice::Notice;
use crate::sys::handoff::MESSAGE_BYTES;
use crate::sys::poller::Token;
use crate::sys::socket;
use crate::sys::vault::{Name, RECORD_BYTES, State, Vault};

/// As much of a body goes along with its head; more goes into a file.
const BODY_IN_RECORD: usize = 4 * 1024;
/// What a body that is moved to a file costs, in moves.
const FILE_MOVES: u64 = 4;
const BYTES_PER_MOVE: usize = 16 * 1024;
/// Stale messages are taken out so often.
const PURGE_AFTER: Duration = Duration::from_millis(100);
/// Room for so many tokens before those are looked for that lead nowhere.
const SURPLUS: usize = 256;

/// What is known of a connection without the bytes of its request, where that suffices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// It has come and not spoken.
    Silent,
    /// It is between two requests.
    Idle,
    /// More has to be known of it.
    Other,
}

/// A connection's place in the vault. Its message is stale when this is dropped.
#[derive(Debug)]
pub(super) struct Deposit {
    vault: Arc<Vault>,
    name: Name,
    /// What the message has.
    message: Form,
    /// What was written last.
    written: Form,
    /// A file with a body goes along.
    has_file: bool,
}

impl Deposit {
    /// Somebody takes the connection up. False: it is in the vault no more.
    fn lift(&self) -> bool {
        match self.vault.state(self.name) {
            Some(State::Away) => true,
            _ => self.vault.put(self.name, State::Away),
        }
    }

    /// Holds it as it was deposited or written before. False: it has changed since.
    fn hold(&self, form: Form) -> bool {
        let state = match form {
            Form::Other => return false,
            _ if self.has_file => return false,
            form if form == self.message => State::Held,
            form if form == self.written => State::HeldAsWritten,
            Form::Idle | Form::Silent => return false,
        };
        self.vault.note_flight(self.name, None);
        self.vault.put(self.name, state)
    }

    fn is_held(&self) -> bool {
        !matches!(self.vault.state(self.name), None | Some(State::Away))
    }
}

impl Drop for Deposit {
    fn drop(&mut self) {
        self.vault.withdraw(self.name);
    }
}

/// What the engine knows of its vault.
#[derive(Debug)]
pub(super) struct Deposits {
    vault: Option<Arc<Vault>>,
    /// Connections that were put down and are not deposited.
    strangers: Vec<Token>,
    /// Those that are, but not held as they are now.
    changed: Vec<Token>,
    pub(super) allowance: Allowance,
    next_purge_ns: u64,
    buffer: Vec<u8>,
}

impl Deposits {
    pub(super) fn of(vault: Option<Arc<Vault>>) -> Self {
        Self {
            vault,
            strangers: Vec::new(),
            changed: Vec::new(),
            allowance: Allowance::default(),
            next_purge_ns: 0,
            buffer: Vec::new(),
        }
    }
}

impl Deposits {
    /// When stale messages are to be taken out, if there are any.
    pub(super) fn next_purge_ns(&self) -> Option<u64> {
        let stale = self.vault.as_ref().is_some_and(|vault| vault.stale() > 0);
        stale.then_some(self.next_purge_ns)
    }
}

impl<A: App> Conn<A> {
    /// Somebody does something with it from here on: a kill closes it.
    #[inline]
    pub(super) fn lift(&self) {
        if let Some(deposit) = &self.deposit {
            deposit.lift();
        }
    }

    /// Somebody else has the socket from here on: its end is not ours to make.
    pub fn withdraw(&mut self) {
        self.deposit = None;
    }

    /// Ends a connection that has a duplicate in the vault, which would keep it open.
    pub(super) fn cut(&mut self) {
        let Some(deposit) = self.deposit.take() else { return };
        if let (true, Some(fd)) = (deposit.lift(), self.socket()) {
            socket::cut(fd);
        }
    }

    /// The request that a file went along with is over, or its thread has another flight.
    pub(super) fn note_flight(&self, flight: Option<(usize, u64)>) {
        if let Some(deposit) = &self.deposit {
            deposit.vault.note_flight(deposit.name, flight);
        }
    }

    fn form(&self) -> Form {
        match (self.phase, self.filled, self.served) {
            (Phase::Head, 0, 0) if !self.preamble_over => Form::Silent,
            (Phase::Head, 0, 1..) => Form::Idle,
            _ => Form::Other,
        }
    }

    /// Whether a sibling could go on with it.
    fn is_holdable(&self) -> bool {
        let at_rest = matches!(self.phase, Phase::Head | Phase::Body);
        at_rest && !self.ended && !self.owes() && self.tls.is_none()
    }
}

impl<A: App> Engine<A> {
    /// A connection is put down.
    #[inline]
    pub(super) fn keep(&mut self, conn: &mut Conn<A>) {
        if self.deposits.vault.is_none() || !conn.is_holdable() {
            return;
        }
        let list = match &conn.deposit {
            None => &mut self.deposits.strangers,
            Some(deposit) if deposit.hold(conn.form()) => return,
            Some(_) => &mut self.deposits.changed,
        };
        if std::mem::replace(&mut conn.is_listed, true) {
            return;
        }
        if list.len() >= SURPLUS.max(2 * self.table.len()) {
            list.retain(|token| self.table.knows(*token));
        }
        list.push(conn.token);
    }

    /// Deposits who was put down since, as far as there is room and it may cost that; before a wait, or
    /// a call that may last.
    pub(super) fn deposit_all(&mut self) {
        if self.deposits.vault.is_none() {
            return;
        }
        self.purge();
        let deposits = &mut self.deposits;
        let mut listed = std::mem::take(&mut deposits.changed);
        let may = !deposits.strangers.is_empty() && deposits.allowance.is_left();
        let room = deposits.vault.as_ref().is_some_and(|vault| vault.has_room());
        if may && room && !self.drain.is_on() {
            listed.append(&mut deposits.strangers);
        }
        let mut later = Vec::new();
        for token in listed.drain(..) {
            let Some(mut conn) = self.table.take(token) else {
                if self.table.knows(token) {
                    later.push(token);
                }
                continue;
            };
            let left = conn.is_holdable() && !self.hold(&mut conn, false) && conn.deposit.is_none();
            conn.is_listed = left;
            if left {
                later.push(token);
            }
            self.table.settle(conn);
        }
        // The room for tokens stays.
        self.deposits.changed = listed;
        self.deposits.strangers.append(&mut later);
    }

    /// The same with requests that are ready and wait for a thread.
    pub(super) fn deposit_ready(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        ready.iter_mut().for_each(|job| self.secure(job));
        self.ready = ready;
    }

    /// The same with one of them.
    pub(super) fn secure(&mut self, job: &mut Job<A>) {
        let wants = self.deposits.vault.is_some()
            && matches!(job.work, Work::Request)
            && !job.conn.ended
            && !job.conn.owes()
            && !job.conn.deposit.as_ref().is_some_and(Deposit::is_held);
        if wants && may_travel(job) {
            self.hold(&mut job.conn, true);
        }
    }

    /// Deposits a connection, if it is not, and holds it as it is now. False: it is not held.
    fn hold(&mut self, conn: &mut Conn<A>, ready: bool) -> bool {
        let form = if ready { Form::Other } else { conn.form() };
        if conn.deposit.as_ref().is_some_and(|deposit| deposit.hold(form)) {
            return true;
        }
        if !self.move_body(conn) {
            return false;
        }
        let since_ns = match ready {
            true => conn.waits_since_ns,
            false if conn.young_since_ns != 0 => conn.young_since_ns,
            false => self.clock.now_ns(),
        };
        let file = conn.spool.parts().1.is_some();
        // The file of a request before it, or none, does not serve.
        let as_deposited = conn.deposit.as_ref().is_some_and(|it| it.lift() && it.has_file == file);
        if !as_deposited {
            conn.deposit = None;
            self.deposit(conn, since_ns, ready, form);
        } else if self.pack(conn, since_ns, ready) > RECORD_BYTES {
            return false;
        } else if let Some(deposit) = &mut conn.deposit {
            if !deposit.vault.write(deposit.name, &self.message) {
                return false;
            }
            deposit.written = form;
            deposit.vault.note_flight(deposit.name, conn.booking.as_ref().map(Booking::name));
            deposit.vault.put(deposit.name, State::HeldAsWritten);
        }
        conn.deposit.is_some()
    }

    fn deposit(&mut self, conn: &mut Conn<A>, since_ns: u64, ready: bool, form: Form) {
        let Some(vault) = self.deposits.vault.clone().filter(|vault| vault.has_room()) else {
            return;
        };
        if self.pack(conn, since_ns, ready) > MESSAGE_BYTES || !self.deposits.allowance.take(1) {
            return;
        }
        match vault.deposit(&self.message, &Parcel::descriptors(conn)) {
            Ok(None) => {}
            Ok(Some(name)) => {
                let has_file = conn.spool.parts().1.is_some();
                vault.note_flight(name, conn.booking.as_ref().map(Booking::name));
                vault.put(name, State::Held);
                conn.deposit =
                    Some(Deposit { vault, name, message: form, written: Form::Other, has_file });
            }
            Err(error) => self.notices.push(Notice::SocketError { error: error.to_string() }),
        }
    }

    /// What has been received of a large body goes into a file: nobody else could have it else. False:
    /// that can't be.
    fn move_body(&mut self, conn: &mut Conn<A>) -> bool {
        let (memory, file) = conn.spool.parts();
        if file.is_some() || memory.len() <= BODY_IN_RECORD {
            return true;
        }
        let moves = FILE_MOVES + (memory.len() / BYTES_PER_MOVE) as u64;
        let has_room = self.deposits.vault.as_ref().is_some_and(|vault| vault.has_room());
        if !has_room || !self.deposits.allowance.take(moves) {
            return false;
        }
        // On a full disk it stays in memory.
        conn.spool.settle_in_file(self.shared.options.spool_dir.as_deref()).is_ok()
    }

    /// Takes out what nobody needs any more, now and then: duplicates keep sockets open.
    fn purge(&mut self) {
        let Some(vault) = self.deposits.vault.as_ref().filter(|vault| vault.stale() > 0) else {
            return;
        };
        let now_ns = self.clock.now_ns();
        if now_ns < self.deposits.next_purge_ns && vault.stale() < vault.room() / 4 {
            return;
        }
        self.deposits.next_purge_ns = now_ns + PURGE_AFTER.as_nanos() as u64;
        if let Err(error) = vault.purge(&mut self.deposits.buffer) {
            self.notices.push(Notice::SocketError { error: error.to_string() });
        }
    }
}
