//! `X-Request-Start`: when a proxy took a request in, so that the time it has waited since is known.
//!
//! There is no standard, only habits: `t=1512379167.574` (nginx's `$msec`), `1512379167574`
//! (Heroku's router), `t=1512379167574000` (Apache's `%t`). The units are far enough apart for the
//! size of the number to tell which one is meant.

use std::time::Duration;

use super::Head;

/// Clocks of two machines differ; a start that lies further ahead is no start.
const SKEW: Duration = Duration::from_secs(60);
/// Nobody waits longer; such a start comes from a wrong clock or a wrong unit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Digits after the point that count: nanoseconds.
const FRACTION_DIGITS: usize = 9;

/// The times since the epoch that are in use, each with the size from which on a number is too
/// large for it (seconds until the year 5138) and its nanoseconds.
const UNITS: [(u64, u128); 4] = [
    (100_000_000_000, 1_000_000_000),
    (100_000_000_000_000, 1_000_000),
    (100_000_000_000_000_000, 1_000),
    (u64::MAX, 1),
];

/// How long a request has waited before its head was read, as its one `X-Request-Start` says.
/// `now` tells the time since the epoch. `None`: it does not say, or nothing that could be true; so
/// do two of them. Whether the peer is believed is the caller's question.
pub fn waited_before(head: &Head, buf: &[u8], now: impl FnOnce() -> Duration) -> Option<Duration> {
    let mut fields = head.fields.iter().filter(|field| {
        let name = field.name.of(buf);
        name.len() == NAME.len() && name.eq_ignore_ascii_case(NAME)
    });
    let field = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    since(field.value.of(buf), now())
}

const NAME: &[u8] = b"X-Request-Start";

/// The time from `value`, a start in any unit, to `now`, both since the epoch. `None`: it is no
/// number, or lies too far away on either side. A start slightly ahead is now.
pub fn since(value: &[u8], now: Duration) -> Option<Duration> {
    let start = start(value)?;
    if start > now {
        return (start - now <= SKEW).then_some(Duration::ZERO);
    }
    Some(now - start).filter(|waited| *waited <= LONGEST)
}

fn start(value: &[u8]) -> Option<Duration> {
    let number = value.strip_prefix(b"t=").unwrap_or(value);
    let mut parts = number.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next());
    if fraction.is_some_and(<[u8]>::is_empty) {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    let scale = 10_u128.pow(FRACTION_DIGITS as u32);
    let (counted, ignored) = fraction.split_at(fraction.len().min(FRACTION_DIGITS));
    decimal(ignored)?;
    let missing = FRACTION_DIGITS.saturating_sub(counted.len()) as u32;
    let fraction = u128::from(decimal(counted)?) * 10_u128.pow(missing);
    let whole = decimal(whole).filter(|_| !whole.is_empty())?;
    let (_, unit_ns) = UNITS.iter().find(|(too_large, _)| whole < *too_large)?;
    // Below 2^64 · 10^9 · 10^9 there is room in 128 bits.
    let ns = (u128::from(whole) * scale + fraction) * unit_ns / scale;
    let seconds = u64::try_from(ns / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(ns % 1_000_000_000).ok()?))
}

/// Digits only, and not more than 64 bits hold; nothing is 0.
fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeadReader;
    use crate::http::test_policy::usual;

    const NOW: Duration = Duration::from_millis(1_512_379_168_000);

    #[test]
    fn every_habit_is_understood() {
        let waited = Some(Duration::from_millis(426));
        for value in [
            "t=1512379167.574",
            "1512379167.574",
            "1512379167.574000000000",
            "1512379167574",
            "t=1512379167574",
            "1512379167574.0",
            "t=1512379167574000",
            "1512379167574000",
            "1512379167574000000",
        ] {
            assert_eq!(since(value.as_bytes(), NOW), waited, "{value}");
        }
        assert_eq!(since(b"t=1512379167", NOW), Some(Duration::from_secs(1)));
        // A clock that is ahead, a little.
        assert_eq!(since(b"t=1512379170.5", NOW), Some(Duration::ZERO));
        assert_eq!(since(b"1512292768", NOW), Some(LONGEST));
    }

    #[test]
    fn nonsense_is_none() {
        for value in [
            "",
            "t=",
            "t=t=1512379167",
            "-1",
            "t=-1512379167",
            "+1512379167",
            "1512379167.",
            ".5",
            "1512379167.5.5",
            "1512379167,5",
            "1512379167 5",
            "1e9",
            "0",
            "now",
            "18446744073709551615",
            "1512379167.5x",
            "1512379167.0000000000x",
            "99999999999999999999999",
            "1512379167.99999999999999999999999999999999",
            "T=1512379167",
            "D=1 t=1512379167",
            // Too old, and too far ahead.
            "1512292767",
            "1512379229",
            "1512379229000",
            "1512379229000000",
        ] {
            assert_eq!(since(value.as_bytes(), NOW), None, "{value}");
        }
    }

    #[test]
    fn two_of_them_say_nothing() {
        let read = |fields: &str| {
            let mut buf = format!("GET / HTTP/1.1\r\n{fields}\r\n").into_bytes();
            let mut head = Head::default();
            assert_eq!(
                HeadReader::default().poll(&mut buf, true, &usual(), None, &mut head),
                Ok(true)
            );
            waited_before(&head, &buf, || NOW)
        };
        assert_eq!(read("x-request-START: t=1512379167\r\n"), Some(Duration::from_secs(1)));
        assert_eq!(read("X-Request-Start: 1512379167\r\nX-Request-Start: 1512379167\r\n"), None);
        assert_eq!(read("X-Request-Begin: 1512379167\r\n"), None);
        assert_eq!(read("X_Request_Start: 1512379167\r\n"), None);
        assert_eq!(read(""), None);
    }
}
