//! One client connection: socket, input, where it stands, output.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::App;
use super::bill::Bill;
use super::booking::Booking;
use super::deadlines::Deadline;
use super::deposit::Deposit;
use super::outbox::Outbox;
use super::table::At;
use super::timekeeper::Claim;
use super::transport::Secured;
use crate::http::{BodyDecoder, Head, HeadReader, Peer, ProxyInfo};
use crate::sys::listener::PeerAddr;
use crate::sys::poller::Token;
use crate::sys::reading_id::ReadingId;
use crate::sys::spool::Spool;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for, or inside, a request head.
    Head,
    /// The head is complete; the body is coming in.
    Body,
    /// A request is in the ready queue or with the application.
    Busy,
    /// The response is complete and waits for the client to take it; then the next request.
    FlushThenKeep,
    /// The same; then the end.
    FlushThenClose,
    /// We have said our last byte and wait for the peer's, so that the kernel does not reset
    /// the connection over bytes we never read (RFC 9112 §9.6).
    Linger,
    /// It was idle, and we have said our end. A request that is on its way already will find an end
    /// without an answer, which clients repeat, and no reset.
    Parted,
}

/// What the poller watches a connection for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Not registered yet: a request that comes with the connection never needs it.
    Nothing,
    /// Input.
    Input,
    /// Input and room to write.
    Both,
}

/// A client connection.
pub struct Conn<A: App> {
    pub(super) socket: Option<OwnedFd>,
    pub(super) token: Token,
    /// Which of the worker's listeners accepted it.
    pub listener: usize,
    /// Who connected, as the kernel says.
    pub addr: PeerAddr,
    /// The same for the trust rules.
    pub peer: Peer,
    pub(super) trusted: bool,
    /// `inbox[..filled]` has been received: the head of the current request, then what is not
    /// yet understood. The rest is scratch space; the length is the capacity.
    pub(super) inbox: Vec<u8>,
    pub(super) filled: usize,
    pub(super) phase: Phase,
    pub(super) reader: HeadReader,
    /// The current request's head; its spans lie in `inbox`.
    pub head: Head,
    pub(super) body: Option<BodyDecoder>,
    pub(super) spool: Spool,
    /// What a PROXY preamble said, for all requests of the connection.
    pub proxy: Option<ProxyInfo>,
    pub(super) preamble_over: bool,
    pub(super) outbox: Outbox<A::Chunk>,
    /// What encrypts it, if anything does.
    pub(super) tls: Option<Box<Secured>>,
    pub(super) watch: Watch,
    /// The socket may hold bytes (or an end) that were not read.
    pub(super) readable: bool,
    /// The poller saw the peer's end: read on until it is found.
    pub(super) ended: bool,
    pub(super) deadline: Deadline,
    /// Held from the end of a request's head until its response is out, if anybody counts.
    pub(super) claim: Option<Claim>,
    /// What it was counted with when it was put down.
    pub(super) weighed: usize,
    /// What it was at then.
    pub(super) at: At,
    /// Requests that were completed on this connection.
    pub served: u64,
    /// How long the current request had waited, as a proxy says, before its head was read.
    pub(super) before_ns: u64,
    /// Since when the current request waits for a thread, monotonic nanoseconds, with the time
    /// before it came here. What it waited is the time from then to its start.
    pub waits_since_ns: u64,
    /// What the current request is called; empty when it has no name.
    pub(super) request_id: Vec<u8>,
    /// Since when it has been coming, or sending the current request: monotonic nanoseconds, 0 when
    /// nobody has looked.
    pub(super) young_since_ns: u64,
    /// It is among those who may be given away before a request runs.
    pub(super) is_noted: bool,
    /// The current request is noted though no thread runs it: it has not begun, or a slow client is
    /// being sent the rest of its response.
    pub(super) booking: Option<Booking>,
    /// Where a duplicate of it lies, for the case of a kill.
    pub(super) deposit: Option<Deposit>,
    /// Bytes that were ever written to it; `None` where the kernel does not tell, or encrypted ones go out.
    pub(super) outflow: Option<u64>,
    /// The number under which the current request's head is, or was, received; 0 for none.
    pub(super) reading: ReadingId,
    /// It is among those that are to be deposited, or deposited anew.
    pub(super) is_listed: bool,
    /// The application has a duplicate of its socket.
    pub(super) is_shared: bool,
    /// Others of us may have one: some vault, or a sibling's.
    pub(super) has_twin: bool,
    /// What of all that is still to be counted.
    pub(super) bill: Bill,
    /// What the application keeps with the connection.
    pub session: A::Session,
}

impl<A: App> Conn<A> {
    pub(super) fn new(token: Token) -> Self {
        Self {
            socket: None,
            token,
            listener: 0,
            addr: PeerAddr::Unix,
            peer: Peer::Unix,
            trusted: false,
            inbox: Vec::new(),
            filled: 0,
            phase: Phase::Head,
            reader: HeadReader::default(),
            head: Head::default(),
            body: None,
            spool: Spool::default(),
            proxy: None,
            preamble_over: false,
            outbox: Outbox::default(),
            tls: None,
            watch: Watch::Nothing,
            readable: true,
            ended: false,
            deadline: Deadline::default(),
            claim: None,
            weighed: 0,
            at: At::default(),
            served: 0,
            before_ns: 0,
            waits_since_ns: 0,
            request_id: Vec::new(),
            young_since_ns: 0,
            is_noted: false,
            booking: None,
            deposit: None,
            outflow: None,
            reading: ReadingId::default(),
            is_listed: false,
            is_shared: false,
            has_twin: false,
            bill: Bill::default(),
            session: A::Session::default(),
        }
    }

    /// Closes the socket and forgets everything but the buffers.
    pub(super) fn retire(&mut self) {
        self.socket = None;
        self.filled = 0;
        self.phase = Phase::Head;
        self.reader.reset();
        self.head.clear();
        self.body = None;
        self.spool = Spool::default();
        self.proxy = None;
        self.preamble_over = false;
        self.outbox.clear();
        self.tls = None;
        self.watch = Watch::Nothing;
        self.readable = true;
        self.ended = false;
        self.deadline = Deadline::default();
        self.claim = None;
        self.served = 0;
        self.before_ns = 0;
        self.request_id.clear();
        self.young_since_ns = 0;
        self.is_noted = false;
        self.booking = None;
        self.deposit = None;
        self.outflow = None;
        self.reading = ReadingId::default();
        self.is_listed = false;
        self.is_shared = false;
        self.has_twin = false;
        self.bill = Bill::default();
        self.session = A::Session::default();
    }

    /// Names the connection within its worker; never the same for two of them.
    pub fn token(&self) -> Token {
        self.token
    }

    /// The socket; `None` once the connection has been closed.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// The bytes that `head`'s spans point into.
    pub fn head_bytes(&self) -> &[u8] {
        self.inbox.get(..self.filled).unwrap_or_default()
    }

    /// Bytes of memory that it holds beyond itself.
    pub(super) fn weight(&self) -> usize {
        let unsent = self.tls.as_ref().map_or(0, |tls| tls.unsent());
        self.inbox.len() + self.spool.in_memory() + self.outbox.held() + unsent
    }

    /// What it is at, when nothing is done for it.
    pub(super) fn phase_at(&self) -> At {
        match self.phase {
            Phase::Head if self.filled == 0 && self.served > 0 => At::Idle,
            Phase::Parted => At::Idle,
            Phase::Head | Phase::Body | Phase::Busy => At::Reading,
            Phase::FlushThenKeep | Phase::FlushThenClose | Phase::Linger => At::Writing,
        }
    }

    /// What encrypts the connection, if anything does.
    pub fn tls(&mut self) -> Option<&mut Secured> {
        self.tls.as_deref_mut()
    }

    /// Whether anything waits to be sent.
    pub(super) fn owes(&self) -> bool {
        !self.outbox.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.unsent() > 0)
    }

    /// Sends what the socket takes now. Returns how many bytes that was; [`Conn::owes`] tells
    /// whether it was all.
    ///
    /// # Errors
    /// The connection's own error, or that of a file in the outbox.
    pub(super) fn send(&mut self) -> io::Result<u64> {
        self.lift();
        self.flush()
    }

    /// The same with the last of a response, after which the client may send its next request.
    ///
    /// # Errors
    /// The same.
    pub(super) fn send_last(&mut self) -> io::Result<u64> {
        self.begin_last_send();
        self.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<u64> {
        let Some(fd) = self.socket.as_ref().map(AsFd::as_fd) else { return Ok(0) };
        let sent = match &mut self.tls {
            None => {
                let sent = self.outbox.flush(fd);
                let n = *sent.as_ref().unwrap_or(&0);
                self.bill.send(n);
                self.outflow = self.outflow.map(|before| before + n);
                sent
            }
            Some(tls) => {
                let sent = tls.flush(fd, &mut self.outbox);
                self.bill.send(tls.take_plain());
                sent
            }
        };
        if sent.is_err() {
            self.bill.fail_to_write();
        }
        sent
    }

    /// Somebody else has read from the connection: whatever it holds follows.
    pub fn disturb(&mut self) {
        self.readable = true;
        if let Some(tls) = &mut self.tls {
            tls.disturb();
        }
    }

    /// Ends what we have to say properly: TLS has a goodbye of its own, and without it a client
    /// can't tell the end from an attack. Goes out as far as the socket takes it.
    pub(super) fn farewell(&mut self) {
        if let (Some(tls), Some(fd)) = (&mut self.tls, &self.socket) {
            // A client that has gone needs none.
            let _ = tls.farewell(fd.as_fd());
        }
    }

    /// Whether it is watched, and has neither anything to send nor anything to read.
    pub(super) fn is_at_rest(&self) -> bool {
        let quiet = !self.readable && !self.ended && !self.has_leftover() && !self.owes();
        quiet && self.watch != Watch::Nothing && self.claim.is_none()
    }

    /// Whether a request is being received.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Head | Phase::Body)
    }

    /// Whether bytes of a following request were received already.
    pub(super) fn has_leftover(&self) -> bool {
        self.filled > self.head.len
    }

    /// Drops the current request's bytes and gets ready for the next one.
    pub(super) fn next_request(&mut self) {
        let used = self.head.len.min(self.filled);
        self.inbox.copy_within(used..self.filled, 0);
        self.filled -= used;
        self.head.clear();
        self.reader.reset();
        self.body = None;
        self.spool = Spool::default();
        self.served += 1;
        self.claim = None;
        self.before_ns = 0;
        self.request_id.clear();
        self.young_since_ns = 0;
        self.is_noted = false;
        self.booking = None;
        self.reading = ReadingId::default();
        if let Some(deposit) = &mut self.deposit {
            deposit.end_request();
        }
        self.bill.next();
        self.phase = Phase::Head;
    }

    /// Whether closing now could make the kernel reset the connection before the peer has read
    /// the response.
    pub(super) fn has_unread_input(&self) -> bool {
        self.readable || self.has_leftover() || self.body.as_ref().is_some_and(|b| !b.is_done())
    }
}
