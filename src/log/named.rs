//! `access_log_format = "json"` and `"logfmt"`: one request as named values.
//!
//! Whatever a client has sent, the line is ASCII without control characters, and reads back as the
//! same text: bytes are the Latin-1 characters that WSGI shows, `\u00XX` where they are not ASCII.
//! A value that is not there has no name either.

use std::time::Duration;

use super::access::{Fields, Record, push_number, visit_joined};
use super::basic::reduce_to_user;
use super::line::Line;
use super::traceparent::Traceparent;

/// How named values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A JSON object (RFC 8259), without blanks.
    Json,
    /// `name=value` with blanks between them, quoted where needed.
    Logfmt,
}

impl Style {
    /// The style that `access_log_format` names.
    pub fn of(format: &str) -> Option<Self> {
        match format {
            "json" => Some(Self::Json),
            "logfmt" => Some(Self::Logfmt),
            _ => None,
        }
    }
}

/// A text, or none.
#[derive(Clone, Copy)]
pub enum Text<'a> {
    /// There is none.
    Absent,
    /// One character a byte.
    Latin1(&'a [u8]),
    /// As it is.
    Utf8(&'a str),
    /// All fields of that (lower-case) name, joined by `,` as in the environ.
    Field(&'a dyn Fields, &'static [u8]),
    /// The user that `Authorization` names.
    User(&'a dyn Fields),
    /// `HTTP/1.1`.
    Version((u8, u8)),
}

/// The values of one line. Empty texts count as absent, but for header fields.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    /// When the line was made, since the epoch.
    pub at: Duration,
    /// `REMOTE_ADDR`.
    pub remote_addr: Text<'a>,
    /// The Basic user.
    pub user: Text<'a>,
    /// Method.
    pub method: Text<'a>,
    /// The target as it came; its path is shown.
    pub target: Text<'a>,
    /// The query without its `?`.
    pub query: Text<'a>,
    /// `HTTP/1.1`.
    pub protocol: Text<'a>,
    /// Status code.
    pub status: Option<u16>,
    /// Body bytes sent.
    pub body_bytes: Option<u64>,
    /// Microseconds in the application.
    pub duration_us: u64,
    /// Microseconds waited before that.
    pub queue_us: Option<u64>,
    /// `Referer`.
    pub referer: Text<'a>,
    /// `User-Agent`.
    pub user_agent: Text<'a>,
    /// The request's name.
    pub request_id: Text<'a>,
    /// `traceparent`; shown if it is valid.
    pub traceparent: Text<'a>,
    /// Process id of the worker.
    pub pid: u32,
    /// Number of the worker's slot.
    pub slot: Option<u32>,
}

/// The environ variables that the values come from.
pub(super) const ENVIRON_KEYS: &[&str] = &[
    "REMOTE_ADDR",
    "HTTP_AUTHORIZATION",
    "REQUEST_METHOD",
    "RAW_URI",
    "QUERY_STRING",
    "SERVER_PROTOCOL",
    "HTTP_REFERER",
    "HTTP_USER_AGENT",
    "HTTP_TRACEPARENT",
    "rgunicorn.request_id",
];

impl<'a> Named<'a> {
    /// The values of `record`.
    pub(super) fn of(record: &Record<'a>) -> Self {
        let fields = record.request_fields;
        Self {
            at: record.at,
            remote_addr: Text::Latin1(record.remote_addr),
            user: Text::User(fields),
            method: Text::Latin1(record.method),
            target: Text::Latin1(record.target),
            query: Text::Latin1(record.query),
            protocol: Text::Version(record.version),
            status: Some(record.status),
            body_bytes: Some(record.body_bytes),
            duration_us: record.duration_ns / 1_000,
            queue_us: record.queue_ns.map(|ns| ns / 1_000),
            referer: Text::Field(fields, b"referer"),
            user_agent: Text::Field(fields, b"user-agent"),
            request_id: Text::Latin1(record.request_id),
            traceparent: Text::Field(fields, b"traceparent"),
            pid: record.pid,
            slot: record.slot,
        }
    }

    /// Appends the line without its end. Allocates nothing once `out` has the capacity.
    pub fn render(&self, style: Style, out: &mut Vec<u8>) {
        let mut line = Line::new(style, out);
        line.time("time", self.at);
        line.text("remote_addr", |out| self.remote_addr.push(out));
        line.text("user", |out| self.user.push(out));
        line.text("method", |out| self.method.push(out));
        line.text("path", |out| self.target.path().push(out));
        line.text("query", |out| self.query.push(out));
        line.text("protocol", |out| self.protocol.push(out));
        line.number("status", self.status.map(u64::from));
        line.number("bytes", self.body_bytes);
        line.seconds("duration", Some(self.duration_us));
        line.seconds("queue_time", self.queue_us);
        line.header("referer", |out| self.referer.push(out));
        line.header("user_agent", |out| self.user_agent.push(out));
        line.text("request_id", |out| self.request_id.push(out));
        if let Some(parent) = self.traceparent.as_traceparent() {
            line.text("trace_id", |out| Text::Latin1(parent.trace_id()).push(out));
            line.text("span_id", |out| Text::Latin1(parent.span_id()).push(out));
            line.text("trace_flags", |out| Text::Latin1(parent.flags()).push(out));
        }
        line.number("pid", Some(self.pid.into()));
        line.number("slot", self.slot.map(u64::from));
        line.end();
    }
}

impl<'a> Text<'a> {
    /// Of a target, its path.
    fn path(self) -> Self {
        match self {
            Self::Latin1(target) => Self::Latin1(path_of(target)),
            Self::Utf8(target) => {
                // Cut at ASCII characters only.
                let path = std::str::from_utf8(path_of(target.as_bytes())).unwrap_or_default();
                Self::Utf8(path)
            }
            other => other,
        }
    }

    /// What it says of a trace.
    pub fn as_traceparent(self) -> Option<Traceparent> {
        match self {
            Self::Latin1(value) => Traceparent::parse(value),
            Self::Utf8(value) => Traceparent::parse(value.as_bytes()),
            Self::Field(fields, name) => {
                let (mut found, mut parent) = (0, None);
                fields.visit(name, &mut |value| {
                    found += 1;
                    parent = Traceparent::parse(value);
                });
                parent.filter(|_| found == 1)
            }
            _ => None,
        }
    }

    /// Appends the raw text. `None`: there is none; what was appended means nothing. Else whether
    /// it is UTF-8, and not Latin-1.
    fn push(self, out: &mut Vec<u8>) -> Option<bool> {
        let start = out.len();
        match self {
            Self::Absent => None,
            Self::Latin1(text) => {
                out.extend_from_slice(text);
                Some(false)
            }
            Self::Utf8(text) => {
                out.extend_from_slice(text.as_bytes());
                Some(true)
            }
            Self::Field(fields, name) => {
                let found = visit_joined(fields, name, |piece| out.extend_from_slice(piece));
                found.then_some(false)
            }
            Self::User(fields) => {
                visit_joined(fields, b"authorization", |piece| out.extend_from_slice(piece));
                reduce_to_user(out, start).then_some(true)
            }
            Self::Version((major, minor)) => {
                out.extend_from_slice(b"HTTP/");
                push_number(major.into(), out);
                out.push(b'.');
                push_number(minor.into(), out);
                Some(false)
            }
        }
    }
}

/// The path of a request target in origin or absolute form, without query and fragment. What has
/// no path, as that of CONNECT or OPTIONS, is shown whole.
pub(super) fn path_of(target: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    let path = &target[..end];
    if path.starts_with(b"/") {
        return path;
    }
    let authority = memchr::memmem::find(path, b"://").and_then(|at| path.get(at + 3..));
    match authority {
        Some(authority) => match memchr::memchr(b'/', authority) {
            Some(slash) => &authority[slash..],
            None => b"/",
        },
        None => path,
    }
}

#[cfg(test)]
#[path = "test_named.rs"]
mod tests;
