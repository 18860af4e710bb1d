//! How a connection moves from phase to phase: every step that bytes from a client can cause.

use std::os::fd::AsFd;

use super::conn::{Conn, Phase};
use super::reactor::{Engine, Work};
use super::refusal::Refusal;
use super::{App, Verdict};
use crate::http::{BodyDecoder, BodyEvent, CONTINUE, Framing, ParseError, Preamble, poll_preamble};
use crate::log::notice::{Notice, Phase as Expected};
use crate::sys::socket::{self, Transfer};

/// What a step came to.
enum Step {
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
        loop {
            let step = match conn.phase {
                Phase::Head => self.read_head(&mut conn),
                Phase::Body => self.read_body(&mut conn),
                Phase::FlushThenKeep | Phase::FlushThenClose => self.flush(&mut conn),
                Phase::Linger => self.linger(&mut conn),
                Phase::Busy => Step::Ready,
            };
            match step {
                Step::Again => {}
                Step::Park => return self.park(conn),
                Step::Ready => {
                    conn.phase = Phase::Busy;
                    conn.deadline.disarm();
                    return self.ready.push_back((conn, Work::Request));
                }
                Step::Refuse(error) => {
                    conn.phase = Phase::Busy;
                    conn.deadline.disarm();
                    return self.ready.push_back((conn, Work::Refusal(error)));
                }
                Step::Finish => return self.finish(conn),
                Step::Close => return self.close(conn),
            }
        }
    }

    /// Takes a connection back from the application.
    pub(super) fn take_back(&mut self, mut conn: Box<Conn<A>>, verdict: Verdict) {
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
            match self.fill(conn) {
                // An end inside the head, or before it: there is nobody to answer.
                Ok(Transfer::Bytes(0)) | Err(_) => return Step::Close,
                Ok(Transfer::Bytes(_)) => {}
                Ok(Transfer::Blocked) => return Step::Park,
            }
        }
    }

    fn parse_head(&mut self, conn: &mut Conn<A>) -> Result<bool, ParseError> {
        let policy = &self.options.policy;
        if !conn.preamble_over {
            let bytes = conn.inbox.get(..conn.filled).unwrap_or_default();
            match poll_preamble(bytes, &conn.peer, policy)? {
                Preamble::NeedMore => return Ok(false),
                Preamble::Absent => {}
                Preamble::Present { len, info } => {
                    conn.inbox.copy_within(len..conn.filled, 0);
                    conn.filled -= len;
                    conn.proxy = Some(info);
                }
            }
            conn.preamble_over = true;
        }
        let bytes = conn.inbox.get_mut(..conn.filled).unwrap_or_default();
        conn.reader.poll(bytes, conn.trusted, policy, &mut conn.head)
    }

    fn after_head(&mut self, conn: &mut Conn<A>) -> Step {
        if conn.head.expect_continue {
            conn.outbox.tail().extend_from_slice(CONTINUE);
            if let Some(fd) = conn.socket.as_ref() {
                if conn.outbox.flush(fd.as_fd()).is_err() {
                    return Step::Close;
                }
            }
        }
        if conn.head.framing == Framing::None {
            return Step::Ready;
        }
        conn.body = Some(BodyDecoder::new(conn.head.framing, &self.options.policy));
        conn.phase = Phase::Body;
        Step::Again
    }

    fn read_body(&mut self, conn: &mut Conn<A>) -> Step {
        loop {
            match self.decode(conn) {
                Ok(true) => return Step::Ready,
                Ok(false) => {}
                Err(refusal) => return Step::Refuse(refusal),
            }
            if !conn.readable {
                return Step::Park;
            }
            let Some(fd) = conn.socket.as_ref() else { return Step::Close };
            let asked = self.scratch.len();
            match socket::receive(fd.as_fd(), &mut self.scratch) {
                Ok(Transfer::Bytes(0)) => return Step::Refuse(Refusal::CutShort),
                Ok(Transfer::Bytes(n)) => {
                    conn.readable = n == asked || conn.ended;
                    let at = conn.filled;
                    if conn.inbox.len() < at + n {
                        conn.inbox.resize(at + n, 0);
                    }
                    conn.inbox[at..at + n].copy_from_slice(&self.scratch[..n]);
                    conn.filled += n;
                }
                Ok(Transfer::Blocked) => {
                    conn.readable = false;
                    return Step::Park;
                }
                Err(_) => return Step::Close,
            }
        }
    }

    /// Decodes what the inbox holds behind the head. True: the application may start.
    fn decode(&mut self, conn: &mut Conn<A>) -> Result<bool, Refusal> {
        let Some(decoder) = &mut conn.body else { return Ok(true) };
        let start = conn.head.len;
        let mut at = start;
        let complete = loop {
            let input = conn.inbox.get(at..conn.filled).unwrap_or_default();
            let (used, event) = decoder.next(input).map_err(Refusal::BadBody)?;
            match event {
                BodyEvent::Data { start, end } => {
                    let data = input.get(start..end).unwrap_or_default();
                    let dir = self.options.spool_dir.as_deref();
                    conn.spool
                        .append(data, self.options.body_memory, dir)
                        .map_err(|error| Refusal::NoSpool(error.to_string()))?;
                    at += used;
                }
                BodyEvent::NeedMore => {
                    at += used;
                    break false;
                }
                BodyEvent::End => {
                    at += used;
                    break true;
                }
            }
        };
        conn.inbox.copy_within(at..conn.filled, start);
        conn.filled -= at - start;
        Ok(complete || conn.spool.len() >= self.options.body_limit)
    }

    fn flush(&mut self, conn: &mut Conn<A>) -> Step {
        if !conn.outbox.is_empty() {
            let Some(fd) = conn.socket.as_ref() else { return Step::Close };
            if conn.outbox.flush(fd.as_fd()).is_err() {
                return Step::Close;
            }
            if !conn.outbox.is_empty() {
                return Step::Park;
            }
        }
        if conn.phase == Phase::FlushThenClose {
            return Step::Finish;
        }
        if self.drain.is_on() && !conn.has_leftover() && !conn.readable {
            return Step::Finish;
        }
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

    /// A connection made no progress for as long as its phase allows.
    pub(super) fn time_out(&mut self, mut conn: Box<Conn<A>>) {
        match conn.phase {
            Phase::Head if conn.filled == 0 => self.close(conn),
            Phase::Head | Phase::Body => {
                let phase = if conn.phase == Phase::Head { Expected::Head } else { Expected::Body };
                conn.phase = Phase::Busy;
                self.ready.push_back((conn, Work::Refusal(Refusal::TimedOut(phase))));
            }
            Phase::Linger | Phase::Busy => self.close(conn),
            Phase::FlushThenKeep | Phase::FlushThenClose => {
                let ip = conn.addr.ip_text();
                self.notices.push(Notice::ClientTimeout { ip, phase: Expected::Response });
                self.close(conn);
            }
        }
    }
}
