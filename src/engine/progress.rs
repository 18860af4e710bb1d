//! How a connection moves from phase to phase: every step that bytes from a client can cause.

use std::os::fd::AsFd;

use super::conn::{Conn, Phase};
use super::crew::Done;
use super::reactor::{Engine, INBOX_BYTES, Work};
use super::refusal::Refusal;
use super::transport::{Fault, Lost};
use super::{App, Verdict};
use crate::http::queue_time::waited_before;
use crate::http::{BodyDecoder, CONTINUE, Framing, ParseError, Preamble, admit, poll_preamble};
use crate::log::notice::{Notice, Phase as Expected};
use crate::sys::clock::wall_time;
use crate::sys::socket::{self, Transfer};

/// A head up to this size always has its buffer.
const LARGE_HEAD: usize = 2 * INBOX_BYTES;

/// Steps after which a connection whose requests the engine answers itself gives way to others.
const STEPS_PER_TURN: u32 = 64;

/// What a step came to.
pub(super) enum Step {
    /// Go on with the next phase at once.
    Again,
    /// Wait for the poller.
    Park,
    /// Complete: to the ready queue.
    Ready,
    /// Refused: to the ready queue, as such.
    Refuse(Refusal),
    /// Nothing more to say: end it properly.
    Finish,
    /// Gone, or hopeless: close at once.
    Close,
}

impl<A: App> Engine<A> {
    /// Takes a connection as far as it gets without waiting, and puts it where it belongs then.
    pub(super) fn proceed(&mut self, mut conn: Box<Conn<A>>) {
        // A handshake's answer; a response is sent in its own phase.
        let reading =
            matches!(conn.phase, Phase::Head | Phase::Body | Phase::Linger | Phase::Parted);
        if reading && conn.owes() && conn.send().is_err() {
            return self.close(conn);
        }
        let mut steps = 0;
        loop {
            steps += 1;
            if steps > STEPS_PER_TURN && conn.phase == Phase::FlushThenKeep {
                return self.park(conn);
            }
            let step = match conn.phase {
                // There is nothing to be read, as nearly always after a response.
                Phase::Head if conn.filled == 0 && !conn.readable => Step::Park,
                Phase::Head => self.read_head(&mut conn),
                Phase::Body => self.read_body(&mut conn),
                Phase::FlushThenKeep | Phase::FlushThenClose => self.flush(&mut conn),
                Phase::Linger | Phase::Parted => self.linger(&mut conn),
                Phase::Busy => Step::Ready,
            };
            match self.settle(conn, step) {
                Some(going_on) => conn = going_on,
                None => return,
            }
        }
    }

    /// Puts a connection where it belongs after `step`, unless it goes on.
    fn settle(&mut self, mut conn: Box<Conn<A>>, step: Step) -> Option<Box<Conn<A>>> {
        match step {
            Step::Again => return Some(conn),
            Step::Ready if self.answer_static(&mut conn) => return Some(conn),
            // What TLS has to say goes with the response, but there is none soon.
            Step::Park if conn.is_reading() && conn.owes() && conn.send().is_err() => {
                self.close(conn);
            }
            Step::Park => self.park(conn),
            Step::Ready => self.enqueue(conn, Work::Request),
            Step::Refuse(refusal) => self.enqueue(conn, Work::Refusal(refusal)),
            Step::Finish => self.finish(conn),
            Step::Close => self.close(conn),
        }
        None
    }

    /// Takes a connection back from the application.
    pub(super) fn take_back(&mut self, done: Done<A>) {
        let Done { mut conn, verdict, rest, ended_ns, lap } = done;
        match verdict {
            Verdict::Keep => conn.lift_unless_done(),
            Verdict::Close | Verdict::Drop => conn.lift(),
        }
        self.reading.end_of(&conn);
        if let Some(lap) = lap {
            self.pace.note(lap);
            self.burden.allowance.earn(lap.took_ns);
            self.deposits.allowance.earn(lap.took_ns);
        }
        match rest {
            Some(rest) => self.shared.hoard.take_over(rest),
            None => conn.settle_bill(self.till.as_mut(), ended_ns),
        }
        conn.phase = match verdict {
            Verdict::Keep => Phase::FlushThenKeep,
            Verdict::Close => Phase::FlushThenClose,
            Verdict::Drop => return self.close(conn),
        };
        self.proceed(conn);
    }

    fn read_head(&mut self, conn: &mut Conn<A>) -> Step {
        loop {
            if conn.filled > 0 {
                match self.parse_head(conn) {
                    Ok(true) => return self.after_head(conn),
                    Ok(false) => {}
                    Err(error) => return Step::Refuse(Refusal::Parse(error)),
                }
            }
            if !conn.readable {
                return Step::Park;
            }
            let full = conn.filled == conn.inbox.len() && conn.filled >= LARGE_HEAD;
            if full && self.is_short_of(conn.filled) {
                return Step::Refuse(Refusal::NoMemory);
            }
            match self.fill(conn) {
                // An end inside the head, or before it: there is nobody to answer.
                Ok(Transfer::Bytes(0)) => {
                    conn.farewell();
                    return Step::Close;
                }
                Err(lost) => return self.lose(conn, lost),
                Ok(Transfer::Bytes(_)) => {}
                Ok(Transfer::Blocked) if self.greet(conn) => {}
                Ok(Transfer::Blocked) => return Step::Park,
            }
        }
    }

    pub(super) fn parse_head(&mut self, conn: &mut Conn<A>) -> Result<bool, ParseError> {
        admit(&conn.peer, &self.shared.options.policy)?;
        if !conn.preamble_over && !self.parse_preamble(conn)? {
            return Ok(false);
        }
        let policy = &self.shared.options.policy;
        let bytes = conn.inbox.get_mut(..conn.filled).unwrap_or_default();
        let recent = Some(&mut self.recent);
        conn.reader.poll(bytes, conn.trusted, policy, recent, &mut conn.head)
    }

    /// Takes what a proxy may say before the first request. False: more of it has to come.
    fn parse_preamble(&mut self, conn: &mut Conn<A>) -> Result<bool, ParseError> {
        let bytes = conn.inbox.get(..conn.filled).unwrap_or_default();
        match poll_preamble(bytes, &conn.peer, &self.shared.options.policy)? {
            Preamble::NeedMore => return Ok(false),
            Preamble::Absent => conn.preamble_over = true,
            Preamble::Present { len, info } => {
                conn.inbox.copy_within(len..conn.filled, 0);
                conn.filled -= len;
                conn.proxy = Some(info);
                conn.preamble_over = true;
                self.reread(conn);
            }
        }
        Ok(true)
    }

    fn after_head(&mut self, conn: &mut Conn<A>) -> Step {
        if conn.trusted {
            let waited = waited_before(&conn.head, conn.head_bytes(), wall_time);
            conn.before_ns = waited.map_or(0, |waited| waited.as_nanos() as u64);
        }
        if conn.head.expect_continue {
            conn.outbox.tail().extend_from_slice(CONTINUE);
            // Where somebody else can have it, it may be said twice.
            let sent = if self.reading.lands() { conn.flush() } else { conn.send() };
            if sent.is_err() {
                return Step::Close;
            }
            if conn.owes() {
                conn.lift();
            }
        }
        if conn.head.framing == Framing::None {
            return Step::Ready;
        }
        conn.body = Some(BodyDecoder::new(conn.head.framing, &self.shared.options.policy));
        conn.phase = Phase::Body;
        self.shared.claim(conn);
        Step::Again
    }

    fn flush(&mut self, conn: &mut Conn<A>) -> Step {
        if conn.owes() {
            let is_last = conn.phase == Phase::FlushThenKeep;
            let sent = if is_last { conn.send_last() } else { conn.send() };
            if sent.is_err() {
                return Step::Close;
            }
            if conn.owes() {
                return Step::Park;
            }
        }
        // Mostly it was, by whoever took the connection back.
        if !conn.bill.is_settled() {
            conn.settle_bill(self.till.as_mut(), self.clock.now_ns());
        }
        if conn.phase == Phase::FlushThenClose {
            conn.farewell();
            return if conn.owes() { Step::Park } else { Step::Finish };
        }
        self.reading.end_of(conn);
        // Also on the way out: the client was promised that it may send another request.
        conn.next_request();
        Step::Again
    }

    fn linger(&mut self, conn: &mut Conn<A>) -> Step {
        while conn.readable {
            let Some(fd) = conn.socket.as_ref() else { return Step::Close };
            match socket::receive(fd.as_fd(), &mut self.scratch) {
                Ok(Transfer::Bytes(0)) | Err(_) => return Step::Close,
                Ok(Transfer::Bytes(_)) => {}
                Ok(Transfer::Blocked) => conn.readable = false,
            }
        }
        Step::Park
    }

    /// Nothing can be read from `conn` any more: says why, if that is worth a word.
    pub(super) fn lose(&mut self, conn: &mut Conn<A>, lost: Lost) -> Step {
        conn.bill.fail_to_read();
        let fault = match lost {
            Lost::Broken => return Step::Close,
            Lost::Fault(fault) => fault,
        };
        self.notices.push(match fault {
            Fault::Refused(error) => Notice::InvalidRequest { ip: conn.addr.ip_text(), error },
            Fault::Ragged => Notice::TlsEnded,
            Fault::Failed(error) => Notice::SocketError { error },
        });
        // TLS has told the client; the kernel must not reset the connection before it knows.
        conn.readable = true;
        Step::Finish
    }

    /// A connection made no progress for as long as its phase allows.
    pub(super) fn time_out(&mut self, conn: Box<Conn<A>>) {
        match conn.phase {
            Phase::Head if conn.filled == 0 => {
                if conn.tls.as_ref().is_some_and(|tls| tls.is_greeting()) {
                    let ip = conn.addr.ip_text();
                    self.notices.push(Notice::ClientTimeout { ip, phase: Expected::Handshake });
                }
                self.part(conn);
            }
            Phase::Head | Phase::Body => {
                let phase = if conn.phase == Phase::Head { Expected::Head } else { Expected::Body };
                self.enqueue(conn, Work::Refusal(Refusal::TimedOut(phase)));
            }
            Phase::Linger | Phase::Parted | Phase::Busy => self.close(conn),
            Phase::FlushThenKeep | Phase::FlushThenClose => {
                let ip = conn.addr.ip_text();
                self.notices.push(Notice::ClientTimeout { ip, phase: Expected::Response });
                self.close(conn);
            }
        }
    }

    /// Ends an idle connection. A request that has just come is served; one that crosses our end
    /// must not be answered by a reset, so it is listened for a moment longer.
    fn part(&mut self, mut conn: Box<Conn<A>>) {
        conn.readable = true;
        match self.read_head(&mut conn) {
            Step::Park if conn.filled == 0 => {}
            step => {
                if let Some(conn) = self.settle(conn, step) {
                    self.proceed(conn);
                }
                return;
            }
        }
        conn.farewell();
        if let Some(fd) = conn.socket() {
            socket::end_writing(fd);
        }
        conn.phase = Phase::Parted;
        self.park(conn);
    }
}
