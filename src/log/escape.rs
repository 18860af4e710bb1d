//! What a client sent, made fit for one line of a log.
//!
//! Gunicorn only puts a backslash before `"`; a `%0A` in the path or an escape sequence in a user
//! name reaches its log as it is. Here every control character (Unicode category Cc: C0, DEL and
//! C1, whose U+009B starts a terminal sequence and U+0085 ends a line) becomes `\xHH`, so a client
//! can neither forge a line nor talk to the terminal that shows it. The Python path does the same
//! (`rgunicorn.glogging.SafeAtoms`).

/// Appends `value`, one Latin-1 character a byte as WSGI strings are, in UTF-8.
pub(super) fn push_latin1(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    loop {
        let (plain, tail) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(plain);
        let Some((special, tail)) = tail.split_first() else {
            return;
        };
        push_special(*special, out);
        rest = tail;
    }
}

/// Makes the UTF-8 text at the end of `out`, from `start` on, safe in place.
pub(super) fn escape_utf8_tail(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    if plain_prefix(&out[start..]) == end - start {
        return;
    }

    let mut at = start;
    while at < end {
        match out[at] {
            // U+0080 to U+009F, the C1 controls, are exactly C2 80 to C2 9F.
            0xc2 if at + 1 < end && out[at + 1] < 0xa0 => {
                push_special(out[at + 1], out);
                at += 1;
            }
            byte @ 0x80.. => out.push(byte),
            byte => push_special(byte, out),
        }
        at += 1;
    }
    out.drain(start..end);
}

/// How many bytes at the start of `value` stand for themselves.
pub(super) fn plain_prefix(value: &[u8]) -> usize {
    let mut rest = value;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return value.len() - rest.len() + special.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    // All before the rest is plain, so the last word finds what is special in the rest.
    let special = value.last_chunk().map(|word| special_bytes(u64::from_le_bytes(*word)));
    match special {
        Some(0) => value.len(),
        Some(special) => value.len() - 8 + special.trailing_zeros() as usize / 8,
        None => value.iter().position(|byte| !is_plain(*byte)).unwrap_or(value.len()),
    }
}

/// Eight bytes at once: bit 7 of each byte that is not plain. Behind the first one a subtraction may
/// have borrowed, so that others are in it as well.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);

    let below_space = word.wrapping_sub(ONES * 0x20);
    let is_del = (word & (ONES * 0x7f)) + ONES;
    let is_quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    (below_space | is_del | is_quote | word) & (ONES * 0x80)
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"'
}

fn push_special(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";

    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        0x00..0x20 | 0x7f..0xa0 => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]];
            out.extend_from_slice(b"\\x");
            out.extend_from_slice(&digits);
        }
        0x20..0x7f => out.push(byte),
        0xa0.. => out.extend_from_slice(&[0xc0 | byte >> 6, 0x80 | byte & 0x3f]),
    }
}

#[cfg(test)]
mod tests {
    use super::{escape_utf8_tail, push_latin1};

    #[test]
    fn every_byte_is_its_latin1_character_or_an_escape() {
        for byte in 0..=u8::MAX {
            let expected = match char::from(byte) {
                '"' => "\\\"".to_owned(),
                c if c.is_control() => format!("\\x{byte:02x}"),
                c => c.to_string(),
            };
            for (before, behind) in (0..20).flat_map(|n| [(n, 0), (n, 1), (n, 9), (0, n)]) {
                let (before, behind) = ("!".repeat(before), "~".repeat(behind));
                let value = [before.as_bytes(), &[byte], behind.as_bytes()].concat();
                let mut out = b"a".to_vec();
                push_latin1(&value, &mut out);
                let expected = format!("a{before}{expected}{behind}");
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{byte:#04x}");
            }
        }
    }

    #[test]
    fn utf8_text_keeps_its_characters_and_loses_its_controls() {
        let cases = [
            ("", ""),
            ("plain", "plain"),
            ("zoë 日本 🦀", "zoë 日本 🦀"),
            ("a\"b", "a\\\"b"),
            ("a\nb\u{1b}[2J", "a\\x0ab\\x1b[2J"),
            ("\u{85}\u{9b}31m\u{a0}Â", "\\x85\\x9b31m\u{a0}Â"),
        ];
        for (text, expected) in cases {
            let mut out = b"\n\"keep".to_vec();
            let start = out.len();
            out.extend_from_slice(text.as_bytes());
            escape_utf8_tail(&mut out, start);
            assert_eq!(std::str::from_utf8(&out[start..]), Ok(expected));
            assert_eq!(&out[..start], b"\n\"keep");
        }
    }

    #[test]
    fn what_is_no_utf8_stays_in_its_bounds() {
        let mut out = b"a\n\xc2".to_vec();
        escape_utf8_tail(&mut out, 1);
        assert_eq!(out, b"a\\x0a\xc2");
    }
}
