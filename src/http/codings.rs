//! `Accept-Encoding` (RFC 9110 section 12.5.3): in which of the forms that lie ready a file is sent.

use super::token;

/// A form in which files can lie beside themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `br` (RFC 7932).
    Brotli,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl Coding {
    /// All of them, the smaller ones first.
    pub const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// As `Content-Encoding` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What the name of such a file ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// How much a client wants each form, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    brotli: u16,
    gzip: u16,
    /// Set only when the client speaks of it.
    identity: Option<u16>,
}

impl Wishes {
    /// Reads the values of all such fields. Without one nothing but the file itself is sent: who
    /// says nothing mostly understands nothing.
    pub fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut brotli, mut gzip, mut identity, mut others) = (None, None, None, None);
        for item in values.flat_map(token::list) {
            let mut parts = item.split(|byte| *byte == b';').map(token::trim_ows);
            let name = parts.next().unwrap_or_default();
            let weight = parts.next().map_or(Some(1000), weight);
            // What is malformed wants nothing.
            let Some(weight) = weight.filter(|_| parts.next().is_none()) else { continue };
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            if is(b"br") {
                brotli = Some(weight);
            } else if is(b"gzip") || is(b"x-gzip") {
                gzip = Some(weight);
            } else if is(b"identity") {
                identity = Some(weight);
            } else if is(b"*") {
                others = Some(weight);
            }
        }
        Self {
            brotli: brotli.or(others).unwrap_or(0),
            gzip: gzip.or(others).unwrap_or(0),
            identity: identity.or(others.filter(|weight| *weight == 0)),
        }
    }

    /// Which of the forms that are `there` is sent; `None`: the file itself, also where the client
    /// wants neither: a 406 helps nobody.
    pub fn choose(self, there: impl Iterator<Item = Coding>) -> Option<Coding> {
        let weight = |coding: &Coding| match coding {
            Coding::Brotli => self.brotli,
            Coding::Gzip => self.gzip,
        };
        let wanted = there.filter(|coding| weight(coding) > 0);
        // Of equals the first.
        let best = wanted.reduce(|a, b| if weight(&b) > weight(&a) { b } else { a })?;
        self.identity.is_none_or(|plain| weight(&best) >= plain).then_some(best)
    }
}

/// `q=0.5` (RFC 9110 section 12.4.2), in thousandths.
fn weight(parameter: &[u8]) -> Option<u16> {
    let (name, value) = parameter.split_at_checked(2)?;
    if !name.eq_ignore_ascii_case(b"q=") {
        return None;
    }
    let (whole, rest) = value.split_first()?;
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    if !matches!(whole, b'0' | b'1') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let places = digits.iter().chain(b"000").take(3);
    let part = places.fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
    let weight = u16::from(whole - b'0') * 1000 + part;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chosen(accept: &[&str]) -> Option<Coding> {
        let wishes = Wishes::read(accept.iter().map(|value| value.as_bytes()));
        wishes.choose(Coding::ALL.into_iter())
    }

    #[test]
    fn wishes() {
        use Coding::{Brotli, Gzip};
        for (accept, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["gzip"], Some(Gzip)),
            (&["x-gzip"], Some(Gzip)),
            (&["gzip, deflate, br, zstd"], Some(Brotli)),
            (&["gzip", "br"], Some(Brotli)),
            (&["GZIP;q=1.0, BR;q=0.5"], Some(Gzip)),
            (&["br;q=0, gzip;q=0.001"], Some(Gzip)),
            (&["br ; q=0.8, gzip ;q=0.9"], Some(Gzip)),
            (&["*"], Some(Brotli)),
            (&["*, br;q=0"], Some(Gzip)),
            (&["*;q=0"], None),
            (&["gzip;q=0.x"], None),
            (&["gzip;q=0"], None),
            (&["identity, gzip;q=0.5"], None),
            (&["identity;q=0.5, gzip"], Some(Gzip)),
            (&["identity;q=0"], None),
            (&["identity;q=0, gzip;q=0.1"], Some(Gzip)),
            (&["gzip;q=2"], None),
            (&["gzip;q=1.001"], None),
            (&["gzip;q=0.0000"], None),
            (&["gzip;q=x"], None),
            (&["gzip;level=9"], None),
            (&["deflate"], None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_chosen() {
        let wishes = Wishes::read([&b"br, gzip;q=0.1"[..]].into_iter());
        assert_eq!(wishes.choose([Coding::Gzip].into_iter()), Some(Coding::Gzip));
        assert_eq!(wishes.choose([].into_iter()), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(accept in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Wishes::read([accept.as_slice()].into_iter()).choose(Coding::ALL.into_iter());
        }
    }

    #[test]
    fn names_are_those_of_the_registry() {
        assert_eq!(Coding::ALL.map(Coding::name), ["br", "gzip"]);
        assert_eq!(Coding::ALL.map(Coding::suffix), [".br", ".gz"]);
    }
}
