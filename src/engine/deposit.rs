//! A connection in the vault. It is *held* only while it is at home in the table, in the ready queue, or
//! with a thread that waits for the interpreter, and nobody does anything with it. Whoever takes it up
//! *lifts* it first; from there on a kill closes it.

use std::cell::Cell;
use std::sync::Arc;

use super::conn::{Conn, Phase};
use super::{App, Verdict};
use crate::http::BodyDecoder;
use crate::sys::records::{Name, State};
use crate::sys::socket;
use crate::sys::vault::Vault;

/// As much of a body goes along with its head; more goes into a file (memfd_create(2)).
const BODY_IN_RECORD: usize = 4 * 1024;
/// What a body that is moved to one costs, in moves; and one for each so many bytes.
const FILE_MOVES: u64 = 4;
const BYTES_PER_MOVE: usize = 16 * 1024;

/// What has to be known of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing but that it is between two requests.
    Idle,
    /// It has come and not spoken.
    Silent,
    /// The bytes of its request.
    Other,
}

/// The file with a body that goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    None,
    /// That of the request that is being received, or waits; memory, to which nothing beyond
    /// `request_buffer_size` is added.
    Memory,
    /// The same in `tmp_upload_dir`.
    Current,
    /// That of a request before.
    Past,
}

/// Where a connection stands, as its record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Away,
    Held,
    /// Its request is being received, or has been, and has not begun.
    Read,
    /// The last of its response is being sent, or has been.
    Sent,
}

/// A connection's place in the vault. Its message is stale when this is dropped.
#[derive(Debug)]
pub(super) struct Deposit {
    pub(super) vault: Arc<Vault>,
    pub(super) name: Name,
    /// The message has the connection as it is between two requests.
    pub(super) is_idle: bool,
    /// What was written last.
    pub(super) written: Form,
    pub(super) file: File,
    /// As its record says, so that this need not be asked for each step of a request. Where the vault
    /// has been given up since, it is held no more, but nothing else depends on that.
    pub(super) stand: Cell<Stand>,
}

impl Deposit {
    /// Somebody takes the connection up.
    #[inline]
    pub(super) fn lift(&self) {
        if self.stand.replace(Stand::Away) != Stand::Away {
            self.vault.lift(self.name);
        }
    }

    /// Holds it, if what was deposited or written before says enough. False: it does not.
    #[inline]
    pub(super) fn hold(&self, form: Form) -> bool {
        let as_written = match form {
            Form::Idle if self.is_idle => false,
            Form::Idle | Form::Silent if form == self.written => true,
            _ => return false,
        };
        let held = self.vault.hold(self.name, as_written, None);
        self.stand.set(if held { Stand::Held } else { Stand::Away });
        held
    }

    /// Its request is received in the intake from here on, from its first byte: until somebody does more
    /// than that, what was deposited or written before says enough, with what lies there.
    pub(super) fn begin_reading(&self, form: Form) {
        let as_written = match form {
            _ if self.is_idle => false,
            Form::Idle | Form::Silent if form == self.written => true,
            _ => return self.lift(),
        };
        let read = self.vault.begin_reading(self.name, as_written);
        self.stand.set(if read { Stand::Read } else { Stand::Away });
    }

    /// The last of its response is sent from here on: when `outflow` bytes were ever written to it, it is between
    /// two requests, whoever hears of that.
    #[inline]
    pub(super) fn begin_sending(&self, outflow: u64) {
        if !self.is_idle {
            return self.lift();
        }
        let sent = self.vault.begin_sending(self.name, outflow);
        self.stand.set(if sent { Stand::Sent } else { Stand::Away });
    }

    /// The request is over to which the file belongs that goes along.
    pub(super) fn end_request(&mut self) {
        if self.file != File::None {
            self.file = File::Past;
        }
    }

    pub(super) fn is_held_or_read(&self) -> bool {
        matches!(self.stand.get(), Stand::Held | Stand::Read)
    }

    pub(super) fn is_held(&self) -> bool {
        self.stand.get() == Stand::Held
    }

    /// The same, and the vault has not been given up since.
    pub(super) fn is_still_held(&self) -> bool {
        let state = || self.vault.state(self.name);
        self.is_held() && matches!(state(), Some(State::Held | State::HeldAsWritten))
    }
}

impl Drop for Deposit {
    fn drop(&mut self) {
        self.vault.withdraw(self.name);
    }
}

impl<A: App> Conn<A> {
    /// Somebody does something with it from here on: a kill closes it.
    #[inline]
    pub(super) fn lift(&self) {
        if let Some(deposit) = &self.deposit {
            deposit.lift();
        }
        if self.deposit.is_none() || self.reading.has_stray {
            self.reading.pin();
        }
    }

    /// The application has the socket, too, from here on, perhaps for longer than we: neither its end
    /// nor its further life is ours to make.
    pub fn withdraw(&mut self) {
        self.deposit = None;
        self.is_shared = true;
    }

    /// Its response is out, as far as that is known, and nobody has taken the connection back yet: what
    /// comes on it from now on, a sibling can have.
    pub(super) fn hold_when_done(&self, verdict: Verdict) {
        let Some(deposit) = &self.deposit else { return };
        let is_over = self.body.as_ref().is_none_or(BodyDecoder::is_done);
        if verdict == Verdict::Keep && is_over && !self.owes() && !self.has_leftover() {
            deposit.hold(Form::Idle);
        }
    }

    /// Ends a connection of which a duplicate may lie in a vault, which would keep it open.
    pub(super) fn cut(&mut self) {
        if let Some(deposit) = self.deposit.take() {
            deposit.lift();
        }
        let Some(fd) = self.socket().filter(|_| self.has_twin && !self.is_shared) else { return };
        socket::cut(fd);
    }

    /// Whether a duplicate of its socket may be left when it is closed: the application's
    /// (`gunicorn.socket`), or one in a vault.
    pub(super) fn may_live_on(&self) -> bool {
        self.is_shared || self.has_twin || self.deposit.is_some()
    }

    /// The same when somebody takes it back from the application. Who sends or receives more on it does it again.
    #[inline]
    pub(super) fn lift_unless_done(&self) {
        let is_done = |it: &Deposit| matches!(it.stand.get(), Stand::Sent | Stand::Held);
        if let Some(deposit) = self.deposit.as_ref().filter(|it| !is_done(it)) {
            deposit.lift();
        }
    }

    /// The outbox has the last of a response, after which the client may send its next request.
    pub(super) fn begin_last_send(&self) {
        let Some(deposit) = &self.deposit else { return };
        let is_over = self.body.as_ref().is_none_or(BodyDecoder::is_done) && !self.has_leftover();
        match self.outflow.filter(|_| is_over && self.outbox.is_in_memory()) {
            Some(outflow) => deposit.begin_sending(outflow + self.outbox.in_memory() as u64),
            None => deposit.lift(),
        }
    }

    /// Where its request is noted, should it be rescued before it begins.
    pub(super) fn note_flight(&self, flight: Option<(usize, u64)>) {
        self.reading.note_flight(flight);
        if let Some(deposit) = self.deposit.as_ref().filter(|it| it.is_held_or_read()) {
            deposit.vault.note_flight(deposit.name, flight);
        }
    }

    pub(super) fn form(&self) -> Form {
        match (self.phase, self.filled, self.served) {
            (Phase::Head, 0, 0) if !self.preamble_over => Form::Silent,
            (Phase::Head, 0, 1..) => Form::Idle,
            _ => Form::Other,
        }
    }

    /// Whether a sibling could go on with it.
    pub(super) fn is_holdable(&self) -> bool {
        let at_rest = matches!(self.phase, Phase::Head | Phase::Body);
        at_rest && !self.ended && !self.owes() && self.tls.is_none() && !self.is_shared
    }
}

/// The file that has to go along with `conn` now.
pub(super) fn file_of<A: App>(conn: &Conn<A>) -> File {
    match conn.spool.parts().1 {
        None => File::None,
        Some(_) if conn.spool.is_shareable() => File::Memory,
        Some(_) => File::Current,
    }
}

/// Whether a body is being received that is too large for a record, and in memory.
pub(super) fn needs_file<A: App>(conn: &Conn<A>) -> bool {
    let (memory, file) = conn.spool.parts();
    file.is_none() && memory.len() > BODY_IN_RECORD
}

/// What it costs to move that to a file, in moves.
pub(super) fn cost_of_file<A: App>(conn: &Conn<A>) -> u64 {
    FILE_MOVES + (conn.spool.parts().0.len() / BYTES_PER_MOVE) as u64
}
