//! Byte classes of RFC 9110 section 5.6.2 and 5.5, as tables.

const TCHAR: u8 = 1;
const FIELD_VALUE: u8 = 2;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            table[byte] |= TCHAR;
        }
        if b == b'\t' || (b >= 0x20 && b != 0x7f) {
            table[byte] |= FIELD_VALUE;
        }
        byte += 1;
    }
    table
}

/// `tchar`: may stand in a token.
pub(super) fn is_tchar(byte: u8) -> bool {
    CLASS[byte as usize] & TCHAR != 0
}

/// A non-empty sequence of `tchar`.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_tchar(b))
}

/// May stand in a field value.
pub(super) fn is_field_byte(byte: u8) -> bool {
    CLASS[byte as usize] & FIELD_VALUE != 0
}

/// VCHAR, obs-text, SP and HTAB only: no control character, no DEL.
pub(super) fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| is_field_byte(b))
}

/// Whether `name` is `known`, in any case; quickest as `known` is written.
pub(super) fn same(name: &[u8], known: &[u8]) -> bool {
    name == known || name.eq_ignore_ascii_case(known)
}

/// Without the OWS (SP and HTAB) at both ends.
pub(super) fn trim_ows(bytes: &[u8]) -> &[u8] {
    let is_content = |b: &u8| !matches!(b, b' ' | b'\t');
    let Some(start) = bytes.iter().position(is_content) else { return &[] };
    let end = bytes.iter().rposition(is_content).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The elements of a comma-separated list, trimmed; empty ones left out (RFC 9110 section 5.6.1).
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim_ows).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 section 5.6.2, spelled in another way.
    #[test]
    fn the_table_is_that_of_the_rfc() {
        let table = classes();
        for byte in 0..=u8::MAX {
            let delimiter = b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            assert_eq!(is_tchar(byte), byte.is_ascii_graphic() && !delimiter, "{byte}");
            assert_eq!(table[usize::from(byte)], CLASS[usize::from(byte)]);
            let control = byte.is_ascii_control() && byte != b'\t';
            assert_eq!(is_field_value(&[byte]), !control, "{byte}");
        }
    }
}
