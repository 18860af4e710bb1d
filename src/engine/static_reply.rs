//! How a request for a file is answered by the engine itself, on the way of every other response:
//! the outbox, its deadlines, the next request. It needs neither thread nor GIL; its access line
//! follows when the application can write one.

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::App;
use super::accounts::Account;
use super::conn::{Conn, Phase};
use super::exchange::Exchange;
use super::pace::Stopwatch;
use super::reactor::Engine;
use super::static_files::{Ask, Body, Reply};
use crate::http::conditional::Conditions;
use crate::http::{Encoder, ResponseFields, split_script_name, unquote};
use crate::sys::clock::{monotonic_ns, wall_seconds, wall_time};
use crate::sys::tally::Event;

/// A request that was answered with a file, as the access log sees it.
#[derive(Debug)]
pub struct Served {
    /// Status line without the version.
    pub status: &'static str,
    /// The fields of the answer.
    pub fields: ResponseFields,
    /// Its framing and counters.
    pub encoder: Encoder,
    /// How long it took until the answer was on its way.
    pub duration_ns: u64,
    /// When that was, as the access log writes it.
    pub log_time: Vec<u8>,
    /// The same, since 1970.
    pub at: Duration,
}

impl Served {
    /// Status code of the answer.
    pub fn code(&self) -> u16 {
        self.status.get(..3).and_then(|code| code.parse().ok()).unwrap_or_default()
    }
}

impl<A: App> Engine<A> {
    /// Answers the complete request of `conn` if it is for a file; its response waits in the outbox
    /// then. Here it is known that a request was answered without the application.
    pub(super) fn answer_static(&mut self, conn: &mut Conn<A>) -> bool {
        if self.static_files.is_none() {
            // Each request is asked; the clock is not read for nothing.
            return false;
        }
        let begun_ns = monotonic_ns();
        let Some(mut reply) = self.static_reply(conn) else { return false };
        // No flight says that it has begun.
        conn.reading.pin();
        self.shared.claim(conn);
        conn.deadline.disarm();
        conn.waits_since_ns = begun_ns.saturating_sub(conn.before_ns);
        if let Some(notice) = reply.notice.take() {
            self.notices.push(notice);
        }
        conn.name_request(self.shared.options.id_header.as_ref());
        let mut stopwatch = Stopwatch::new(false);
        let mut exchange = Exchange::new(&self.shared, &mut self.clock, &mut stopwatch, conn, None);
        // Nobody else speaks for it.
        let _always = exchange.start(reply.status.as_bytes(), &reply.fields, true);
        match reply.body {
            Body::Bytes(bytes) => exchange.push_bytes(&bytes),
            Body::File { file, offset, len } if self.shared.options.sendfile => {
                exchange.push_file(file, offset, len);
            }
            Body::File { file, offset, len } => exchange.push_read(file, offset, len),
        }
        let keeps = exchange.end().keep_alive;
        let encoder = std::mem::take(&mut exchange.encoder);
        conn.phase = if keeps { Phase::FlushThenKeep } else { Phase::FlushThenClose };
        let served = Served {
            status: reply.status,
            fields: reply.fields,
            encoder,
            duration_ns: monotonic_ns().saturating_sub(begun_ns),
            log_time: self.clock.log_time().to_vec(),
            at: wall_time(),
        };
        let len = conn.head.len;
        if let Some(till) = &mut self.till {
            till.count_event(Event::Static, 1);
        }
        self.put_on_account(conn, Account::Served(served));
        // Where the next request begins.
        conn.head.len = len;
        true
    }

    fn static_reply(&mut self, conn: &Conn<A>) -> Option<Reply> {
        let files = self.static_files.as_mut()?;
        let (head, bytes) = (&conn.head, conn.head_bytes());
        if !matches!(head.method.of(bytes), b"GET" | b"HEAD") {
            return None;
        }
        let mut decoded = Vec::new();
        let path = match head.path_info {
            Some(path) => path.of(bytes),
            None => {
                let script_name = head.script_name(bytes, &self.shared.options.policy);
                unquote(split_script_name(head.path.of(bytes), script_name).ok()?, &mut decoded);
                &decoded
            }
        };
        let fields = head.fields.iter().map(|field| (field.name.of(bytes), field.value.of(bytes)));
        files.answer(&Ask {
            path,
            is_head: head.is_head,
            conditions: Conditions::read(fields),
            now_s: wall_seconds(),
        })
    }
}

impl<A: App> Exchange<'_, A> {
    /// Appends a body piece that the engine has made itself.
    fn push_bytes(&mut self, bytes: &[u8]) {
        let out = self.conn.outbox.tail();
        let taken = self.encoder.begin_chunk(out, bytes.len());
        out.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        self.encoder.end_chunk(out);
    }

    /// Appends `len` bytes of a file from `offset`, without sendfile(2).
    fn push_read(&mut self, file: OwnedFd, offset: i64, len: u64) {
        let ask = usize::try_from(len).unwrap_or(usize::MAX);
        let taken = self.encoder.begin_chunk(self.conn.outbox.tail(), ask) as u64;
        self.conn.limit_send_buffer(taken);
        self.conn.outbox.push_read(file, offset, taken);
        self.encoder.end_chunk(self.conn.outbox.tail());
    }

    /// Takes up the counters of an answer that the engine has given, for its access line.
    pub fn resume(&mut self, encoder: Encoder) {
        self.encoder = encoder;
    }
}
