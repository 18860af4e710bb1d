//! Where the body of a request ends, by Content-Length and Transfer-Encoding (RFC 9112 section 6).

use super::head::{Field, Framing};
use super::response::decimal;
use super::{ParseError, token};

/// What the framing fields say.
pub(super) struct Verdict {
    pub(super) framing: Framing,
    /// A coding is applied that nobody here decodes: one request, then close.
    pub(super) must_close: bool,
}

/// Judges the kept fields of a head.
///
/// Everything two parsers could read differently is refused: that is how requests are smuggled.
/// Names are those on the wire: `Content_Length` is another field.
pub(super) fn decide(
    fields: &[Field],
    buf: &[u8],
    version: (u8, u8),
) -> Result<Verdict, ParseError> {
    let mut length: Option<&[u8]> = None;
    let mut codings = Codings::default();
    for field in fields {
        let name = field.name.of(buf);
        if token::same(name, b"Content-Length") {
            if length.replace(field.value.of(buf)).is_some() {
                return Err(ParseError::header_of_request(CONTENT_LENGTH));
            }
        } else if token::same(name, b"Transfer-Encoding") {
            codings.add(field.value.of(buf))?;
        }
    }
    let framing = match (codings.any, length) {
        // Section 6.3: a request whose last coding is not chunked has no length at all. Section
        // 6.1: chunked in HTTP/1.0 is a framing error.
        (true, _) if !codings.chunked || version < (1, 1) => {
            return Err(ParseError::header_of_request(TRANSFER_ENCODING));
        }
        (true, Some(_)) => return Err(ParseError::header_of_request(CONTENT_LENGTH)),
        (true, None) => Framing::Chunked,
        (false, None) => Framing::None,
        (false, Some(digits)) => match decimal(digits) {
            Some(length) => Framing::Length(length),
            None => return Err(ParseError::header_of_request(CONTENT_LENGTH)),
        },
    };
    Ok(Verdict { framing, must_close: codings.undecoded })
}

const CONTENT_LENGTH: &str = "CONTENT-LENGTH";
const TRANSFER_ENCODING: &str = "TRANSFER-ENCODING";

#[derive(Default)]
struct Codings {
    any: bool,
    chunked: bool,
    undecoded: bool,
}

impl Codings {
    fn add(&mut self, value: &[u8]) -> Result<(), ParseError> {
        self.any = true;
        for coding in value.split(|&b| b == b',').map(token::trim_ows) {
            let is = |known: &[u8]| coding.eq_ignore_ascii_case(known);
            let is_last = is(b"chunked");
            let undecoded = is(b"gzip") || is(b"deflate") || is(b"compress");
            if !is_last && !undecoded && !is(b"identity") {
                return Err(ParseError::UnsupportedTransferCoding(value.to_vec()));
            }
            if self.chunked {
                return Err(ParseError::header_of_request(TRANSFER_ENCODING));
            }
            self.chunked = is_last;
            self.undecoded |= undecoded;
        }
        Ok(())
    }
}
