//! One request and its response, as the application drives them.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::App;
use super::conn::Conn;
use super::pace::Stopwatch;
use super::shared::Shared;
use super::timekeeper::Timed;
use crate::http::{
    BodyDecoder, Encoder, Facts, Policy, ResponseError, ResponseFields, early_hints,
};
use crate::sys::clock::Clock;
use crate::sys::flights::{self, Flight, Mark};
use crate::sys::scoreboard::Slot;
use crate::sys::socket;
use crate::sys::spool::Spool;

/// The client will not take any more of the response.
#[derive(Debug)]
pub enum Gone {
    /// The connection broke, or a file of the response did.
    Broken(io::Error),
    /// The client read nothing for as long as it may.
    Stalled,
}

/// What is there of a request body when the application starts.
pub struct Body {
    /// What has been received.
    pub spool: Spool,
    /// What decodes the rest, when not everything has been received.
    pub rest: Option<Rest>,
}

/// The part of a large body that is still on its way.
pub struct Rest {
    /// Decodes it.
    pub decoder: BodyDecoder,
    /// Bytes already read from the socket that the decoder has not seen.
    pub unseen: Vec<u8>,
    /// How it goes.
    pub upload: Arc<Upload>,
}

/// How it goes with the part of a body that comes after the application's start.
#[derive(Debug, Default)]
pub struct Upload {
    /// To be set once it has been read to its end.
    pub over: AtomicBool,
    /// To be set when reading has failed.
    pub broken: AtomicBool,
}

/// One request and its response.
pub struct Exchange<'e, A: App> {
    pub(super) shared: &'e Shared,
    pub(super) clock: &'e mut Clock,
    stopwatch: &'e mut Stopwatch,
    pub(super) conn: &'e mut Conn<A>,
    /// The request as others see it.
    pub(super) flight: Option<Flight<'e>>,
    pub(super) encoder: Encoder,
    pub(super) broken: bool,
    last: bool,
    /// Whether the application has read the part of the body that came after its start. Until
    /// then nothing promises another request: the rest would be taken for one.
    upload: Option<Arc<Upload>>,
    /// The clock has just been read, and the application can begin without waiting.
    pub(super) is_prompt: bool,
    /// When the client was last seen to take something, while it is waited for; else 0.
    pub(super) progress_ns: u64,
    /// Something has been sent since the clock was last read.
    moved: bool,
    /// What is known of it to whoever looks at how long requests take.
    pub(super) timed: Option<Arc<Timed>>,
}

impl<'e, A: App> Exchange<'e, A> {
    pub(super) fn new(
        shared: &'e Shared,
        clock: &'e mut Clock,
        stopwatch: &'e mut Stopwatch,
        conn: &'e mut Conn<A>,
        flight: Option<Flight<'e>>,
    ) -> Self {
        let encoder = Encoder::default();
        Self {
            shared,
            clock,
            stopwatch,
            conn,
            flight,
            encoder,
            broken: false,
            last: false,
            upload: None,
            is_prompt: false,
            progress_ns: 0,
            moved: false,
            timed: None,
        }
    }

    /// The application begins. What the thread had to wait for before does not count as the
    /// application's time.
    pub fn begin(&mut self) {
        self.conn.lift();
        if !self.is_prompt {
            self.clock.tick();
        }
        self.conn.bill.begin(self.clock.now_ns());
        self.stopwatch.start(self.clock);
        self.move_on(flights::Phase::Waiting, flights::Phase::App);
    }

    /// The request as others see it: what the master can tell of it if the worker dies.
    pub fn flight(&self) -> Option<Flight<'e>> {
        self.flight
    }

    /// The connection, with the request's head.
    pub fn conn(&mut self) -> &mut Conn<A> {
        self.conn
    }

    /// The thread's clock, as read at the start of the request.
    pub fn clock(&mut self) -> &mut Clock {
        self.clock
    }

    /// The connection together with the trust and parsing rules.
    pub fn conn_and_policy(&mut self) -> (&mut Conn<A>, &Policy) {
        (self.conn, &self.shared.options.policy)
    }

    /// The connection, the rules and the clock, to look at.
    pub fn facts(&self) -> (&Conn<A>, &Policy, &Clock) {
        (self.conn, &self.shared.options.policy, self.clock)
    }

    /// Trailer fields of a chunked request body that has been read to its end.
    pub fn trailers(&self) -> &[(Vec<u8>, Vec<u8>)] {
        self.conn.body.as_ref().map(BodyDecoder::trailers).unwrap_or_default()
    }

    /// How long the client may make no progress with its request body; no limit when none.
    pub fn body_timeout(&self) -> Option<Duration> {
        self.shared.options.body_timeout
    }

    /// The worker's heartbeat, for those who wait elsewhere.
    pub fn pulse(&self) -> Option<Slot> {
        self.shared.pulse()
    }

    /// Whether there is anything to take of a body.
    pub fn has_body(&self) -> bool {
        let conn = &self.conn;
        !conn.spool.is_empty() || conn.body.as_ref().is_some_and(|decoder| !decoder.is_done())
    }

    /// Takes the request body.
    pub fn take_body(&mut self) -> Body {
        let spool = std::mem::take(&mut self.conn.spool);
        let unfinished = self.conn.body.as_ref().is_some_and(|decoder| !decoder.is_done());
        let rest = if unfinished {
            let unseen = self.conn.inbox.get(self.conn.head.len..self.conn.filled);
            let unseen = unseen.unwrap_or_default().to_vec();
            self.conn.filled = self.conn.head.len;
            let upload = Arc::<Upload>::default();
            self.upload = Some(upload.clone());
            self.conn.body.take().map(|decoder| Rest { decoder, unseen, upload })
        } else {
            None
        };
        Body { spool, rest }
    }

    /// Gives the decoder of a body back that was not complete at first, so that the connection
    /// knows how it stands, and what it has not seen: the beginning of the next request.
    pub fn return_body(&mut self, decoder: BodyDecoder, unseen: &[u8]) {
        let conn = &mut self.conn;
        if decoder.is_done() {
            let end = conn.filled + unseen.len();
            if conn.inbox.len() < end {
                conn.inbox.resize(end, 0);
            }
            conn.inbox[conn.filled..end].copy_from_slice(unseen);
            conn.filled = end;
        }
        conn.body = Some(decoder);
        conn.disturb();
    }

    /// Makes this the last request of the connection, whatever the response says.
    pub fn close_after(&mut self) {
        self.conn.head.keep_alive = false;
        self.last = true;
    }

    /// Whether the connection may serve another request after this one.
    pub fn may_keep_alive(&self) -> bool {
        self.conn.head.keep_alive
            && self.shared.options.keep_alive
            && !self.shared.is_closing()
            && !self.shared.crowded.load(Ordering::Relaxed)
            && self.conn.body.as_ref().is_none_or(BodyDecoder::is_done)
            && self.upload.as_ref().is_none_or(|upload| upload.over.load(Ordering::Relaxed))
    }

    /// The response's framing and counters.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Starts the response. `keep_alive` is what the application side is ready for.
    ///
    /// # Errors
    /// [`Gone::Broken`] when the client has been told that it took too long.
    pub fn start(
        &mut self,
        status: &[u8],
        fields: &ResponseFields,
        keep_alive: bool,
    ) -> Result<(), Gone> {
        if !self.speak() {
            return Err(Gone::Broken(socket::gone()));
        }
        let facts = Facts {
            version: self.conn.head.response_version(),
            // nginx's uwsgi_pass hands them through as they are.
            chunks: !self.conn.head.uwsgi,
            is_head: self.conn.head.is_head,
            keep_alive: keep_alive && self.may_keep_alive(),
        };
        // The application may have taken its time.
        self.clock.tick();
        self.moved = false;
        let out = self.conn.outbox.tail();
        let (start, options) = (out.len(), &self.shared.options);
        let date = self.clock.http_date();
        self.encoder.head(out, &facts, status, fields, &options.server, date);
        self.sign(start, Some(fields));
        Ok(())
    }

    /// Sends an interim `103 Early Hints` (RFC 8297), unless the response has begun or the
    /// client speaks HTTP/1.0. Nor over uwsgi: nginx takes the first head for the response's.
    ///
    /// # Errors
    /// A field that is not allowed in a response.
    pub fn hint<'f>(
        &mut self,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Result<(), ResponseError> {
        let head = &self.conn.head;
        let fit = head.version >= (1, 1) && !head.uwsgi;
        if self.encoder.head_sent() || !fit || !self.speak() {
            return Ok(());
        }
        early_hints(self.conn.outbox.tail(), self.conn.head.version, fields)
    }

    /// Appends a body piece: `data`, which `keep` makes the outbox's own where it is not copied. Returns
    /// how many of its bytes belong to the response.
    pub fn push(&mut self, data: &[u8], keep: impl FnOnce() -> A::Chunk) -> usize {
        let taken = self.encoder.begin_chunk(self.conn.outbox.tail(), data.len());
        let data = data.get(..taken).unwrap_or_default();
        if taken > 0 && !self.conn.outbox.copy(data) {
            self.conn.outbox.push(keep(), taken);
        }
        self.encoder.end_chunk(self.conn.outbox.tail());
        taken
    }

    /// Appends `len` bytes of a file from `offset`. Returns how many belong to the response.
    pub fn push_file(&mut self, file: OwnedFd, offset: i64, len: u64) -> u64 {
        let ask = usize::try_from(len).unwrap_or(usize::MAX);
        let taken = self.encoder.begin_chunk(self.conn.outbox.tail(), ask) as u64;
        if taken > 0 {
            self.conn.limit_send_buffer(taken);
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
        self.send().map(drop)
    }

    /// Whether sending has failed, or reading the body: what the application raised since may be
    /// just that.
    pub fn is_broken(&self) -> bool {
        let upload = self.upload.as_ref();
        self.broken || upload.is_some_and(|upload| upload.broken.load(Ordering::Relaxed))
    }

    pub(super) fn send(&mut self) -> Result<u64, Gone> {
        if self.encoder.complete() {
            // What goes out now may be the last of it.
            self.conclude(self.encoder.status());
        }
        self.moved = true;
        let is_last = self.encoder.keeps_alive() && !self.last && self.upload.is_none();
        let sent = if is_last { self.conn.send_last() } else { self.conn.send() };
        if sent.is_err() {
            self.broken = true;
            if let Some(flight) = self.flight {
                flight.mark(Mark::ClientGone);
            }
        }
        sent.map_err(Gone::Broken)
    }

    /// Ends the response's body.
    pub fn end(&mut self) -> crate::http::Finish {
        let mut finish = self.encoder.finish(self.conn.outbox.tail());
        finish.keep_alive &= !self.last;
        if self.moved {
            // It was on its way while the application went on with it.
            self.clock.tick();
        }
        self.conn.bill.speak_last(self.clock.now_ns());
        self.conclude(self.encoder.status());
        finish
    }
}
