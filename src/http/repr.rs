//! Python's `repr` of the text a client sent, for messages that must read as Gunicorn's.

/// `repr()` of the `str` that `text` becomes when decoded as latin-1.
pub(super) fn text(text: &[u8]) -> String {
    quoted(text, |byte| !matches!(byte, 0x7f..=0xa0 | 0xad))
}

/// `repr()` of the `bytes` object.
pub(super) fn bytes(data: &[u8]) -> String {
    let mut repr = quoted(data, |byte| byte.is_ascii() && byte != 0x7f);
    repr.insert(0, 'b');
    repr
}

fn quoted(data: &[u8], printable: impl Fn(u8) -> bool) -> String {
    let quote = if data.contains(&b'\'') && !data.contains(&b'"') { '"' } else { '\'' };
    let mut out = String::with_capacity(data.len() + 2);
    out.push(quote);
    for &byte in data {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ if char::from(byte) == quote => out.extend(['\\', quote]),
            0x20.. if printable(byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CPython 3.11 prints for these.
    #[test]
    fn as_python_prints() {
        let cases: &[(&[u8], &str, &str)] = &[
            (b"", "''", "b''"),
            (b"GET", "'GET'", "b'GET'"),
            (b"it's", "\"it's\"", "b\"it's\""),
            (b"say \x22hi\x22", "'say \"hi\"'", "b'say \"hi\"'"),
            (b"both ' and \x22", "'both \\' and \"'", "b'both \\' and \"'"),
            (b"back\x5cslash", "'back\\\\slash'", "b'back\\\\slash'"),
            (
                b"\x09\x0d\x0a\x00\x1b\x7f",
                "'\\t\\r\\n\\x00\\x1b\\x7f'",
                "b'\\t\\r\\n\\x00\\x1b\\x7f'",
            ),
            (
                b"caf\xe9 \xa0\xad\xff\x80",
                "'caf\u{e9} \\xa0\\xad\u{ff}\\x80'",
                "b'caf\\xe9 \\xa0\\xad\\xff\\x80'",
            ),
        ];
        for (data, as_text, as_bytes) in cases {
            assert_eq!(text(data), *as_text);
            assert_eq!(bytes(data), *as_bytes);
        }
    }

    /// `[b for b in range(256) if not chr(b).isprintable()]`
    #[test]
    fn unprintable_latin_1() {
        for byte in 0..=255u8 {
            let printable = !matches!(byte, 0..=0x1f | 0x7f..=0xa0 | 0xad);
            assert_eq!(
                text(&[byte]).len() < 6,
                printable || matches!(byte, 9 | 10 | 13),
                "{byte:#x}"
            );
        }
    }
}
