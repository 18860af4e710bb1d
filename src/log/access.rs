//! One request as the access log sees it, and the text of each atom.

use std::time::Duration;

use super::basic::reduce_to_user;
use super::escape::{escape_utf8_tail, push_latin1};
use super::format::Atom;
use super::line::push_seconds;
use super::named::{Named, Text};

/// What one access line is made of. Byte strings are raw: escaping is done here.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// `REMOTE_ADDR`; empty for a unix peer, as in Gunicorn.
    pub remote_addr: &'a [u8],
    /// Local time with brackets, `[20/Nov/2026:13:00:00 +0000]`.
    pub time: &'a [u8],
    /// The request method as the app saw it.
    pub method: &'a [u8],
    /// The request target as it came (`RAW_URI`).
    pub target: &'a [u8],
    /// `PATH_INFO`: percent-decoded, `SCRIPT_NAME` cut off.
    pub path: &'a [u8],
    /// The query without its `?`; empty when there is none.
    pub query: &'a [u8],
    /// Major and minor HTTP version.
    pub version: (u8, u8),
    /// Status code of the response.
    pub status: u16,
    /// Body bytes sent, framing not counted.
    pub body_bytes: u64,
    /// From the complete request to the end of the response, in nanoseconds.
    pub duration_ns: u64,
    /// When the line is made, since the epoch.
    pub at: Duration,
    /// How long the request had waited before its duration began, in nanoseconds, if that is known.
    pub queue_ns: Option<u64>,
    /// The request's name; empty when it has none.
    pub request_id: &'a [u8],
    /// Process id of the worker.
    pub pid: u32,
    /// Number of the worker's slot, if it has one.
    pub slot: Option<u32>,
    /// The request's fields, those dropped by the header policy left out.
    pub request_fields: &'a dyn Fields,
    /// The response's fields as the app set them, hop-by-hop ones and our own left out.
    pub response_fields: &'a dyn Fields,
}

/// A header section to look names up in.
pub trait Fields {
    /// Calls `each` with the value of every field called `name`, in wire order.
    ///
    /// `name` is lower-case; the names in the section are compared without regard to case.
    fn visit(&self, name: &[u8], each: &mut dyn FnMut(&[u8]));
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Fields for [(N, V)] {
    fn visit(&self, name: &[u8], each: &mut dyn FnMut(&[u8])) {
        for (field, value) in self {
            if field.as_ref().eq_ignore_ascii_case(name) {
                each(value.as_ref());
            }
        }
    }
}

impl<F: Fields + ?Sized> Fields for &F {
    fn visit(&self, name: &[u8], each: &mut dyn FnMut(&[u8])) {
        (**self).visit(name, each);
    }
}

/// Appends the text of `atom`, escaped.
pub(super) fn push_atom(atom: &Atom, record: &Record<'_>, out: &mut Vec<u8>) {
    match atom {
        Atom::Dash => out.push(b'-'),
        Atom::RemoteAddr => push_latin1(record.remote_addr, out),
        Atom::User => push_user(record.request_fields, out),
        Atom::Time => push_latin1(record.time, out),
        Atom::RequestLine => {
            push_latin1(record.method, out);
            out.push(b' ');
            push_latin1(record.target, out);
            out.push(b' ');
            push_protocol(record.version, out);
        }
        // Three digits: a status line has no other form (RFC 9112 section 4).
        Atom::Status => push_padded(record.status.into(), 3, out),
        Atom::Method => push_latin1(record.method, out),
        Atom::Target => push_latin1(record.target, out),
        Atom::Path => push_latin1(record.path, out),
        Atom::Query => push_latin1(record.query, out),
        Atom::Protocol => push_protocol(record.version, out),
        Atom::BodyBytes => push_number(record.body_bytes, out),
        Atom::JoinedField { name, .. } => push_joined(record.request_fields, name, out),
        // Gunicorn takes these from `timedelta.seconds`, which starts again at 0 every 24 hours.
        Atom::Seconds => push_number(record.duration_ns / 1_000_000_000, out),
        Atom::Micros => push_number(record.duration_ns / 1_000, out),
        Atom::Millis => push_number(record.duration_ns / 1_000_000, out),
        Atom::SecondsAndMicros => push_seconds(record.duration_ns / 1_000, out),
        Atom::Pid => {
            out.push(b'<');
            push_number(record.pid.into(), out);
            out.push(b'>');
        }
        Atom::Slot => push_known(record.slot.map(u64::from), push_number, out),
        Atom::QueueTime => push_known(record.queue_ns.map(|ns| ns / 1_000), push_seconds, out),
        Atom::RequestId if record.request_id.is_empty() => out.push(b'-'),
        Atom::RequestId => push_latin1(record.request_id, out),
        Atom::Traceparent => {
            match Text::Field(record.request_fields, b"traceparent").as_traceparent() {
                Some(parent) => out.extend_from_slice(parent.whole()),
                None => out.push(b'-'),
            }
        }
        Atom::Named(style) => Named::of(record).render(*style, out),
        Atom::RequestField(name) => push_last(record.request_fields, name, out),
        Atom::ResponseField(name) => push_last(record.response_fields, name, out),
    }
}

fn push_known(number: Option<u64>, push: fn(u64, &mut Vec<u8>), out: &mut Vec<u8>) {
    match number {
        Some(number) => push(number, out),
        None => out.push(b'-'),
    }
}

/// The Basic user, decoded where it will stand.
fn push_user(fields: &dyn Fields, out: &mut Vec<u8>) {
    let start = out.len();
    visit_joined(fields, b"authorization", |piece| out.extend_from_slice(piece));
    if reduce_to_user(out, start) {
        escape_utf8_tail(out, start);
        return;
    }
    out.truncate(start);
    out.push(b'-');
}

fn push_joined(fields: &dyn Fields, name: &[u8], out: &mut Vec<u8>) {
    if !visit_joined(fields, name, |piece| push_latin1(piece, out)) {
        out.push(b'-');
    }
}

/// All values of `name`, with the `,` between them that environ has; `false` when there is none.
pub(super) fn visit_joined(fields: &dyn Fields, name: &[u8], mut each: impl FnMut(&[u8])) -> bool {
    let mut found = false;
    fields.visit(name, &mut |value| {
        if found {
            each(b",");
        }
        found = true;
        each(value);
    });
    found
}

/// Gunicorn builds `{name}i` and `{name}o` as a dict, so the last field of a name wins.
fn push_last(fields: &dyn Fields, name: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut found = false;
    fields.visit(name, &mut |value| {
        found = true;
        out.truncate(start);
        push_latin1(value, out);
    });
    if !found {
        out.push(b'-');
    }
}

fn push_protocol((major, minor): (u8, u8), out: &mut Vec<u8>) {
    if (major, minor) == (1, 1) {
        out.extend_from_slice(b"HTTP/1.1");
        return;
    }
    out.extend_from_slice(b"HTTP/");
    push_number(major.into(), out);
    out.push(b'.');
    push_number(minor.into(), out);
}

pub(super) fn push_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

pub(super) fn push_padded(number: u64, digits: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number);
    out.resize(out.len() + digits.saturating_sub(text.len()), b'0');
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
#[path = "test_access.rs"]
mod tests;
