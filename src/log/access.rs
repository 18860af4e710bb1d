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
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Fields, Record};
    use crate::log::Format;

    const DEFAULT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;
    const EVERYTHING: &str = "%(h)s %(l)s %(u)s %(t)s %(r)s %(s)s %(m)s %(U)s %(q)s %(H)s %(b)s \
        %(B)d %(f)s %(a)s %(T)s %(D)d %(M)d %(L)s %(p)s %({X-A}i)s %({x-b}o)s %({raw_uri}e)s %(request_id)s %(traceparent)s \
        %(U)40s %(U)-40s %(U).3s %(u)12.5s";

    fn record<'a>(request: &'a dyn Fields, response: &'a dyn Fields) -> Record<'a> {
        Record {
            remote_addr: b"10.0.0.1",
            time: b"[20/Nov/2026:13:00:00 +0000]",
            method: b"GET",
            target: b"/a?b=c",
            path: b"/a",
            query: b"b=c",
            version: (1, 1),
            status: 200,
            body_bytes: 12,
            duration_ns: 1_234_567_890,
            at: Duration::from_millis(1_792_587_600_123),
            queue_ns: None,
            request_id: b"",
            pid: 42,
            slot: None,
            request_fields: request,
            response_fields: response,
        }
    }

    fn line(format: &str, record: &Record<'_>) -> String {
        let mut out = Vec::new();
        Format::compile(format).unwrap().render(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn renders_the_default_format() {
        let request = &[("User-Agent", "curl"), ("Authorization", "Basic dXNlcjpwYXNz")][..];
        let response = &[("", ""); 0][..];
        assert_eq!(
            line(DEFAULT, &record(&request, &response)),
            "10.0.0.1 - user [20/Nov/2026:13:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \
             \"curl\"\n"
        );
    }

    #[test]
    fn a_request_longer_than_a_day_keeps_its_length() {
        let none = &[("", ""); 0][..];
        let record = Record { duration_ns: 90_061_000_002_000, ..record(&none, &none) };
        assert_eq!(
            line("%(T)s %(M)s %(D)s %(L)s", &record),
            "90061 90061000 90061000002 90061.000002\n"
        );
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        const FORMAT: &str = "%(slot)s %(queue_time)s %(request_id)s %(traceparent)s";
        const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

        let none = &[("", ""); 0][..];
        let fields = &[("traceparent", PARENT)][..];
        let known = Record {
            slot: Some(0),
            queue_ns: Some(5_000_999),
            request_id: b"abc\n",
            ..record(&fields, &none)
        };
        assert_eq!(line(FORMAT, &known), format!("0 0.005000 abc\\x0a {PARENT}\n"));
        let twice = &[("Traceparent", PARENT), ("traceparent", PARENT)][..];
        for fields in [none, &[("traceparent", "00-x")][..], twice] {
            assert_eq!(line(FORMAT, &record(&fields, &none)), "- - - -\n");
        }
    }

    #[test]
    fn repeated_fields_join_for_environ_and_the_last_wins_in_braces() {
        let request = &[("Referer", "a"), ("x", "1"), ("REFERER", "b"), ("X", "2")][..];
        let response = &[("Set-Cookie", "a"), ("set-cookie", "b\"")][..];
        assert_eq!(
            line("%(f)s %({referer}i)s %({X}i)s %({Set-Cookie}o)s", &record(&request, &response)),
            "a,b b 2 b\\\"\n"
        );
    }

    proptest! {
        #[test]
        fn no_client_bytes_can_break_the_line(
            target in prop::collection::vec(any::<u8>(), 0..40),
            path in prop::collection::vec(any::<u8>(), 0..40),
            value in prop::collection::vec(any::<u8>(), 0..40),
            user in "\\PC{0,9}[\u{0}-\u{ff}]{0,9}",
        ) {
            let authorization = [b"Basic ", &base64(user.as_bytes())[..]].concat();
            let request: &[(&str, &[u8])] = &[
                ("authorization", &authorization),
                ("referer", &value),
                ("user-agent", &value),
                ("x-a", &value),
            ];
            let response = &[("x-b", &value)][..];
            let record = Record {
                remote_addr: &value,
                method: &value,
                target: &target,
                path: &path,
                query: &target,
                request_id: &value,
                ..record(&request, &response)
            };
            for format in [DEFAULT, EVERYTHING] {
                let line = line(format, &record);
                let body = line.strip_suffix('\n').unwrap();
                prop_assert!(!body.contains(|c: char| c.is_control()), "{line:?}");
            }
            // As in Gunicorn a backslash is not doubled, so one of the client's own can stand
            // before a quote of the format; only without any can quotes be counted.
            let sent = [&value[..], &target, &path, user.as_bytes()].concat();
            if !sent.contains(&b'\\') {
                let quotes = line(DEFAULT, &record).replace("\\\"", "").matches('"').count();
                prop_assert_eq!(quotes, 6);
            }
        }
    }

    fn base64(bytes: &[u8]) -> Vec<u8> {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        let mut out = Vec::new();
        for group in bytes.chunks(3) {
            let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
            let bits = bits << (8 * (3 - group.len()));
            for at in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 0x3f];
                out.push(if at <= group.len() { digit } else { b'=' });
            }
        }
        out
    }

    #[test]
    fn the_protocol_has_its_version() {
        for (version, text) in [((1, 1), "HTTP/1.1"), ((1, 0), "HTTP/1.0"), ((2, 10), "HTTP/2.10")]
        {
            let mut out = Vec::new();
            super::push_protocol(version, &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }
}
