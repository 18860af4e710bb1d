//! One request and its response, as the application drives them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::conn::{Conn, Phase};
use super::crew::Shared;
use super::pace::Stopwatch;
use super::timekeeper::Timed;
use super::{App, Refusal, Verdict};
use crate::http::{
    BodyDecoder, Encoder, Facts, Policy, ResponseError, ResponseFields, early_hints, error_page,
};
use crate::sys::clock::{Clock, monotonic_ns};
use crate::sys::flights::{self, Flight, Mark};
use crate::sys::scoreboard::Slot;
use crate::sys::socket;
use crate::sys::spool::Spool;

/// Between two looks for signals while a slow reader is waited for.
const A_MOMENT: Duration = Duration::from_secs(1);

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
    /// Let signal handlers run, then wait on.
    NotYet,
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
    /// To be set once it has been read to its end.
    pub over: Arc<AtomicBool>,
}

/// One request and its response.
pub struct Exchange<'e, A: App> {
    pub(super) shared: &'e Shared,
    clock: &'e mut Clock,
    stopwatch: &'e mut Stopwatch,
    pub(super) conn: &'e mut Conn<A>,
    /// The request as others see it.
    pub(super) flight: Option<Flight<'e>>,
    pub(super) encoder: Encoder,
    pub(super) broken: bool,
    last: bool,
    /// Whether the application has read the part of the body that came after its start. Until
    /// then nothing promises another request: the rest would be taken for one.
    body_over: Option<Arc<AtomicBool>>,
    /// When the client was last seen to take something, while it is waited for; else 0.
    progress_ns: u64,
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
            body_over: None,
            progress_ns: 0,
            moved: false,
            timed: None,
        }
    }

    /// The application begins. What the thread had to wait for before does not count as the
    /// application's time.
    pub fn begin(&mut self) {
        self.clock.tick();
        self.conn.bill.begin(self.clock.now_ns());
        self.stopwatch.start(self.clock);
        if let Some(flight) = self.flight {
            flight.advance(flights::Phase::Waiting, flights::Phase::App);
        }
    }

    /// How long the request had waited, here and where a proxy says, before the application began
    /// or, if it has not, until now. `None` when that is not known.
    pub fn waited_ns(&self) -> Option<u64> {
        let until_ns = self.conn.bill.begun_ns().unwrap_or(self.clock.now_ns());
        let since_ns = Some(self.conn.waits_since_ns).filter(|since_ns| *since_ns != 0);
        since_ns.map(|since_ns| until_ns.saturating_sub(since_ns))
    }

    /// How long it has been with the application, up to the clock's last tick.
    pub fn ran_ns(&self) -> u64 {
        self.conn.bill.begun_ns().map_or(0, |begun_ns| self.clock.now_ns().saturating_sub(begun_ns))
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

    /// Takes the request body.
    pub fn take_body(&mut self) -> Body {
        let spool = std::mem::take(&mut self.conn.spool);
        let unfinished = self.conn.body.as_ref().is_some_and(|decoder| !decoder.is_done());
        let rest = if unfinished {
            let unseen = self.conn.inbox.get(self.conn.head.len..self.conn.filled);
            let unseen = unseen.unwrap_or_default().to_vec();
            self.conn.filled = self.conn.head.len;
            let over = Arc::new(AtomicBool::new(false));
            self.body_over = Some(over.clone());
            self.conn.body.take().map(|decoder| Rest { decoder, unseen, over })
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
            && self.body_over.as_ref().is_none_or(|over| over.load(Ordering::Relaxed))
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
        let options = &self.shared.options;
        let date = self.clock.http_date();
        self.encoder.head(out, &facts, status, fields, &options.server, date);
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

    /// Appends a body piece. Returns how many of its bytes belong to the response.
    pub fn push(&mut self, chunk: A::Chunk) -> usize {
        let len = chunk.as_ref().len();
        let taken = self.encoder.begin_chunk(self.conn.outbox.tail(), len);
        if taken > 0 {
            self.conn.outbox.push(chunk, taken);
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
        self.send().map(drop)
    }

    /// Whether sending has failed: what the application raised since may be just that.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether the application may produce more before [`Exchange::wait_room`].
    pub fn has_room(&self) -> bool {
        self.conn.outbox.in_memory() <= self.shared.options.response_memory
    }

    /// Makes room: sends what the client takes, and moves the rest to the unlinked file. When that
    /// is full, waits for the client, for a moment: signal handlers may want to run. Meanwhile the watcher serves the I/O of all others; the application slot stays taken.
    ///
    /// # Errors
    /// The client has gone, or makes no progress.
    pub fn wait_room(&mut self) -> Result<Room, Gone> {
        self.send()?;
        if !self.has_room() {
            let options = &self.shared.options;
            let dir = options.spool_dir.as_deref();
            // A full disk is no reason to fail: memory and back-pressure remain.
            let _ = self.conn.outbox.spill(options.response_limit, dir);
        }
        if self.progress_ns == 0 {
            self.clock.tick();
            self.progress_ns = self.clock.now_ns();
        }
        if let Some(fd) = self.conn.socket().filter(|_| !self.has_room()) {
            socket::wait_writable(fd, A_MOMENT).map_err(Gone::Broken)?;
            self.clock.tick();
            let now_ns = self.clock.now_ns();
            // A slow reader is no reason for the arbiter to think that the worker hangs.
            self.shared.beat(now_ns);
            if self.send()? > 0 {
                self.progress_ns = now_ns;
            } else {
                let patience_ns = self.shared.options.write_timeout.map_or(u64::MAX, nanos);
                if now_ns - self.progress_ns >= patience_ns {
                    return Err(Gone::Stalled);
                }
            }
        }
        if !self.has_room() {
            return Ok(Room::NotYet);
        }
        self.progress_ns = 0;
        Ok(Room::Free)
    }

    /// Sends what has been encrypted already, and waits for the client to take it.
    ///
    /// # Errors
    /// The client has gone, or makes no progress.
    pub fn settle(&mut self) -> Result<(), Gone> {
        let mut since_ns = monotonic_ns();
        while let Some(tls) = self.conn.tls.as_mut().filter(|tls| tls.unsent() > 0) {
            let Some(fd) = self.conn.socket.as_ref().map(AsFd::as_fd) else { return Ok(()) };
            let now_ns = monotonic_ns();
            self.shared.beat(now_ns);
            if tls.pay(fd).map_err(Gone::Broken)? > 0 {
                since_ns = now_ns;
                continue;
            }
            if now_ns - since_ns >= self.shared.options.write_timeout.map_or(u64::MAX, nanos) {
                return Err(Gone::Stalled);
            }
            socket::wait_writable(fd, A_MOMENT).map_err(Gone::Broken)?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<u64, Gone> {
        if self.encoder.complete() {
            // What goes out now may be the last of it.
            self.conclude(self.encoder.status());
        }
        self.moved = true;
        let sent = self.conn.send();
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

    /// Puts the page for `refusal` in the outbox.
    pub fn refuse(&mut self, refusal: &Refusal) {
        if !self.speak() {
            return;
        }
        self.conclude_refused(refusal, self.clock.now_ns());
        refusal.answer(self.conn.outbox.tail());
        // Nothing that came with it is a request.
        self.conn.readable = true;
    }

    /// Puts the 500 page in the outbox, if nothing of a response has been sent.
    pub fn fail(&mut self) -> Verdict {
        if self.encoder.head_sent() || !self.speak() {
            return Verdict::Drop;
        }
        self.conn.bill.speak_last(self.clock.now_ns());
        self.conclude(500);
        error_page(500, "Internal Server Error", "", self.conn.outbox.tail());
        self.conn.phase = Phase::Busy;
        Verdict::Close
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
