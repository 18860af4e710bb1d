//! `Range` of a request for bytes (RFC 9110 section 14): what of a file is to be sent.

use super::token;

/// What of the bytes is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them: no range was asked for, or none that is understood (section 14.2: such a field
    /// is ignored).
    Whole,
    /// `start..end`, which is not empty and lies within them.
    Part {
        /// Offset of the first byte.
        start: u64,
        /// Offset after the last byte.
        end: u64,
    },
    /// None of them: the range lies behind their end.
    Unsatisfiable,
}

/// Reads the field value `range` for `len` bytes.
///
/// Several ranges get the whole, which section 15.3.7.2 allows: their answer could be larger than
/// the file, and nobody who plays or resumes asks for them.
pub fn select(range: &[u8], len: u64) -> Selection {
    let Some((unit, set)) = split_at(range, b'=') else { return Selection::Whole };
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return Selection::Whole;
    }
    let mut specs = token::list(set).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return Selection::Whole };
    let Some((first, last)) = split_at(spec, b'-') else { return Selection::Whole };
    let (start, end) = match (number(first), number(last)) {
        // The last so many bytes.
        (None, Some(0)) if first.is_empty() => return Selection::Unsatisfiable,
        (None, Some(n)) if first.is_empty() => (len.saturating_sub(n), len),
        (Some(first), None) if last.is_empty() => (first, len),
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(len)),
        _ => return Selection::Whole,
    };
    if start < end { Selection::Part { start, end } } else { Selection::Unsatisfiable }
}

fn split_at(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(mark, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Digits only; more than there are numbers is the largest: no file has that many bytes.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |n: u64, byte: &u8| n.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    Some(digits.iter().fold(0, digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges() {
        use Selection::{Unsatisfiable, Whole};
        let part = |start, end| Selection::Part { start, end };
        for (range, len, expected) in [
            ("bytes=0-4", 10, part(0, 5)),
            ("bytes=0-0", 10, part(0, 1)),
            ("bytes=3-", 10, part(3, 10)),
            ("bytes=-3", 10, part(7, 10)),
            ("bytes=-30", 10, part(0, 10)),
            ("bytes=5-500", 10, part(5, 10)),
            ("BYTES=5-5", 10, part(5, 6)),
            ("bytes= 5-5 ,", 10, part(5, 6)),
            ("bytes=9-18446744073709551615", 10, part(9, 10)),
            ("bytes=9-99999999999999999999999", 10, part(9, 10)),
            ("bytes=-99999999999999999999999", 10, part(0, 10)),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=10-11", 10, Unsatisfiable),
            ("bytes=99999999999999999999999-", 10, Unsatisfiable),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=0-0", 0, Unsatisfiable),
            ("bytes=-1", 0, Unsatisfiable),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=20-,30-", 10, Whole),
            ("bytes=5-4", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1 - 2", 10, Whole),
            ("bytes 0-4", 10, Whole),
            ("lines=0-4", 10, Whole),
            ("bytes=0-4-5", 10, Whole),
            ("", 10, Whole),
        ] {
            assert_eq!(select(range.as_bytes(), len), expected, "{range:?} of {len}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within(
            range in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "bytes=[0-9]{0,21}-[0-9]{0,21}(,[0-9]{0,3}-[0-9]{0,3}){0,2}".prop_map(String::into_bytes),
            ],
            len in any::<u64>(),
        ) {
            if let Selection::Part { start, end } = select(&range, len) {
                prop_assert!(start < end && end <= len);
            }
        }
    }
}
