//! `access_log_format = "json"` and `"logfmt"`: one request as named values.
//!
//! Whatever a client has sent, the line is ASCII without control characters, and reads back as the
//! same text: bytes are the Latin-1 characters that WSGI shows, `\u00XX` where they are not ASCII.
//! A value that is not there has no name either.

use std::time::Duration;

use super::access::{Fields, Record, push_number, push_padded, visit_joined};
use super::basic::reduce_to_user;
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
        let mut line = Line { out, style, is_first: true };
        line.key("time");
        line.quote();
        push_time(self.at, line.out);
        line.quote();
        line.text("remote_addr", self.remote_addr);
        line.text("user", self.user);
        line.text("method", self.method);
        line.text("path", self.target.path());
        line.text("query", self.query);
        line.text("protocol", self.protocol);
        line.number("status", self.status.map(u64::from));
        line.number("bytes", self.body_bytes);
        line.seconds("duration", Some(self.duration_us));
        line.seconds("queue_time", self.queue_us);
        line.header("referer", self.referer);
        line.header("user_agent", self.user_agent);
        line.text("request_id", self.request_id);
        if let Some(parent) = self.traceparent.as_traceparent() {
            line.text("trace_id", Text::Latin1(parent.trace_id()));
            line.text("span_id", Text::Latin1(parent.span_id()));
            line.text("trace_flags", Text::Latin1(parent.flags()));
        }
        line.number("pid", Some(self.pid.into()));
        line.number("slot", self.slot.map(u64::from));
        if style == Style::Json {
            line.out.push(b'}');
        }
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

struct Line<'o> {
    out: &'o mut Vec<u8>,
    style: Style,
    is_first: bool,
}

impl Line<'_> {
    fn key(&mut self, key: &str) {
        let before: &[u8] = match (self.style, std::mem::replace(&mut self.is_first, false)) {
            (Style::Json, true) => b"{\"",
            (Style::Json, false) => b",\"",
            (Style::Logfmt, true) => b"",
            (Style::Logfmt, false) => b" ",
        };
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(match self.style {
            Style::Json => b"\":",
            Style::Logfmt => b"=",
        });
    }

    fn quote(&mut self) {
        if self.style == Style::Json {
            self.out.push(b'"');
        }
    }

    fn number(&mut self, key: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.key(key);
            push_number(number, self.out);
        }
    }

    fn seconds(&mut self, key: &str, micros: Option<u64>) {
        if let Some(micros) = micros {
            self.key(key);
            push_seconds(micros, self.out);
        }
    }

    fn text(&mut self, key: &str, text: Text<'_>) {
        self.value(key, text, false);
    }

    /// A field may be there and empty.
    fn header(&mut self, key: &str, text: Text<'_>) {
        self.value(key, text, true);
    }

    fn value(&mut self, key: &str, text: Text<'_>, may_be_empty: bool) {
        let (before, was_first) = (self.out.len(), self.is_first);
        self.key(key);
        self.quote();
        let start = self.out.len();
        match text.push(self.out) {
            Some(is_utf8) if may_be_empty || self.out.len() > start => {
                match self.style {
                    Style::Json => escape_tail(self.out, start, is_utf8),
                    Style::Logfmt => quote_tail(self.out, start, is_utf8),
                }
                self.quote();
            }
            _ => {
                self.out.truncate(before);
                self.is_first = was_first;
            }
        }
    }
}

/// Makes the raw text at the end of `out` one value of a logfmt line. Bare is only what no reader
/// can take for anything else; `null` is what Go's encoder writes for no value.
fn quote_tail(out: &mut Vec<u8>, start: usize, is_utf8: bool) {
    let value = &out[start..];
    let is_bare = |byte: &u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'=' | b'\\');
    if !value.is_empty() && value != b"null" && value.iter().all(is_bare) {
        return;
    }
    out.insert(start, b'"');
    escape_tail(out, start + 1, is_utf8);
    out.push(b'"');
}

/// Escapes the raw text at the end of `out` as in a JSON string, to ASCII.
fn escape_tail(out: &mut Vec<u8>, start: usize, is_utf8: bool) {
    let end = out.len();
    if out[start..].iter().all(|byte| is_plain(*byte)) {
        return;
    }
    let mut at = start;
    while at < end {
        let (character, length) = if is_utf8 { decode(&out[at..end]) } else { (out[at].into(), 1) };
        push_escaped(character, out);
        at += length;
    }
    out.drain(start..end);
}

/// The first character of valid UTF-8, and its length.
fn decode(text: &[u8]) -> (char, usize) {
    let length = match text.first() {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    let first = text.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match first.and_then(|text| text.chars().next()) {
        Some(character) => (character, length),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn push_escaped(character: char, out: &mut Vec<u8>) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        ' '..='~' => {
            out.push(character as u8);
            return;
        }
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                push_unit(*unit, out);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn push_unit(unit: u16, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";

    let digit = |shift: u16| HEX[usize::from(unit >> shift & 0xf)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

/// Seconds with all six digits behind the point.
pub(super) fn push_seconds(micros: u64, out: &mut Vec<u8>) {
    push_number(micros / 1_000_000, out);
    out.push(b'.');
    push_padded(micros % 1_000_000, 6, out);
}

/// RFC 3339 in UTC, to the millisecond.
fn push_time(at: Duration, out: &mut Vec<u8>) {
    let seconds = at.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (seconds / 3600 % 24, 2, b':'),
        (seconds / 60 % 60, 2, b':'),
        (seconds % 60, 2, b'.'),
        (at.subsec_millis().into(), 3, b'Z'),
    ];
    for (number, digits, after) in parts {
        push_padded(number, digits, out);
        out.push(after);
    }
}

/// Year, month and day of a day since the epoch, in the Gregorian calendar. Counted from a 1 March,
/// leap days come last in their year, in their century and in their 400 years.
fn date(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, twice and a half.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
}

#[cfg(test)]
#[path = "test_named.rs"]
mod tests;
