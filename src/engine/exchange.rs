//! One request and its response, as the application drives them.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::conn::{Conn, Phase, Watch};
use super::reactor::Engine;
use super::{App, Refusal, Verdict};
use crate::http::{
    BodyDecoder, Encoder, Facts, Policy, ResponseError, ResponseFields, early_hints, error_page,
};
use crate::sys::clock::Clock;
use crate::sys::scoreboard::Slot;
use crate::sys::spool::Spool;

/// The client will not take any more of the response.
#[derive(Debug)]
pub enum Gone {
    /// The connection broke, or a file of the response did.
    Broken(io::Error),
    /// The client read nothing for as long as it may.
    Stalled,
}

/// How a wait for a slow reader ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The application may produce more.
    Free,
    /// A signal came in: let its handler run, then wait on.
    Signal,
}

/// What is there of a request body when the application starts.
pub struct Body {
    /// What has been received.
    pub spool: Spool,
    /// Decodes the rest, when not everything has been received; with the bytes already read
    /// from the socket that it has not seen.
    pub rest: Option<(BodyDecoder, Vec<u8>)>,
}

/// One request and its response.
pub struct Exchange<'e, A: App> {
    engine: &'e mut Engine<A>,
    conn: &'e mut Conn<A>,
    encoder: Encoder,
    broken: bool,
    last: bool,
}

impl<'e, A: App> Exchange<'e, A> {
    pub(super) fn new(engine: &'e mut Engine<A>, conn: &'e mut Conn<A>) -> Self {
        Self { engine, conn, encoder: Encoder::default(), broken: false, last: false }
    }

    /// The connection, with the request's head.
    pub fn conn(&mut self) -> &mut Conn<A> {
        self.conn
    }

    /// The loop's clock, as read at the start of this turn.
    pub fn clock(&mut self) -> &mut Clock {
        &mut self.engine.clock
    }

    /// The connection together with the trust and parsing rules.
    pub fn conn_and_policy(&mut self) -> (&mut Conn<A>, &Policy) {
        (self.conn, &self.engine.options.policy)
    }

    /// The connection, the rules and the clock, to look at.
    pub fn facts(&self) -> (&Conn<A>, &Policy, &Clock) {
        (self.conn, &self.engine.options.policy, &self.engine.clock)
    }

    /// Trailer fields of a chunked request body that has been read to its end.
    pub fn trailers(&self) -> &[(Vec<u8>, Vec<u8>)] {
        self.conn.body.as_ref().map(BodyDecoder::trailers).unwrap_or_default()
    }

    /// How long the client may make no progress.
    pub fn stall_timeout(&self) -> Duration {
        self.engine.options.stall_timeout
    }

    /// The worker's heartbeat, for those who wait elsewhere.
    pub fn pulse(&self) -> Option<Slot> {
        self.engine.pulse
    }

    /// Takes the request body.
    pub fn take_body(&mut self) -> Body {
        let spool = std::mem::take(&mut self.conn.spool);
        let unfinished = self.conn.body.as_ref().is_some_and(|decoder| !decoder.is_done());
        let rest = if unfinished {
            let unseen = self.conn.inbox.get(self.conn.head.len..self.conn.filled);
            let unseen = unseen.unwrap_or_default().to_vec();
            self.conn.filled = self.conn.head.len;
            self.conn.body.take().map(|decoder| (decoder, unseen))
        } else {
            None
        };
        Body { spool, rest }
    }

    /// Gives the decoder of an unfinished body back, so that the connection knows how it stands.
    pub fn return_body(&mut self, decoder: BodyDecoder) {
        self.conn.body = Some(decoder);
        // Whatever the socket holds belongs to this body.
        self.conn.readable = true;
    }

    /// Makes this the last request of the connection, whatever the response says.
    pub fn close_after(&mut self) {
        self.conn.head.keep_alive = false;
        self.last = true;
    }

    /// Whether the connection may serve another request after this one.
    pub fn may_keep_alive(&self) -> bool {
        self.conn.head.keep_alive
            && self.engine.options.keep_alive
            && !self.engine.drain.is_on()
            && self.conn.body.as_ref().is_none_or(BodyDecoder::is_done)
    }

    /// The response's framing and counters.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Starts the response. `keep_alive` is what the application side is ready for.
    pub fn start(&mut self, status: &[u8], fields: &ResponseFields, keep_alive: bool) {
        let facts = Facts {
            version: self.conn.head.version,
            is_head: self.conn.head.is_head,
            keep_alive: keep_alive && self.may_keep_alive(),
        };
        // The application may have taken its time.
        self.engine.clock.tick();
        let out = self.conn.outbox.tail();
        let options = &self.engine.options;
        let date = self.engine.clock.http_date();
        self.encoder.head(out, &facts, status, fields, &options.server, date);
    }

    /// Sends an interim `103 Early Hints` (RFC 8297), unless the response has begun or the
    /// client speaks HTTP/1.0.
    ///
    /// # Errors
    /// A field that is not allowed in a response.
    pub fn hint<'f>(
        &mut self,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Result<(), ResponseError> {
        if self.encoder.head_sent() || self.conn.head.version < (1, 1) {
            return Ok(());
        }
        early_hints(self.conn.outbox.tail(), self.conn.head.version, fields)
    }

    /// Appends a body piece. Returns how many of its bytes belong to the response.
    pub fn push(&mut self, chunk: A::Chunk) -> usize {
        let len = chunk.as_ref().len();
        let taken = self.encoder.begin_chunk(self.conn.outbox.tail(), len);
        if taken > 0 {
            let options = &self.engine.options;
            let spilling = self.conn.outbox.in_memory() + taken > options.response_memory
                && self.conn.outbox.spilled() + taken as u64 <= options.response_limit
                && !self.conn.outbox.is_empty();
            let data = chunk.as_ref().get(..taken).unwrap_or_default();
            let dir = options.spool_dir.as_deref();
            // A full disk is no reason to fail: memory and back-pressure remain.
            if !spilling || self.conn.outbox.spill(data, dir).is_err() {
                self.conn.outbox.push(chunk, taken);
            }
        }
        self.encoder.end_chunk(self.conn.outbox.tail());
        taken
    }

    /// Appends `len` bytes of a file from `offset`. Returns how many belong to the response.
    pub fn push_file(&mut self, file: OwnedFd, offset: i64, len: u64) -> u64 {
        let ask = usize::try_from(len).unwrap_or(usize::MAX);
        let taken = self.encoder.begin_chunk(self.conn.outbox.tail(), ask) as u64;
        if taken > 0 {
            self.conn.outbox.push_file(file, offset, taken);
        }
        self.encoder.end_chunk(self.conn.outbox.tail());
        taken
    }

    /// Sends what the client takes now.
    ///
    /// # Errors
    /// [`Gone::Broken`].
    pub fn flush(&mut self) -> Result<(), Gone> {
        let Some(fd) = self.conn.socket.as_ref() else { return Ok(()) };
        let fd = std::os::fd::AsFd::as_fd(fd);
        let flushed = self.conn.outbox.flush(fd);
        self.broken |= flushed.is_err();
        flushed.map(drop).map_err(Gone::Broken)
    }

    /// Whether sending has failed: what the application raised since may be just that.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether the application may produce more before [`Exchange::wait_room`].
    pub fn has_room(&self) -> bool {
        self.conn.outbox.in_memory() <= self.engine.options.response_memory
    }

    /// Waits until the client has taken enough, or until a signal comes in. Meanwhile the loop
    /// serves the I/O of all others; the application slot stays taken.
    ///
    /// # Errors
    /// The client has gone, or makes no progress.
    pub fn wait_room(&mut self) -> Result<Room, Gone> {
        let stall_ns = nanos(self.engine.options.stall_timeout);
        let mut give_up_ns = self.engine.clock.now_ns() + stall_ns;
        self.flush()?;
        while !self.has_room() {
            self.engine.watch(self.conn, Watch::Both).map_err(Gone::Broken)?;
            self.engine.turn().map_err(Gone::Broken)?;
            if self.engine.take_signal() {
                self.engine.signalled_inside = true;
                return Ok(Room::Signal);
            }
            let before = self.conn.outbox.in_memory() as u64 + self.conn.outbox.spilled();
            if self.engine.table.catch_up(self.conn) || self.conn.ended {
                self.flush()?;
            }
            let after = self.conn.outbox.in_memory() as u64 + self.conn.outbox.spilled();
            let now_ns = self.engine.clock.now_ns();
            if after < before {
                give_up_ns = now_ns + stall_ns;
            } else if now_ns >= give_up_ns {
                return Err(Gone::Stalled);
            }
        }
        Ok(Room::Free)
    }

    /// Ends the response's body.
    pub fn end(&mut self) -> crate::http::Finish {
        let mut finish = self.encoder.finish(self.conn.outbox.tail());
        finish.keep_alive &= !self.last;
        finish
    }

    /// Puts the page for `refusal` in the outbox.
    pub fn refuse(&mut self, refusal: &Refusal) {
        let out = self.conn.outbox.tail();
        error_page(refusal.status(), refusal.reason(), &refusal.message(), out);
        // Nothing that came with it is a request.
        self.conn.readable = true;
    }

    /// Puts the 500 page in the outbox, if nothing of a response has been sent.
    pub fn fail(&mut self) -> Verdict {
        if self.encoder.head_sent() {
            return Verdict::Drop;
        }
        error_page(500, "Internal Server Error", "", self.conn.outbox.tail());
        self.conn.phase = Phase::Busy;
        Verdict::Close
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
