//! The line before each chunk: size and extensions (RFC 9112 section 7.1.1).

use memchr::memchr;

use super::{ParseError, token};

/// Size of the chunk that `line` (without CRLF) announces.
///
/// # Errors
/// No hexadecimal number, one beyond `u64`, or extensions outside the grammar. Extensions are
/// checked and then ignored.
pub(super) fn read_size(line: &[u8]) -> Result<u64, ParseError> {
    let (mut size, extensions) = match memchr(b';', line) {
        Some(at) => (&line[..at], &line[at..]),
        None => (line, &line[line.len()..]),
    };
    if !extensions.is_empty() {
        if memchr(b'\r', extensions).is_some() {
            return Err(ParseError::InvalidChunkExtension("bare CR not allowed"));
        }
        // Blanks are allowed before an extension, and only there.
        while let [shorter @ .., b' ' | b'\t'] = size {
            size = shorter;
        }
    }
    let number = hexadecimal(size).ok_or_else(|| ParseError::InvalidChunkSize(size.to_vec()))?;
    if !are_extensions(extensions) {
        return Err(ParseError::InvalidChunkExtension("invalid chunk extension"));
    }
    Ok(number)
}

/// Size of the chunk that the line at the start of `text` announces, and the length of that line,
/// if it is nothing but digits and CRLF: as nearly every client writes it.
pub(super) fn plain_size(text: &[u8]) -> Option<(u64, usize)> {
    let mut size = 0;
    // Sixteen digits are a `u64`.
    for (at, &byte) in text.iter().take(17).enumerate() {
        match char::from(byte).to_digit(16) {
            Some(digit) if at < 16 => size = size << 4 | u64::from(digit),
            None if at > 0 && text[at..].starts_with(b"\r\n") => return Some((size, at + 2)),
            _ => return None,
        }
    }
    None
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(n.checked_mul(16)? | u64::from(digit))
    })
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let [b';', after @ ..] = skip_blanks(rest) else { return false };
        let Some(after) = skip_token(skip_blanks(after)) else { return false };
        rest = after;
        if let [b'=', value @ ..] = skip_blanks(after) {
            let value = skip_blanks(value);
            let Some(after) = skip_token(value).or_else(|| skip_quoted(value)) else {
                return false;
            };
            rest = after;
        }
    }
    true
}

fn skip_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn skip_token(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().position(|&b| !token::is_tchar(b)).unwrap_or(text.len());
    (length > 0).then_some(&text[length..])
}

/// RFC 9110 section 5.6.4.
fn skip_quoted(text: &[u8]) -> Option<&[u8]> {
    let [b'"', rest @ ..] = text else { return None };
    let mut rest = rest;
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', escaped, after @ ..] if token::is_field_value(&[*escaped]) => after,
            [b'\\', ..] | [] => return None,
            [byte, after @ ..] if token::is_field_value(&[*byte]) => after,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (line, size) in [
            ("0", 0),
            ("a", 10),
            ("Ff", 255),
            ("000000000000000000000001", 1),
            ("ffffffffffffffff", u64::MAX),
            ("3 \t;a", 3),
            ("3;a=\"\\\"\\\\\";b \t=\tc", 3),
        ] {
            assert_eq!(read_size(line.as_bytes()), Ok(size), "{line}");
            let plain = (line.len() <= 16 && !line.contains(';')).then_some((size, line.len() + 2));
            assert_eq!(plain_size(format!("{line}\r\n{line}").as_bytes()), plain, "{line}");
            assert_eq!(plain_size(line.as_bytes()), None);
            assert_eq!(plain_size(format!("{line}\n").as_bytes()), None);
        }
    }

    #[test]
    fn refused() {
        for line in
            ["", " 1", "1 ", "0x1", "+1", "-1", "1_0", "g", "10000000000000000", ";a", " ;a"]
        {
            let error = read_size(line.as_bytes());
            assert!(matches!(error, Err(ParseError::InvalidChunkSize(_))), "{line}: {error:?}");
            assert_eq!(plain_size(format!("{line}\r\n").as_bytes()), None);
        }
        for line in
            ["1;", "1;;a", "1;a=", "1;a b", "1;a ", "1;\"a\"", "1;a=\"", "1;a=\"\\", "1;a\rb"]
        {
            let error = read_size(line.as_bytes());
            assert!(
                matches!(error, Err(ParseError::InvalidChunkExtension(_))),
                "{line}: {error:?}"
            );
        }
    }
}
