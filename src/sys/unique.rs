//! Names that nobody else gives: UUIDs of version 7 (RFC 9562), which sort by the time they were made.
//!
//! Each takes its random bits from the kernel, so there is no state that a fork could copy: two
//! workers never make the same.

use std::io;

use super::clock::wall_time;

/// Characters of a name.
pub const LENGTH: usize = 36;

/// A name that was never given before.
///
/// # Errors
/// What getrandom(2) answers.
pub fn name() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let millis = u64::try_from(wall_time().as_millis()).unwrap_or(u64::MAX);
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(text(&bytes))
}

fn text(bytes: &[u8; 16]) -> [u8; LENGTH] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    /// Bytes before which there is a dash.
    const GROUPS: [usize; 4] = [4, 6, 8, 10];

    let mut out = [b'-'; LENGTH];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        at += usize::from(GROUPS.contains(&index));
        out[at] = HEX[usize::from(byte >> 4)];
        out[at + 1] = HEX[usize::from(byte & 0xf)];
        at += 2;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_text_of_a_uuid() {
        // RFC 9562, appendix A.6.
        let bytes = 0x017f_22e2_79b0_7cc3_98c4_dc0c_0c07_398f_u128.to_be_bytes();
        assert_eq!(&text(&bytes), b"017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn names_differ_and_say_when() {
        let before = wall_time().as_millis();
        let names: BTreeSet<_> = (0..1000).map(|_| name().unwrap()).collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            let text = std::str::from_utf8(&name).unwrap();
            let digits = text.replace('-', "");
            let millis = u128::from_str_radix(&digits[..12], 16).unwrap();
            assert!((before..=wall_time().as_millis()).contains(&millis), "{text}");
            assert_eq!(&digits[12..13], "7");
            assert!("89ab".contains(&digits[16..17]), "{text}");
        }
    }
}
