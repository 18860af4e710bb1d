//! What an application may say in a response head: status and fields, checked and filtered.

use std::ops::Range;

use super::{repr, scan, token};

/// An application's status or header that can't be sent. The text is that of the exception
/// Gunicorn raises; the answer is a 500.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// `ValueError`: the status is not `NNN` or `NNN reason`.
    #[error("Invalid status {}", repr::text(.0))]
    InvalidStatus(Vec<u8>),
    /// `InvalidResponseHeaderName`: the name is no token.
    #[error("Invalid response header name from the application: {}", repr::text(.0))]
    InvalidName(Vec<u8>),
    /// `InvalidResponseHeader`: the value has control characters. Holds the name only, because the
    /// value may be secret.
    #[error("Invalid response header from the application: {}", repr::text(.0))]
    InvalidValue(Vec<u8>),
    /// `ValueError`: Content-Length is no number.
    #[error("invalid literal for int() with base 10: {}", repr::text(.0))]
    InvalidContentLength(Vec<u8>),
    /// `ValueError`: two Content-Length fields that differ (RFC 9110 section 8.6).
    #[error("contradictory Content-Length {0} and {1}")]
    ContradictoryContentLength(u64, u64),
}

impl ResponseError {
    /// Name of the Python exception class: one of `gunicorn.http.errors`, or `ValueError`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidName(_) => "InvalidResponseHeaderName",
            Self::InvalidValue(_) => "InvalidResponseHeader",
            _ => "ValueError",
        }
    }
}

/// The fields of one response as they go on the wire. Reusable: `clear` keeps the memory.
#[derive(Default, Debug)]
pub struct ResponseFields {
    /// `Name: value\r\n` for each field in `lines`, in order, nothing else.
    block: Vec<u8>,
    lines: Vec<Line>,
    content_length: Option<u64>,
    close: bool,
    upgrade: bool,
}

#[derive(Default, Debug, Clone)]
struct Line {
    name: Range<usize>,
    value: Range<usize>,
}

/// A field that was found right and is sent: to say it again without a look at it.
#[derive(Default, Debug, Clone)]
pub struct SaidField {
    /// `Name: value\r\n`.
    line: Vec<u8>,
    /// Where name and value are in it.
    place: Line,
    /// What it says, if it is Content-Length.
    content_length: Option<u64>,
}

impl ResponseFields {
    /// Forgets all fields, keeps the memory.
    pub fn clear(&mut self) {
        self.block.clear();
        self.lines.clear();
        self.content_length = None;
        self.close = false;
        self.upgrade = false;
    }

    /// Adds a field of the application.
    ///
    /// Fields that are the server's business are taken note of and left out: Connection,
    /// Keep-Alive, Proxy-Authenticate, Proxy-Authorization, TE, Trailers, Transfer-Encoding,
    /// Upgrade (but for `websocket`), Server, Date. `Connection: close` ends the connection after
    /// this response (Gunicorn ignores it); `Connection: upgrade` is said in the head.
    ///
    /// # Errors
    /// The name is no token, the value has control characters, or Content-Length is no number or
    /// contradicts an earlier one. Fields pushed before stay.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), ResponseError> {
        if !scan::is_name(name) {
            return Err(ResponseError::InvalidName(name.to_vec()));
        }
        if !scan::is_value(value) {
            return Err(ResponseError::InvalidValue(name.to_vec()));
        }
        let value = scan::without_blanks_behind(scan::without_blanks(value));
        match Role::of(name) {
            Role::Plain => {}
            Role::ContentLength => {
                if !self.take_content_length(value)? {
                    return Ok(());
                }
            }
            Role::Connection => {
                for option in token::list(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                }
                return Ok(());
            }
            Role::Upgrade if value.eq_ignore_ascii_case(b"websocket") => {}
            Role::Upgrade | Role::Server => return Ok(()),
        }
        self.append(name, value);
        Ok(())
    }

    /// Adds what an application said before. The same as [`ResponseFields::push`] of its name and
    /// value.
    ///
    /// # Errors
    /// A Content-Length that contradicts an earlier one.
    pub fn push_again(&mut self, field: &SaidField) -> Result<(), ResponseError> {
        if let Some(length) = field.content_length {
            if !self.take_length(length)? {
                return Ok(());
            }
        }
        let start = self.block.len();
        self.block.extend_from_slice(&field.line);
        let Line { name, value } = &field.place;
        self.lines.push(Line {
            name: start + name.start..start + name.end,
            value: start + value.start..start + value.end,
        });
        Ok(())
    }

    /// How many fields are sent.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// Makes `field` the last one that is sent, if there is any.
    pub fn last_into(&self, field: &mut SaidField) {
        let Some(Line { name, value }) = self.lines.last() else { return };
        let start = name.start;
        field.line.clear();
        field.line.extend_from_slice(self.block.get(start..).unwrap_or_default());
        let value_in_line = value.start - start..value.end - start;
        field.place = Line { name: 0..name.end - start, value: value_in_line };
        let name = self.block.get(name.clone()).unwrap_or_default();
        let is_length = matches!(Role::of(name), Role::ContentLength);
        field.content_length = if is_length { self.content_length } else { None };
    }

    /// The declared length of the body in bytes.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// The application asked to close the connection.
    pub fn asks_close(&self) -> bool {
        self.close
    }

    /// The application answers an upgrade.
    pub fn asks_upgrade(&self) -> bool {
        self.upgrade
    }

    /// Value of the last field called `name` (any case) that is sent, as the access log wants it.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).last().map(|(_, value)| value)
    }

    /// Names and values that are sent, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| {
            (
                self.block.get(line.name.clone()).unwrap_or_default(),
                self.block.get(line.value.clone()).unwrap_or_default(),
            )
        })
    }

    /// All fields as they go on the wire.
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    /// Whether the field is new; a repetition of the same length is left out.
    fn take_content_length(&mut self, value: &[u8]) -> Result<bool, ResponseError> {
        let length =
            decimal(value).ok_or_else(|| ResponseError::InvalidContentLength(value.to_vec()))?;
        self.take_length(length)
    }

    fn take_length(&mut self, length: u64) -> Result<bool, ResponseError> {
        match self.content_length {
            Some(earlier) if earlier != length => {
                Err(ResponseError::ContradictoryContentLength(earlier, length))
            }
            Some(_) => Ok(false),
            None => {
                self.content_length = Some(length);
                Ok(true)
            }
        }
    }

    fn append(&mut self, name: &[u8], value: &[u8]) {
        let start = self.block.len();
        self.block.reserve(name.len() + value.len() + 4);
        self.block.extend_from_slice(name);
        self.block.extend_from_slice(b": ");
        let value_start = self.block.len();
        self.block.extend_from_slice(value);
        let end = self.block.len();
        self.block.extend_from_slice(b"\r\n");
        self.lines.push(Line { name: start..start + name.len(), value: value_start..end });
    }
}

/// What a field name means to the framing.
enum Role {
    Plain,
    ContentLength,
    Connection,
    Upgrade,
    /// Said by the server or by nobody.
    Server,
}

impl Role {
    fn of(name: &[u8]) -> Self {
        let is = |known: &[u8]| token::same(name, known);
        match name.len() {
            2 if is(b"TE") => Self::Server,
            4 if is(b"Date") => Self::Server,
            6 if is(b"Server") => Self::Server,
            7 if is(b"Upgrade") => Self::Upgrade,
            8 if is(b"Trailers") => Self::Server,
            10 if is(b"Connection") => Self::Connection,
            10 if is(b"Keep-Alive") => Self::Server,
            14 if is(b"Content-Length") => Self::ContentLength,
            17 if is(b"Transfer-Encoding") => Self::Server,
            18 if is(b"Proxy-Authenticate") => Self::Server,
            19 if is(b"Proxy-Authorization") => Self::Server,
            _ => Self::Plain,
        }
    }
}

/// Reads an application's status, `NNN` or `NNN reason`.
///
/// # Errors
/// [`ResponseError::InvalidStatus`] for anything else, or a reason with control characters.
pub fn parse_status(status: &[u8]) -> Result<u16, ResponseError> {
    if status == b"200 OK" {
        return Ok(200);
    }
    let invalid = || ResponseError::InvalidStatus(status.to_vec());
    let (code, reason) = status.split_at_checked(3).ok_or_else(invalid)?;
    let spaced = reason.is_empty() || reason[0] == b' ';
    if !spaced || !token::is_field_value(reason) || !code.iter().all(u8::is_ascii_digit) {
        return Err(invalid());
    }
    Ok(code.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0')))
}

/// Digits only, within `u64`.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, byte| {
        let digit = byte.checked_sub(b'0').filter(|d| *d < 10)?;
        n.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_field_is_the_one_that_was_pushed_last() {
        let mut fields = ResponseFields::default();
        let mut field = SaidField::default();
        fields.last_into(&mut field);
        assert!(field.line.is_empty());
        fields.push(b"A", b"1").unwrap();
        fields.push(b"B", b"2").unwrap();
        fields.last_into(&mut field);
        assert_eq!((&field.line[field.place.name.clone()], fields.count()), (&b"B"[..], 2));
    }
}
