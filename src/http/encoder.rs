//! The framing of one response: its head in Gunicorn's order, its body by length, in chunks, up
//! to the end of the connection, or not at all.

use super::response::ResponseFields;
use super::{ResponseError, parse_status, token};

/// Interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What the encoder must know of the request and the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// HTTP version of the request; the response says the same.
    pub version: (u8, u8),
    /// The client reads chunks, as its version says it does.
    pub chunks: bool,
    /// The method is HEAD: no body.
    pub is_head: bool,
    /// The server is ready to keep the connection open, and the request allows it.
    pub keep_alive: bool,
}

/// How a response ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finish {
    /// The connection can take another request.
    pub keep_alive: bool,
    /// Bytes missing of Content-Length. Not 0: the client can only see it by the close, so
    /// `keep_alive` is false (Gunicorn keeps the connection and loses the next response in it).
    pub short_by: u64,
    /// The application sent a body where none may be (HEAD, 1xx, 204, 304; RFC 9110 section 6.4.1).
    pub dropped_body: bool,
}

/// Framing of one response. `head` starts it (anew), `finish` ends it.
#[derive(Default, Debug)]
pub struct Encoder {
    framing: Framing,
    sent_head: bool,
    keep_alive: bool,
    dropped_body: bool,
    /// The chunk that was begun needs its CRLF.
    open_chunk: bool,
    body_bytes: u64,
    status: u16,
}

#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// No body is sent, whatever the application says.
    #[default]
    Nothing,
    /// Bytes that may still be sent.
    Length(u64),
    Chunked,
    UntilClose,
}

/// Puts one more field into the head that begins at `start` of `out`, behind its status line.
pub fn add_field(out: &mut Vec<u8>, start: usize, name: &[u8], value: &[u8]) {
    let head = out.get(start..).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\n', head) else { return };
    let mut field = Vec::with_capacity(name.len() + value.len() + 4);
    append_field(&mut field, name, value);
    let at = start + end + 1;
    out.splice(at..at, field);
}

impl Encoder {
    /// Appends the response head to `out`: status line, Server (unless empty), Date, Connection,
    /// Transfer-Encoding if any, then the application's fields.
    ///
    /// `status` has passed [`parse_status`]; one that has not counts as a 500 without a reason.
    pub fn head(
        &mut self,
        out: &mut Vec<u8>,
        facts: &Facts,
        status: &[u8],
        fields: &ResponseFields,
        server: &[u8],
        date: &[u8],
    ) {
        let (code, status) = match parse_status(status) {
            Ok(code) => (code, status),
            Err(_) => (500, b"500".as_slice()),
        };
        // RFC 9110 section 8.6: no Content-Length in 1xx and 204.
        let lengthless = code == 204 || (100..200).contains(&code);
        let bodyless = facts.is_head || lengthless || code == 304;
        let framing = match fields.content_length() {
            _ if bodyless => Framing::Nothing,
            Some(length) => Framing::Length(length),
            None if facts.chunks && facts.version > (1, 0) => Framing::Chunked,
            None => Framing::UntilClose,
        };
        let keep_alive = facts.keep_alive && !fields.asks_close() && framing != Framing::UntilClose;
        *self = Self { framing, sent_head: true, keep_alive, status: code, ..Self::default() };

        // Each piece begins with the end of the line before: half as many are appended.
        status_line(out, facts.version, status);
        if !server.is_empty() {
            out.extend_from_slice(b"\r\nServer: ");
            out.extend_from_slice(server);
        }
        out.extend_from_slice(b"\r\nDate: ");
        out.extend_from_slice(date);
        match (fields.asks_upgrade(), keep_alive) {
            (true, _) => out.extend_from_slice(b"\r\nConnection: upgrade\r\n"),
            (false, true) => out.extend_from_slice(b"\r\nConnection: keep-alive\r\n"),
            (false, false) => out.extend_from_slice(b"\r\nConnection: close\r\n"),
        }
        if framing == Framing::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        if lengthless && fields.content_length().is_some() {
            for (name, value) in fields.iter() {
                if !name.eq_ignore_ascii_case(b"content-length") {
                    append_field(out, name, value);
                }
            }
        } else {
            out.extend_from_slice(fields.block());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Announces `len` bytes of body. Appends the chunk-size line when the body is chunked and
    /// returns how many of the bytes may be sent: fewer past Content-Length, none where the
    /// response has no body.
    pub fn begin_chunk(&mut self, out: &mut Vec<u8>, len: usize) -> usize {
        let allowed = match &mut self.framing {
            Framing::Nothing => {
                self.dropped_body |= len > 0;
                0
            }
            Framing::Length(left) => {
                let allowed = usize::try_from(*left).map_or(len, |left| left.min(len));
                *left -= allowed as u64;
                allowed
            }
            Framing::Chunked => {
                self.open_chunk = len > 0;
                if len > 0 {
                    append_hex(out, len);
                    out.extend_from_slice(b"\r\n");
                }
                len
            }
            Framing::UntilClose => len,
        };
        self.body_bytes += allowed as u64;
        allowed
    }

    /// Ends what `begin_chunk` began: appends the CRLF after a chunk that had bytes.
    pub fn end_chunk(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open_chunk) {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Ends the body: appends the last chunk when the body is chunked.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Finish {
        let short_by = match self.framing {
            Framing::Length(left) => left,
            _ => 0,
        };
        if self.framing == Framing::Chunked {
            out.extend_from_slice(b"0\r\n\r\n");
            self.framing = Framing::Nothing;
        }
        Finish {
            keep_alive: self.keep_alive && short_by == 0,
            short_by,
            dropped_body: self.dropped_body,
        }
    }

    /// Whether the head was appended.
    pub fn head_sent(&self) -> bool {
        self.sent_head
    }

    /// Status code in the head; 0 before there is one.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Bytes of body let through so far, without chunk framing.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Nothing more will be let through: Content-Length is reached, or there is no body.
    pub fn complete(&self) -> bool {
        self.sent_head && matches!(self.framing, Framing::Nothing | Framing::Length(0))
    }

    /// The response is complete, and says that the connection is kept.
    pub fn keeps_alive(&self) -> bool {
        self.complete() && self.keep_alive
    }

    /// The body goes out in chunks.
    pub fn is_chunked(&self) -> bool {
        self.framing == Framing::Chunked
    }

    /// The response can end only by closing the connection (HTTP/1.0 without a length).
    pub fn is_close_delimited(&self) -> bool {
        self.framing == Framing::UntilClose
    }
}

/// Appends a `103 Early Hints` response; nothing for clients before HTTP/1.1 (RFC 8297).
///
/// # Errors
/// A name or value that [`ResponseFields::push`] would refuse; `out` is left as it was.
pub fn early_hints<'a>(
    out: &mut Vec<u8>,
    version: (u8, u8),
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<(), ResponseError> {
    if version < (1, 1) {
        return Ok(());
    }
    let before = out.len();
    out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
    for (name, value) in fields {
        let error = if !token::is_token(name) {
            ResponseError::InvalidName(name.to_vec())
        } else if !token::is_field_value(value) {
            ResponseError::InvalidValue(name.to_vec())
        } else {
            append_field(out, name, token::trim_ows(value));
            continue;
        };
        out.truncate(before);
        return Err(error);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Without the end of the line.
fn status_line(out: &mut Vec<u8>, version: (u8, u8), status: &[u8]) {
    let mut start = *b"HTTP/1.1 ";
    start[5] = b'0' + version.0 % 10;
    start[7] = b'0' + version.1 % 10;
    out.extend_from_slice(&start);
    out.extend_from_slice(status);
    // RFC 9112 section 4: the space stays when there is no reason. Gunicorn leaves it out.
    if status.len() == 3 {
        out.push(b' ');
    }
}

fn append_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn append_hex(out: &mut Vec<u8>, mut n: usize) {
    let mut digits = [0; 16];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789ABCDEF"[n & 15];
        n >>= 4;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_goes_behind_the_status_line_of_the_last_head() {
        let mut out = b"before\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n".to_vec();
        add_field(&mut out, 7, b"X", b"y");
        assert_eq!(out, b"before\nHTTP/1.1 200 OK\r\nX: y\r\nA: b\r\n\r\n");
        let whole = out.clone();
        for start in [out.len(), out.len() + 1] {
            add_field(&mut out, start, b"X", b"y");
            assert_eq!(out, whole);
        }
    }

    #[test]
    fn a_status_that_is_none_is_an_error_of_the_application() {
        let facts = Facts { version: (1, 1), chunks: true, is_head: false, keep_alive: true };
        let mut out = Vec::new();
        let fields = ResponseFields::default();
        let mut encoder = Encoder::default();
        encoder.head(&mut out, &facts, b"fine", &fields, b"", b"now");
        assert_eq!(encoder.status(), 500);
        assert!(out.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn hints_that_are_no_fields_are_not_sent() {
        for (name, value) in [(&b"a b"[..], &b"c"[..]), (b"A", b"c\n")] {
            let mut out = b"x".to_vec();
            let fields = [(&b"Link"[..], &b"</a>"[..]), (name, value)];
            assert!(early_hints(&mut out, (1, 1), fields.into_iter()).is_err());
            assert_eq!(out, b"x");
        }
    }
}
