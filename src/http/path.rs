//! From the request target to SCRIPT_NAME and PATH_INFO.

use std::net::Ipv6Addr;
use std::ops::Range;

use memchr::{memchr, memchr2};
use percent_encoding::percent_decode;

use super::{ParseError, repr};

/// What is left of `path` (raw) below `script_name`: PATH_INFO before [`unquote`].
///
/// # Errors
/// [`ParseError::ConfigurationProblem`] when `path` does not start with `script_name`.
pub fn split_script_name<'a>(path: &'a [u8], script_name: &[u8]) -> Result<&'a [u8], ParseError> {
    path.strip_prefix(script_name).ok_or_else(|| {
        ParseError::ConfigurationProblem(format!(
            "Request path {} does not start with SCRIPT_NAME {}",
            repr::text(path),
            repr::text(script_name)
        ))
    })
}

/// Appends `path` percent-decoded to `out`. Raw bytes; an escape that is none stays as it is, as
/// in Python's `unquote_to_bytes`.
pub fn unquote(path: &[u8], out: &mut Vec<u8>) {
    match memchr(b'%', path) {
        None => out.extend_from_slice(path),
        Some(_) => out.extend(percent_decode(path)),
    }
}

/// Path and query of a request target, as ranges in it; `None` when its authority is malformed.
///
/// The outcome is that of Python's `urlsplit` (Gunicorn's way), which differs from RFC 3986 where
/// the target is `host:port`: a host of letters is taken for a scheme.
pub(super) fn split_target(target: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let start = match target.first() {
        Some(b'/') => 0,
        _ => path_start(target)?,
    };
    let rest = &target[start..];
    let path_end = start + memchr2(b'?', b'#', rest).unwrap_or(rest.len());
    let [b'?', query @ ..] = &target[path_end..] else {
        return Some((start..path_end, path_end..path_end));
    };
    let query_start = path_end + 1;
    let query_end = query_start + memchr(b'#', query).unwrap_or(query.len());
    Some((start..path_end, query_start..query_end))
}

/// Where the path begins, behind scheme and authority.
fn path_start(target: &[u8]) -> Option<usize> {
    let in_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let scheme = memchr(b':', target)
        .filter(|&colon| target[0].is_ascii_alphabetic() && target[..colon].iter().all(in_scheme));
    let start = scheme.map_or(0, |colon| colon + 1);
    let Some(rest) = target[start..].strip_prefix(b"//") else { return Some(start) };
    let length = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    authority_is_fine(&rest[..length]).then_some(start + 2 + length)
}

/// Brackets hold an IP literal (RFC 3986 section 3.2.2). The rest of the authority is not used.
fn authority_is_fine(authority: &[u8]) -> bool {
    let open = memchr(b'[', authority);
    let close = memchr(b']', authority);
    let Some(open) = open else { return close.is_none() };
    if close.is_none() {
        return false;
    }
    let literal = String::from_utf8_lossy(&authority[open + 1..]);
    let literal = literal.split(']').next().unwrap_or_default();
    if let Some(future) = literal.strip_prefix('v') {
        return future.split_once('.').is_some_and(|(version, address)| {
            !version.is_empty()
                && version.bytes().all(|b| b.is_ascii_hexdigit())
                && !address.is_empty()
        });
    }
    let (address, zone) = literal.split_once('%').unwrap_or((literal, "-"));
    !zone.is_empty() && !zone.contains('%') && address.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (path, expected) in [
            (&b"/plain"[..], &b"/plain"[..]),
            (b"/%41%c3%A9%00", b"/A\xc3\xa9\0"),
            (b"/%zz%4%", b"/%zz%4%"),
            (b"%%41", b"%A"),
            (b"/\xe9+", b"/\xe9+"),
            (b"", b""),
        ] {
            let mut out = b"<".to_vec();
            unquote(path, &mut out);
            assert_eq!(out, [b"<", expected].concat());
        }
    }

    #[test]
    fn ip_literals_of_the_future_have_a_version_and_an_address() {
        for (authority, fine) in [
            ("[v1f.a]", true),
            ("[v.a]", false),
            ("[vx.a]", false),
            ("[v1.]", false),
            ("[v1]", false),
        ] {
            assert_eq!(authority_is_fine(authority.as_bytes()), fine, "{authority}");
        }
    }

    #[test]
    fn script_names() {
        assert_eq!(split_script_name(b"/foo/bar", b"/foo"), Ok(&b"/bar"[..]));
        assert_eq!(split_script_name(b"/foo", b"/foo"), Ok(&b""[..]));
        assert_eq!(split_script_name(b"/foo", b""), Ok(&b"/foo"[..]));
        let error = split_script_name(b"/env", b"/foo").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Configuration problem: Request path '/env' does not start with SCRIPT_NAME '/foo'"
        );
        assert_eq!((error.status(), error.reason()), (500, "Internal Server Error"));
    }
}
