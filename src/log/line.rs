//! The syntax of a line of named values: JSON (RFC 8259), or logfmt as Go's encoder writes it.

use std::time::Duration;

use super::access::{push_number, push_padded};
use super::escape::plain_prefix;
use super::named::Style;

/// A line that grows at the end of a buffer.
pub(super) struct Line<'o> {
    out: &'o mut Vec<u8>,
    style: Style,
    is_first: bool,
}

impl<'o> Line<'o> {
    /// An empty one.
    pub(super) fn new(style: Style, out: &'o mut Vec<u8>) -> Self {
        Self { out, style, is_first: true }
    }

    /// Ends it.
    pub(super) fn end(self) {
        if self.style == Style::Json {
            self.out.push(b'}');
        }
    }

    /// A moment, since the epoch.
    pub(super) fn time(&mut self, key: &str, at: Duration) {
        self.key(key);
        self.quote();
        push_time(at, self.out);
        self.quote();
    }

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

    /// A number, if there is one.
    pub(super) fn number(&mut self, key: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.key(key);
            push_number(number, self.out);
        }
    }

    /// Seconds, if they are known.
    pub(super) fn seconds(&mut self, key: &str, micros: Option<u64>) {
        if let Some(micros) = micros {
            self.key(key);
            push_seconds(micros, self.out);
        }
    }

    /// What `push` appends: raw text; `None` when there is none, else whether it is UTF-8, and not
    /// Latin-1. An empty one counts as none.
    pub(super) fn text(&mut self, key: &str, push: impl FnOnce(&mut Vec<u8>) -> Option<bool>) {
        self.value(key, push, false);
    }

    /// The same for a text that may be there and empty.
    pub(super) fn header(&mut self, key: &str, push: impl FnOnce(&mut Vec<u8>) -> Option<bool>) {
        self.value(key, push, true);
    }

    fn value(
        &mut self,
        key: &str,
        push: impl FnOnce(&mut Vec<u8>) -> Option<bool>,
        may_be_empty: bool,
    ) {
        let (before, was_first) = (self.out.len(), self.is_first);
        self.key(key);
        self.quote();
        let start = self.out.len();
        match push(self.out) {
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
    let text = &out[start..];
    if plain_prefix(text) == text.len() && memchr::memchr(b'\\', text).is_none() {
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
pub(super) fn push_time(at: Duration, out: &mut Vec<u8>) {
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
