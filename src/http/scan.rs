//! How far a field name or value reaches, eight bytes at a time.
//!
//! Nearly every byte of a head is looked at here and nowhere else. A word of eight bytes is judged
//! by arithmetic on all of them at once: bit 7 of each byte of a result is its answer. What that
//! does not decide is decided byte by byte, by the tables of [`token`].

use super::token;

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const ANSWERS: u64 = ONES << 7;
const LOW_BITS: u64 = !ANSWERS;

/// A field name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Name {
    /// In bytes.
    pub(super) length: usize,
    /// There may be more in it than letters and hyphens.
    pub(super) rare: bool,
}

/// The bytes at the start of `text` that may stand in a field name (RFC 9110 section 5.1).
pub(super) fn name(text: &[u8]) -> Name {
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let rare = rare_in_names(u64::from_le_bytes(*word));
        if rare != 0 {
            let length = text.len() - rest.len() + first(rare);
            if text.get(length) == Some(&b':') {
                return Name { length, rare: false };
            }
            break;
        }
        rest = behind;
    }
    rare_name(text)
}

/// Byte by byte.
#[cold]
fn rare_name(text: &[u8]) -> Name {
    let length = text.iter().position(|&byte| !token::is_tchar(byte)).unwrap_or(text.len());
    Name { length, rare: true }
}

/// Number of bytes at the start of `text` that may stand in a field value (RFC 9110 section 5.5).
pub(super) fn value_length(text: &[u8]) -> usize {
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            let length = text.len() - rest.len() + first(controls);
            if text.get(length) != Some(&b'\t') {
                return length;
            }
            break;
        }
        rest = behind;
    }
    rare_value_length(text)
}

/// A value with tabs, or at the end of the text.
#[cold]
fn rare_value_length(text: &[u8]) -> usize {
    text.iter().position(|&byte| !token::is_field_byte(byte)).unwrap_or(text.len())
}

/// Whether `text` is a field name (RFC 9110 section 5.1).
pub(super) fn is_name(text: &[u8]) -> bool {
    any(text, rare_in_names) == Some(false) || token::is_token(text)
}

/// Whether `text` is a field value (RFC 9110 section 5.5).
pub(super) fn is_value(text: &[u8]) -> bool {
    any(text, controls) == Some(false) || token::is_field_value(text)
}

/// Whether `asked` says yes to any byte of `text`; `None` when that has not eight bytes.
fn any(text: &[u8], asked: fn(u64) -> u64) -> Option<bool> {
    let mut found = asked(u64::from_le_bytes(*text.last_chunk()?));
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk() {
        found |= asked(u64::from_le_bytes(*word));
        rest = behind;
    }
    Some(found != 0)
}

/// Whether `text` is printable ASCII without blanks.
pub(super) fn is_printable(text: &[u8]) -> bool {
    match any(text, unprintable) {
        Some(found) => !found,
        None => text.iter().all(|byte| matches!(byte, 0x21..=0x7e)),
    }
}

/// `text` without the blanks (SP and HTAB) at its start. Most often it is one space.
pub(super) fn without_blanks(mut text: &[u8]) -> &[u8] {
    if let Some((b' ', rest)) = text.split_first() {
        if rest.first().is_some_and(|first| *first > b' ') {
            return rest;
        }
    }
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// `text` without the blanks at its end. Most often there are none.
pub(super) fn without_blanks_behind(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text {
        if *last > b' ' || !matches!(last, b' ' | b'\t') {
            break;
        }
        text = rest;
    }
    text
}

/// Place of the first byte whose answer is yes.
fn first(answers: u64) -> usize {
    (answers.trailing_zeros() / 8) as usize
}

/// What is neither letter nor hyphen.
fn rare_in_names(word: u64) -> u64 {
    let low = word & LOW_BITS;
    // Bit 7 of such a sum: the byte is at least so large. No carry leaves a byte of seven bits.
    let small = low | (ONES * 0x20);
    let letters = (small + ONES * (0x80 - 0x61)) ^ (small + ONES * (0x80 - 0x7b));
    let not_hyphens = (low ^ (ONES * 0x2d)) + LOW_BITS;
    (not_hyphens & !letters | word) & ANSWERS
}

/// Control characters, DEL among them. Up to the first one every answer is right, behind it the
/// subtraction may have borrowed.
fn controls(word: u64) -> u64 {
    let below_space = word.wrapping_sub(ONES * 0x20);
    let is_del = (word & LOW_BITS) + ONES;
    (below_space | is_del) & !word & ANSWERS
}

/// Blanks, control characters, DEL, and what is not ASCII. As with `controls`, the first is right.
fn unprintable(word: u64) -> u64 {
    let below = word.wrapping_sub(ONES * 0x21);
    let is_del = (word & LOW_BITS) + ONES;
    (below | is_del | word) & ANSWERS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `byte` at each place of a text of each length.
    fn everywhere(usual: u8, byte: u8) -> impl Iterator<Item = (usize, Vec<u8>)> {
        (0..20).flat_map(move |length| {
            (0..length).map(move |at| {
                let mut text = vec![usual; length];
                text[at] = byte;
                (at, text)
            })
        })
    }

    #[test]
    fn each_byte_in_a_name() {
        for byte in 0..=255 {
            for (at, text) in everywhere(b'x', byte).chain(everywhere(b'!', byte)) {
                let expected = if token::is_tchar(byte) { text.len() } else { at };
                assert_eq!(name(&text).length, expected, "{byte} in {text:?}");
                assert_eq!(is_name(&text), token::is_tchar(byte), "{text:?}");
            }
        }
    }

    #[test]
    fn each_byte_in_a_value() {
        for byte in 0..=255 {
            for (at, text) in everywhere(b' ', byte).chain(everywhere(b'\t', byte)) {
                let expected = if token::is_field_value(&[byte]) { text.len() } else { at };
                assert_eq!(value_length(&text), expected, "{byte} in {text:?}");
                assert_eq!(is_value(&text), token::is_field_value(&[byte]), "{text:?}");
            }
        }
    }

    #[test]
    fn each_byte_in_a_target() {
        for byte in 0..=255 {
            for (_, text) in everywhere(b'!', byte).chain(everywhere(b'~', byte)) {
                assert_eq!(is_printable(&text), matches!(byte, 0x21..=0x7e), "{text:?}");
            }
        }
    }

    #[test]
    fn blanks() {
        for (text, rest) in
            [("", ""), (" ", ""), (" a", "a"), ("\t \t a b", "a b"), ("a", "a"), (" \n", "\n")]
        {
            assert_eq!(without_blanks(text.as_bytes()), rest.as_bytes());
            let turned: Vec<u8> = text.bytes().rev().collect();
            let expected: Vec<u8> = rest.bytes().rev().collect();
            assert_eq!(without_blanks_behind(&turned), expected);
        }
    }

    #[test]
    fn rare_names() {
        let rare = |text: &[u8]| name(text).rare;
        assert!(!rare(b"X-Forwarded-For: 1") && !rare(b"a: 23456") && rare(b"X-B3-Id: 1"));
        assert!(rare(b"X_Y: 456789") && rare(b"X-Forwarded_For: 1") && rare(b"X!: 456789"));
        // Not known to be none.
        assert!(rare(b"a: "));
    }
}
