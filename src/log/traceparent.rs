//! `traceparent` (W3C Trace Context, section 3.2): which trace a request belongs to.

/// A `traceparent` that may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent([u8; LEN]);

/// `VERSION-TRACE-SPAN-FLAGS`, in lower-case hex digits.
const LEN: usize = 55;
const DASHES: [usize; 3] = [2, 35, 52];

impl Traceparent {
    /// Reads the value of a field. `None` for what the specification calls invalid, and for two
    /// fields that were joined. Of a later version, what this one has a meaning for is taken
    /// (section 4.3).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(LEN)?;
        let this = Self(known.try_into().ok()?);
        let well_formed = known.iter().enumerate().all(|(at, byte)| match byte {
            b'-' => DASHES.contains(&at),
            b'0'..=b'9' | b'a'..=b'f' => !DASHES.contains(&at),
            _ => false,
        });
        let ends = match (&known[..2], rest.first()) {
            (b"ff", _) => false,
            (_, None) => true,
            (b"00", Some(_)) => false,
            (_, Some(byte)) => *byte == b'-' && !rest.contains(&b','),
        };
        let is_zero = |digits: &[u8]| digits.iter().all(|digit| *digit == b'0');
        let valid = well_formed && ends && !is_zero(this.trace_id()) && !is_zero(this.span_id());
        valid.then_some(this)
    }

    /// All of it.
    pub fn whole(&self) -> &[u8] {
        &self.0
    }

    /// The trace, 32 digits.
    pub fn trace_id(&self) -> &[u8] {
        &self.0[3..35]
    }

    /// The caller's span, 16 digits.
    pub fn span_id(&self) -> &[u8] {
        &self.0[36..52]
    }

    /// The flags, 2 digits.
    pub fn flags(&self) -> &[u8] {
        &self.0[53..]
    }
}

#[cfg(test)]
mod tests {
    use super::Traceparent;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn parts() {
        let it = Traceparent::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(it.whole(), GOOD.as_bytes());
        assert_eq!(it.trace_id(), b"0af7651916cd43dd8448eb211c80319c");
        assert_eq!(it.span_id(), b"b7ad6b7169203331");
        assert_eq!(it.flags(), b"01");
    }

    #[test]
    fn later_versions_may_be_longer() {
        let later = GOOD.replacen("00", "cc", 1);
        for value in [later.clone(), format!("{later}-what-the-future-brings")] {
            let it = Traceparent::parse(value.as_bytes()).unwrap();
            assert_eq!(it.whole(), later.as_bytes());
        }
    }

    #[test]
    fn what_is_invalid_is_none() {
        let later = GOOD.replacen("00", "01", 1);
        let invalid = [
            String::new(),
            GOOD[1..].to_owned(),
            GOOD[..54].to_owned(),
            format!("{GOOD}-more"),
            format!("{GOOD}0"),
            format!("{GOOD},{GOOD}"),
            format!("{later}.more"),
            format!("{later}-a,{later}-a"),
            GOOD.replacen("00", "ff", 1),
            GOOD.to_uppercase(),
            GOOD.replace('-', "_"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            GOOD.replace("b7ad", "b7ag"),
            GOOD.replace("b7ad", "b-ad"),
            GOOD.replace("b7ad", "\u{e9}ad"),
        ];
        for value in invalid {
            assert_eq!(Traceparent::parse(value.as_bytes()), None, "{value:?}");
        }
    }
}
