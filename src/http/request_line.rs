//! The first line of a head: method, target, version (RFC 9112 section 3).

use std::ops::Range;

use memchr::memchr;

use super::path::split_target;
use super::span::Span;
use super::{BadVersion, Head, ParseError, Policy, scan, token};

/// Reads the request line `buf[line]` (without CRLF) into `head`.
///
/// The order of the checks is Gunicorn's, so that a line with several faults gets its answer.
pub(super) fn read(
    buf: &mut [u8],
    line: Range<usize>,
    policy: &Policy,
    head: &mut Head,
) -> Result<(), ParseError> {
    let text = buf.get(line.clone()).unwrap_or_default();
    let parts = memchr(b' ', text).and_then(|method_end| {
        let target_end = memchr(b' ', &text[method_end + 1..])?;
        Some((method_end, method_end + 1 + target_end))
    });
    let Some((method_end, target_end)) = parts else {
        return Err(ParseError::InvalidRequestLine(text.to_vec()));
    };
    let method = line.start..line.start + method_end;
    let target = method.end + 1..line.start + target_end;

    check_method(&text[..method_end], policy)?;
    let is = |known: &[u8]| match policy.casefold_method {
        true => text[..method_end].eq_ignore_ascii_case(known),
        false => &text[..method_end] == known,
    };
    (head.is_head, head.is_connect) = (is(b"HEAD"), is(b"CONNECT"));
    let (path, query) = read_target(&buf[target.clone()], head.is_connect, is(b"OPTIONS"))
        .ok_or_else(|| ParseError::InvalidRequestLine(text.to_vec()))?;
    let version = read_version(&text[target_end + 1..], policy)?;
    if policy.casefold_method {
        buf[method.clone()].make_ascii_uppercase();
    }

    head.path = Span::new(target.start + path.start, target.start + path.end);
    head.query = Span::new(target.start + query.start, target.start + query.end);
    head.method = Span::new(method.start, method.end);
    head.target = Span::new(target.start, target.end);
    head.version = version;
    Ok(())
}

pub(super) fn check_method(method: &[u8], policy: &Policy) -> Result<(), ParseError> {
    if matches!(method, b"GET" | b"POST" | b"HEAD") {
        return Ok(());
    }
    let unconventional = |b: &u8| b.is_ascii_lowercase() || *b == b'#';
    let refused = !policy.permit_unconventional_method
        && (!(3..=20).contains(&method.len()) || method.iter().any(unconventional));
    if refused || !token::is_token(method) {
        return Err(ParseError::InvalidRequestMethod(method.to_vec()));
    }
    Ok(())
}

/// Path and query of a target that has one of the four forms of RFC 9112 section 3.2.
fn read_target(
    target: &[u8],
    is_connect: bool,
    is_options: bool,
) -> Option<(Range<usize>, Range<usize>)> {
    // RFC 3986 section 2: everything outside printable ASCII must be percent-encoded.
    if target.is_empty() || !scan::is_printable(target) {
        return None;
    }
    if target[0] != b'/' {
        let fits = match target {
            b"*" => is_options,
            _ => is_connect || target.windows(3).any(|w| w == b"://"),
        };
        if !fits {
            return None;
        }
    }
    split_target(target)
}

fn read_version(text: &[u8], policy: &Policy) -> Result<(u8, u8), ParseError> {
    if text == b"HTTP/1.1" {
        return Ok((1, 1));
    }
    let [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] = text
    else {
        return Err(ParseError::InvalidHttpVersion(BadVersion::Text(text.to_vec())));
    };
    let (major, minor) = (major - b'0', minor - b'0');
    if major != 1 && !policy.permit_unconventional_version {
        return Err(ParseError::InvalidHttpVersion(BadVersion::Number(major, minor)));
    }
    Ok((major, minor))
}
