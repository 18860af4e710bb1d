//! Conditional requests (RFC 9110 section 13): whether what is there is to be sent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::codings::Wishes;
use super::range::{self, Selection};

/// Last second of the year 9999: later ones have no HTTP date.
const LAST_SECOND: u64 = 253_402_300_799;

/// What a request for a file says of it: its conditions, its range, the forms it takes.
#[derive(Debug)]
pub struct Conditions<'a> {
    if_match: Vec<&'a [u8]>,
    if_none_match: Vec<&'a [u8]>,
    if_modified_since: Single<'a>,
    if_unmodified_since: Single<'a>,
    if_range: Single<'a>,
    range: Single<'a>,
    /// How the client wants it.
    pub wishes: Wishes,
}

/// A field that may stand once; said twice it says nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Single<'a> {
    value: Option<&'a [u8]>,
    times: u32,
}

impl<'a> Single<'a> {
    fn say(&mut self, value: &'a [u8]) {
        self.value = Some(value);
        self.times = self.times.saturating_add(1);
    }

    fn get(self) -> Option<&'a [u8]> {
        self.value.filter(|_| self.times == 1)
    }

    /// Seconds since 1970; `None` also for what is no date, which is ignored then.
    fn date(self) -> Option<u64> {
        self.get().and_then(parse_date)
    }
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The opaque tag, with its quotes and without `W/`.
    pub etag: &'a [u8],
    /// Two states of the file may have the same tag and the same date.
    pub weak: bool,
    /// When it was changed, in seconds since 1970.
    pub modified_s: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is answered with the file.
    Send,
    /// The client has it already: 304.
    NotModified,
    /// It is not in the state that the client thinks: 412.
    Failed,
}

impl<'a> Conditions<'a> {
    /// Reads them out of a request's fields: names in any case, and values.
    pub fn read(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let (mut if_match, mut if_none_match, mut accept) = (Vec::new(), Vec::new(), Vec::new());
        let mut modified = Single::default();
        let mut unmodified = Single::default();
        let mut if_range = Single::default();
        let mut range = Single::default();
        for (name, value) in fields {
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            match name.len() {
                5 if is(b"range") => range.say(value),
                8 if is(b"if-match") => if_match.push(value),
                8 if is(b"if-range") => if_range.say(value),
                13 if is(b"if-none-match") => if_none_match.push(value),
                15 if is(b"accept-encoding") => accept.push(value),
                17 if is(b"if-modified-since") => modified.say(value),
                19 if is(b"if-unmodified-since") => unmodified.say(value),
                _ => {}
            }
        }
        Self {
            if_match,
            if_none_match,
            if_modified_since: modified,
            if_unmodified_since: unmodified,
            if_range,
            range,
            wishes: Wishes::read(accept.into_iter()),
        }
    }

    /// Whether a GET or HEAD of a file with `validators` is answered with it, in the order of
    /// section 13.2.2.
    pub fn judge(&self, validators: &Validators<'_>) -> Outcome {
        if !self.if_match.is_empty() {
            let sure = |tag: &Tag<'_>| tag.opaque.is_none() || !tag.weak && !validators.weak;
            let strong = |tag: Tag<'_>| sure(&tag) && tag.is(validators.etag);
            if !self.if_match.iter().any(|list| any_tag(list, strong)) {
                return Outcome::Failed;
            }
        } else if self.if_unmodified_since.date().is_some_and(|s| validators.modified_s > s) {
            return Outcome::Failed;
        }
        if !self.if_none_match.is_empty() {
            let weak = |tag: Tag<'_>| tag.is(validators.etag);
            if self.if_none_match.iter().any(|list| any_tag(list, weak)) {
                return Outcome::NotModified;
            }
        } else if self.if_modified_since.date().is_some_and(|s| validators.modified_s <= s) {
            return Outcome::NotModified;
        }
        Outcome::Send
    }

    /// What of the `len` bytes of a file with `validators` a GET is answered with (sections 13.1.5
    /// and 14.2).
    pub fn select(&self, validators: &Validators<'_>, len: u64) -> Selection {
        let Some(wanted) = self.range.get() else { return Selection::Whole };
        if self.if_range.times > 0 && !self.if_range.get().is_some_and(|v| holds(v, validators)) {
            return Selection::Whole;
        }
        range::select(wanted, len)
    }
}

/// Whether the file is still what the value of `If-Range` says: only what is strong counts.
fn holds(if_range: &[u8], validators: &Validators<'_>) -> bool {
    if validators.weak {
        return false;
    }
    if if_range.first() == Some(&b'"') {
        return if_range == validators.etag;
    }
    parse_date(if_range) == Some(validators.modified_s)
}

struct Tag<'a> {
    weak: bool,
    /// `None` stands for `*`.
    opaque: Option<&'a [u8]>,
}

impl Tag<'_> {
    fn is(&self, etag: &[u8]) -> bool {
        self.opaque.is_none_or(|opaque| opaque == etag)
    }
}

/// Whether `wanted` holds for a tag of the list. Tags may hold commas (section 8.8.3), so it is read
/// from its start; behind what is malformed nothing counts.
fn any_tag(list: &[u8], wanted: impl Fn(Tag<'_>) -> bool) -> bool {
    let mut rest = list;
    loop {
        while let [b' ' | b'\t' | b',', more @ ..] = rest {
            rest = more;
        }
        let weak = rest.starts_with(b"W/");
        let quoted = if weak { rest.get(2..).unwrap_or_default() } else { rest };
        let Some(after) = quoted.strip_prefix(b"\"") else {
            // A star stands alone; it says that there shall be a file, whatever it is.
            return rest == b"*" && wanted(Tag { weak: false, opaque: None });
        };
        let Some(end) = memchr::memchr(b'"', after) else { return false };
        if wanted(Tag { weak, opaque: quoted.get(..end + 2) }) {
            return true;
        }
        rest = after.get(end + 1..).unwrap_or_default();
    }
}

/// Seconds since 1970 as HTTP writes dates; clamped to what it can write.
pub fn http_date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND)))
}

fn parse_date(value: &[u8]) -> Option<u64> {
    let date: SystemTime = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_000_000_000;

    fn outcome(fields: &[(&str, &str)], weak: bool) -> Outcome {
        conditions(fields).judge(&Validators { etag: b"\"a,b\"", weak, modified_s: NOW })
    }

    fn conditions<'a>(fields: &'a [(&'a str, &'a str)]) -> Conditions<'a> {
        Conditions::read(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    #[test]
    fn preconditions() {
        use Outcome::{Failed, NotModified, Send};
        let (same, before, after) = (http_date(NOW), http_date(NOW - 1), http_date(NOW + 1));
        for (fields, strong, weak) in [
            (&[][..], Send, Send),
            (&[("if-none-match", "\"a,b\"")], NotModified, NotModified),
            (&[("If-None-Match", "W/\"a,b\"")], NotModified, NotModified),
            (&[("If-None-Match", "\"x\" ,, W/\"a,b\"")], NotModified, NotModified),
            (&[("If-None-Match", "\"x\""), ("If-None-Match", "\"a,b\"")], NotModified, NotModified),
            (&[("If-None-Match", "*")], NotModified, NotModified),
            (&[("If-None-Match", "\"x\", *")], NotModified, NotModified),
            (&[("If-None-Match", "a,b")], Send, Send),
            (&[("If-None-Match", "\"a")], Send, Send),
            (&[("If-None-Match", "\"x\"")], Send, Send),
            (&[("If-None-Match", "")], Send, Send),
            (&[("If-Modified-Since", &same)], NotModified, NotModified),
            (&[("If-Modified-Since", &after)], NotModified, NotModified),
            (&[("If-Modified-Since", &before)], Send, Send),
            (&[("If-Modified-Since", "yesterday")], Send, Send),
            (&[("If-Modified-Since", &same), ("If-Modified-Since", &same)], Send, Send),
            (&[("If-None-Match", "\"x\""), ("If-Modified-Since", &same)], Send, Send),
            (&[("If-Match", "\"a,b\"")], Send, Failed),
            (&[("If-Match", "W/\"a,b\"")], Failed, Failed),
            (&[("If-Match", "\"x\", \"a,b\"")], Send, Failed),
            (&[("If-Match", "\"x\"")], Failed, Failed),
            (&[("If-Unmodified-Since", &same)], Send, Send),
            (&[("If-Unmodified-Since", &before)], Failed, Failed),
            (&[("If-Unmodified-Since", "yesterday")], Send, Send),
            (&[("If-Match", "\"a,b\""), ("If-Unmodified-Since", &before)], Send, Failed),
            (&[("If-Match", "\"a,b\""), ("If-None-Match", "\"a,b\"")], NotModified, Failed),
        ] {
            assert_eq!(outcome(fields, false), strong, "{fields:?}");
            assert_eq!(outcome(fields, true), weak, "weak: {fields:?}");
        }
        // There is a file: that is all it asks for.
        assert_eq!([false, true].map(|weak| outcome(&[("If-Match", "*")], weak)), [Send, Send]);
    }

    #[test]
    fn ranges_with_a_condition() {
        let (same, after) = (http_date(NOW), http_date(NOW + 1));
        let part = Selection::Part { start: 1, end: 3 };
        for (if_range, expected) in [
            (None, part),
            (Some("\"a\""), part),
            (Some("\"b\""), Selection::Whole),
            (Some("W/\"a\""), Selection::Whole),
            (Some(same.as_str()), part),
            (Some(after.as_str()), Selection::Whole),
            (Some("*"), Selection::Whole),
            (Some(""), Selection::Whole),
        ] {
            let range = ("Range", "bytes=1-2");
            let fields: Vec<_> =
                [range].into_iter().chain(if_range.map(|v| ("If-Range", v))).collect();
            let strong = Validators { etag: b"\"a\"", weak: false, modified_s: NOW };
            let weak = Validators { weak: true, ..strong };
            assert_eq!(conditions(&fields).select(&strong, 10), expected, "{if_range:?}");
            let expected = if if_range.is_some() { Selection::Whole } else { part };
            assert_eq!(conditions(&fields).select(&weak, 10), expected, "weak: {if_range:?}");
        }
    }

    #[test]
    fn two_ranges_in_two_fields_are_none() {
        let fields = [("Range", "bytes=0-1"), ("Range", "bytes=3-4")];
        let validators = Validators { etag: b"\"a\"", weak: false, modified_s: NOW };
        assert_eq!(conditions(&fields).select(&validators, 10), Selection::Whole);
    }

    #[test]
    fn dates_have_an_end() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        #[test]
        fn nothing_panics_and_parts_lie_within(
            values in prop::collection::vec(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..30),
                "(W/)?\"[a-c,\"]{0,4}( |,|\\*|\"){0,5}".prop_map(String::into_bytes),
            ], 5),
            len in any::<u64>(),
            modified_s in any::<u64>(),
            weak in any::<bool>(),
        ) {
            let names: [&[u8]; 5] =
                [b"if-match", b"if-none-match", b"if-modified-since", b"if-range", b"range"];
            let fields = names.iter().zip(&values).map(|(name, value)| (*name, value.as_slice()));
            let conditions = Conditions::read(fields);
            let validators = Validators { etag: b"\"a\"", weak, modified_s };
            let _ = conditions.judge(&validators);
            if let Selection::Part { start, end } = conditions.select(&validators, len) {
                prop_assert!(start < end && end <= len);
            }
        }
    }

    #[test]
    fn names_of_the_same_length_are_other_names() {
        for length in 1..=20 {
            let name = "x".repeat(length);
            assert_eq!(outcome(&[(&name, "*")], false), Outcome::Send);
        }
    }
}
