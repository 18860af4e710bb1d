//! A request's body on its way into the spool: read with the shared buffer, decoded, kept until the
//! application may start.

use std::os::fd::AsFd;

use super::App;
use super::conn::Conn;
use super::progress::Step;
use super::reactor::Engine;
use super::refusal::Refusal;
use super::transport;
use crate::http::BodyEvent;
use crate::sys::socket::Transfer;

/// A body up to this size stays in memory even when that is short: most are, and a file for each
/// would cost more.
const SMALL_BODY: usize = 4 * 1024;

impl<A: App> Engine<A> {
    /// Reads what there is of the body.
    pub(super) fn read_body(&mut self, conn: &mut Conn<A>) -> Step {
        let mut scratch = std::mem::take(&mut self.scratch);
        let step = self.receive_body(conn, &mut scratch);
        self.scratch = scratch;
        step
    }

    fn receive_body(&mut self, conn: &mut Conn<A>, scratch: &mut [u8]) -> Step {
        // What came with the head lies where a kill does not reach it, until more is read, or longer.
        let lands = self.reading.lands();
        if !lands && !conn.spool.is_empty() {
            conn.lift();
        }
        // What came with the head.
        let start = conn.head.len;
        let inbox = std::mem::take(&mut conn.inbox);
        let came = self.decode(conn, inbox.get(start..conn.filled).unwrap_or_default());
        conn.inbox = inbox;
        let mut decoded = match came {
            Ok((used, enough)) => {
                conn.inbox.copy_within(start + used..conn.filled, start);
                conn.filled -= used;
                enough
            }
            Err(refusal) => return Step::Refuse(refusal),
        };
        while !decoded {
            if !conn.readable {
                if lands {
                    self.land(conn);
                }
                return Step::Park;
            }
            let landed = if lands { self.take_piece(conn, scratch) } else { None };
            let got = match landed {
                Some(got) => got,
                None => {
                    conn.lift();
                    let Some(fd) = conn.socket.as_ref() else { return Step::Close };
                    let tls = conn.tls.as_deref_mut();
                    transport::receive(fd.as_fd(), tls, conn.ended, scratch, &mut self.cipher)
                }
            };
            let n = match got {
                Ok((Transfer::Bytes(0), _)) => return Step::Refuse(Refusal::CutShort),
                Ok((Transfer::Bytes(n), more)) => {
                    conn.readable = more;
                    conn.bill.receive(n);
                    n
                }
                Ok((Transfer::Blocked, _)) => {
                    conn.readable = false;
                    return Step::Park;
                }
                Err(lost) => return self.lose(conn, lost),
            };
            let input = scratch.get(..n).unwrap_or_default();
            match self.decode(conn, input) {
                Ok((used, enough)) => {
                    // The next request has begun.
                    let rest = input.get(used..).unwrap_or_default();
                    let end = conn.filled + rest.len();
                    if conn.inbox.len() < end {
                        conn.inbox.resize(end, 0);
                    }
                    conn.inbox[conn.filled..end].copy_from_slice(rest);
                    conn.filled = end;
                    decoded = enough;
                }
                Err(refusal) => return Step::Refuse(refusal),
            }
        }
        Step::Ready
    }

    /// Decodes `input` into the spool. Returns how much of it belongs to the body, and whether
    /// the application may start.
    fn decode(&mut self, conn: &mut Conn<A>, input: &[u8]) -> Result<(usize, bool), Refusal> {
        let short = self.is_short_of(conn.spool.in_memory() + input.len());
        let options = &self.shared.options;
        let memory = options.body_memory.min(if short { SMALL_BODY } else { usize::MAX });
        let Some(decoder) = &mut conn.body else { return Ok((0, true)) };
        let mut at = 0;
        let complete = loop {
            let rest = input.get(at..).unwrap_or_default();
            let (used, event) = decoder.next(rest).map_err(Refusal::BadBody)?;
            at += used;
            match event {
                BodyEvent::Data { start, end } => {
                    let data = rest.get(start..end).unwrap_or_default();
                    conn.spool
                        .append(data, memory, options.spool_dir.as_deref())
                        .map_err(|error| Refusal::NoSpool(error.to_string()))?;
                }
                BodyEvent::NeedMore => break false,
                BodyEvent::End => break true,
            }
        };
        Ok((at, complete || conn.spool.len() >= options.body_limit))
    }
}
