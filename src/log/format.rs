//! `access_log_format`, compiled once.
//!
//! A format is a Python `%` template over Gunicorn's atoms and ours, or the name of a [`Style`]. What this module does not render to the
//! very bytes Python would (an environ variable the app makes, `%(D)x`, a template that is an error)
//! it refuses with `None`, and the caller logs through Python instead.

use super::access::{Record, push_atom};
use super::named::{ENVIRON_KEYS, Style};

/// A compiled `access_log_format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pieces: Vec<Piece>,
    /// Each key once.
    environ_keys: Vec<&'static str>,
}

impl Format {
    /// Compiles `format`, or `None` when only Python can render it.
    pub fn compile(format: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut rest = format.as_bytes();
        if let Some(style) = Style::of(format) {
            pieces.push(Piece::Atom(Atom::Named(style), Layout::PLAIN));
            rest = b"";
        }
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            if byte != b'%' {
                literal.push(byte);
                continue;
            }
            if let Some(tail) = rest.strip_prefix(b"%") {
                literal.push(b'%');
                rest = tail;
                continue;
            }

            let (atom, layout, tail) = parse_conversion(rest)?;
            rest = tail;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Atom(atom, layout));
        }
        literal.push(b'\n');
        pieces.push(Piece::Literal(literal.into()));

        let mut environ_keys = Vec::new();
        for piece in &pieces {
            let Piece::Atom(atom, _) = piece else { continue };
            for key in atom.environ_keys() {
                if !environ_keys.contains(key) {
                    environ_keys.push(*key);
                }
            }
        }
        Some(Self { pieces, environ_keys })
    }

    /// Appends the line of `record`, final newline included, to `out`.
    ///
    /// Allocates nothing once `out` has the capacity.
    pub fn render(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Atom(atom, Layout::PLAIN) => push_atom(atom, record, out),
                Piece::Atom(atom, layout) => {
                    let start = out.len();
                    push_atom(atom, record, out);
                    layout.apply(out, start);
                }
            }
        }
    }

    /// The environ variables whose values this format shows.
    ///
    /// Gunicorn reads them after the app has run, from the dict the app was given: a middleware that
    /// rewrote one (werkzeug's `ProxyFix` sets `REMOTE_ADDR`) finds its own value in the log. A
    /// caller whose app replaced one of these must log through Python, or put it in the [`Record`].
    pub fn environ_keys(&self) -> &[&'static str] {
        &self.environ_keys
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Box<[u8]>),
    Atom(Atom, Layout),
}

/// One thing a format can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    /// A name Gunicorn does not know, and `%(l)s`: always `-`.
    Dash,
    RemoteAddr,
    User,
    Time,
    RequestLine,
    Status,
    Method,
    Target,
    Path,
    Query,
    Protocol,
    BodyBytes,
    /// A request field as environ has it: all of that name, joined by `,`.
    JoinedField {
        name: &'static [u8],
        key: &'static str,
    },
    Seconds,
    Micros,
    Millis,
    SecondsAndMicros,
    Pid,
    /// Number of the worker's slot.
    Slot,
    /// How long the request waited.
    QueueTime,
    /// The request's name.
    RequestId,
    /// The request field of that name, if it is valid.
    Traceparent,
    /// The whole request, as named values.
    Named(Style),
    /// The last request field of that (lower-case) name.
    RequestField(Box<[u8]>),
    /// The last response field of that (lower-case) name.
    ResponseField(Box<[u8]>),
}

impl Atom {
    /// The atom of `key`, the text between `%(` and `)`, and whether its value is an `int` in
    /// Gunicorn, so that `%d` may show it.
    fn parse(key: &[u8]) -> Option<(Self, bool)> {
        if key.starts_with(b"{") {
            return Some((Self::parse_braced(&key.to_ascii_lowercase())?, false));
        }

        Some(match key {
            b"h" => (Self::RemoteAddr, false),
            b"u" => (Self::User, false),
            b"t" => (Self::Time, false),
            b"r" => (Self::RequestLine, false),
            b"s" => (Self::Status, false),
            b"m" => (Self::Method, false),
            b"U" => (Self::Path, false),
            b"q" => (Self::Query, false),
            b"H" => (Self::Protocol, false),
            b"B" => (Self::BodyBytes, true),
            b"b" => (Self::BodyBytes, false),
            b"f" => (Self::JoinedField { name: b"referer", key: "HTTP_REFERER" }, false),
            b"a" => (Self::JoinedField { name: b"user-agent", key: "HTTP_USER_AGENT" }, false),
            b"T" => (Self::Seconds, true),
            b"D" => (Self::Micros, true),
            b"M" => (Self::Millis, true),
            b"L" => (Self::SecondsAndMicros, false),
            b"p" => (Self::Pid, false),
            b"slot" => (Self::Slot, false),
            b"queue_time" => (Self::QueueTime, false),
            b"request_id" => (Self::RequestId, false),
            b"traceparent" => (Self::Traceparent, false),
            _ => (Self::Dash, false),
        })
    }

    fn parse_braced(key: &[u8]) -> Option<Self> {
        let inner = &key[1..];
        if let Some(name) = inner.strip_suffix(b"}i") {
            return Some(Self::RequestField(name.into()));
        }
        if let Some(name) = inner.strip_suffix(b"}o") {
            return Some(Self::ResponseField(name.into()));
        }
        let Some(name) = inner.strip_suffix(b"}e") else {
            return Some(Self::Dash);
        };
        Some(match name {
            b"remote_addr" => Self::RemoteAddr,
            b"request_method" => Self::Method,
            b"raw_uri" => Self::Target,
            b"path_info" => Self::Path,
            b"query_string" => Self::Query,
            b"server_protocol" => Self::Protocol,
            // The app may set any other.
            _ => return None,
        })
    }

    fn environ_keys(&self) -> &[&'static str] {
        match self {
            Self::RemoteAddr => &["REMOTE_ADDR"],
            Self::User => &["HTTP_AUTHORIZATION"],
            Self::RequestLine => &["REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL"],
            Self::Method => &["REQUEST_METHOD"],
            Self::Target => &["RAW_URI"],
            Self::Path => &["PATH_INFO"],
            Self::Query => &["QUERY_STRING"],
            Self::Protocol => &["SERVER_PROTOCOL"],
            Self::JoinedField { key, .. } => std::slice::from_ref(key),
            Self::RequestId => &["rgunicorn.request_id"],
            Self::Traceparent => &["HTTP_TRACEPARENT"],
            Self::Named(_) => ENVIRON_KEYS,
            _ => &[],
        }
    }
}

/// How a value is laid out: Python's width, precision and alignment, counted in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    width: usize,
    precision: Option<usize>,
    left: bool,
    fill: u8,
}

impl Layout {
    const PLAIN: Self = Self { width: 0, precision: None, left: false, fill: b' ' };

    /// Cuts and pads the UTF-8 text `out[start..]`.
    fn apply(self, out: &mut Vec<u8>, start: usize) {
        let is_first = |byte: &u8| (*byte as i8) >= -0x40;
        if let Some(precision) = self.precision {
            let cut = out[start..]
                .iter()
                .enumerate()
                .filter(|(_, byte)| is_first(byte))
                .map(|(at, _)| start + at)
                .nth(precision);
            out.truncate(cut.unwrap_or(out.len()));
        }

        let chars = out[start..].iter().filter(|byte| is_first(byte)).count();
        let missing = self.width.saturating_sub(chars);
        out.resize(out.len() + missing, self.fill);
        if !self.left {
            out[start..].rotate_right(missing);
        }
    }
}

/// One conversion, `rest` starting behind its `%`: what it shows, how, and what follows it.
fn parse_conversion(rest: &[u8]) -> Option<(Atom, Layout, &[u8])> {
    let (key, rest) = parse_key(rest)?;
    let (atom, is_int) = Atom::parse(key)?;

    let flags = rest.iter().take_while(|byte| b"-+ #0".contains(*byte)).count();
    let (flags, rest) = rest.split_at(flags);
    let (width, rest) = parse_number(rest)?;
    let (precision, rest) = match rest.strip_prefix(b".") {
        Some(rest) => parse_number(rest).map(|(number, rest)| (Some(number), rest))?,
        None => (None, rest),
    };
    let (conversion, rest) = rest.split_first()?;

    let left = flags.contains(&b'-');
    let fill = match conversion {
        b's' => b' ',
        b'd' | b'i' | b'u' => {
            // Signs and a precision change the digits themselves, and a `str` is an error.
            if !is_int || precision.is_some() || flags.iter().any(|flag| b"+ #".contains(flag)) {
                return None;
            }
            if flags.contains(&b'0') && !left { b'0' } else { b' ' }
        }
        _ => return None,
    };
    Some((atom, Layout { width, precision, left, fill }, rest))
}

/// `(key)`; as in Python, parentheses inside a key must balance.
fn parse_key(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = rest.strip_prefix(b"(")?;
    let mut depth = 1;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&rest[..at], &rest[at + 1..]));
        }
    }
    None
}

/// A number of up to three digits, 0 when there is none; more is Python's business.
fn parse_number(rest: &[u8]) -> Option<(usize, &[u8])> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 3 {
        return None;
    }
    let (number, rest) = rest.split_at(digits);
    Some((number.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')), rest))
}

#[cfg(test)]
#[path = "test_format.rs"]
mod tests;
