//! Header sections and whole heads that were read before, so that the same bytes are not read again.
//!
//! A client says the same fields with every request, most of the time: only the request line
//! changes. What a section comes to depends on nothing but its bytes, the policy, and what
//! [`Key`] holds, so a section that is the same to the last byte has the same outcome. Only sound
//! sections are remembered: a fault is found anew each time. Where the request line is the same, too
//! (a client of an API, a check of a load balancer), so is all of the head.

use super::head::Known as Number;
use super::span::Span;
use super::{Field, Framing, Head};

/// Sections remembered at most.
const PLACES: usize = 8;

/// Bytes of a section at most: what clients say is not held in memory without bound.
const LONGEST: usize = 4 * 1024;

/// The sections that one reader of heads, or several with the same policy, have read last.
#[derive(Default, Debug)]
pub struct Recent {
    places: [Option<Known>; PLACES],
    heads: [Seen; PLACES],
    /// Heads that were learnt so far.
    learnt: u64,
}

/// A request line that came last, or a head.
#[derive(Default, Debug)]
struct Seen {
    trusted: bool,
    /// What was read, in `head`; none: only that line came.
    bytes: Vec<u8>,
    head: Option<Box<Head>>,
}

/// What the outcome depends on, beside the bytes and the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    trusted: bool,
    version: (u8, u8),
    is_connect: bool,
}

impl Key {
    fn of(head: &Head, trusted: bool) -> Self {
        Self { trusted, version: head.version, is_connect: head.is_connect }
    }
}

/// A section, and all that a [`Head`] says of it.
#[derive(Debug)]
struct Known {
    key: Key,
    /// With the empty line at its end.
    bytes: Vec<u8>,
    /// Their spans begin to count at the start of the section, as that of `script_name`.
    fields: Vec<Field>,
    script_name: Option<Span>,
    framing: Framing,
    https: bool,
    keep_alive: bool,
    expect_continue: bool,
    upgrade: bool,
}

impl Recent {
    /// Whether a section that is known begins at `start` of `buf`: fills `head` in, whose request
    /// line has been read, and returns where the section ends, before the empty line.
    pub(super) fn recall(
        &self,
        buf: &[u8],
        start: usize,
        trusted: bool,
        head: &mut Head,
    ) -> Option<usize> {
        let came = buf.get(start..)?;
        let known = self.places[place_of(came)].as_ref()?;
        // It ends with the first empty line in it, so it is not the beginning of a longer one.
        if !came.starts_with(&known.bytes) || known.key != Key::of(head, trusted) {
            return None;
        }
        let there = |field: &Field| Field {
            name: field.name.moved_by(start),
            value: field.value.moved_by(start),
        };
        head.fields.extend(known.fields.iter().map(there));
        head.has_script_name = known.script_name.is_some();
        head.script_name = known.script_name.map_or_else(Span::default, |it| it.moved_by(start));
        head.framing = known.framing;
        head.https = known.https;
        head.keep_alive = known.keep_alive;
        head.expect_continue = known.expect_continue;
        head.upgrade = known.upgrade;
        Some(start + known.bytes.len() - END)
    }

    /// Remembers the section `buf[start..end]`, which was read into `head`; the empty line follows.
    pub(super) fn learn(
        &mut self,
        buf: &[u8],
        start: usize,
        end: usize,
        trusted: bool,
        head: &Head,
    ) {
        let Some(bytes) = buf.get(start..end + END).filter(|bytes| bytes.len() <= LONGEST) else {
            return;
        };
        let place = &mut self.places[place_of(&buf[start..])];
        let (mut kept, mut fields) = match place.take() {
            Some(known) => (known.bytes, known.fields),
            None => Default::default(),
        };
        kept.clear();
        kept.extend_from_slice(bytes);
        fields.clear();
        fields.extend(head.fields.iter().map(|field| Field {
            name: field.name.moved_back_by(start),
            value: field.value.moved_back_by(start),
        }));
        *place = Some(Known {
            key: Key::of(head, trusted),
            bytes: kept,
            fields,
            script_name: head.has_script_name.then(|| head.script_name.moved_back_by(start)),
            framing: head.framing,
            https: head.https,
            keep_alive: head.keep_alive,
            expect_continue: head.expect_continue,
            upgrade: head.upgrade,
        });
    }
}

impl Recent {
    /// Whether a head that is known begins `buf`: fills `head` in.
    pub(super) fn recall_head(&self, buf: &[u8], trusted: bool, head: &mut Head) -> bool {
        let seen = &self.heads[place_of(buf)];
        let Some(known) = &seen.head else { return false };
        // It ends with its first empty line, as above.
        let is_same = seen.trusted == trusted && buf.starts_with(&seen.bytes);
        if is_same {
            copy(known, head);
        }
        is_same
    }

    /// Remembers a head when its request line comes for the second time; most never do. Its section,
    /// which begins at `section`, was known.
    pub(super) fn learn_head(&mut self, buf: &[u8], section: usize, trusted: bool, head: &Head) {
        if head.len > LONGEST {
            return;
        }
        let seen = &mut self.heads[place_of(buf)];
        let line = buf.get(..section).unwrap_or_default();
        let is_again = seen.head.is_none() && seen.trusted == trusted && seen.bytes == line;
        seen.trusted = trusted;
        seen.bytes.clear();
        if is_again {
            seen.bytes.extend_from_slice(buf.get(..head.len).unwrap_or_default());
            self.learnt += 1;
            seen.head = Some(Box::new(Head { known: Number(self.learnt), ..head.clone() }));
        } else {
            seen.bytes.extend_from_slice(line);
            seen.head = None;
        }
    }
}

/// What `clone_from` would be, had it been written: the memory of `into` is used again.
fn copy(head: &Head, into: &mut Head) {
    let (mut fields, mut params) =
        (std::mem::take(&mut into.fields), std::mem::take(&mut into.params));
    fields.clone_from(&head.fields);
    params.clone_from(&head.params);
    *into = Head { fields, params, ..*head };
}

/// Bytes of the empty line.
const END: usize = 2;

/// Where the section at the start of `came` is looked for. Most often nothing follows it, and what
/// does (a body, whose length is in the section) is the same each time.
fn place_of(came: &[u8]) -> usize {
    came.len() % PLACES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::test_policy::usual;
    use crate::http::{HeadReader, ParseError, Policy};

    type Read = Result<(Head, Vec<u8>), ParseError>;

    fn read(raw: &[u8], trusted: bool, policy: &Policy, recent: Option<&mut Recent>) -> Read {
        let (mut buf, mut head) = (raw.to_vec(), Head::default());
        let done = HeadReader::default().poll(&mut buf, trusted, policy, recent, &mut head);
        done.map(|whole| {
            assert!(whole, "{raw:?}");
            (head, buf)
        })
    }

    /// Each head comes to the same with the memory of those before it.
    fn assert_same(heads: &[(Vec<u8>, bool)]) -> Recent {
        let (policy, mut recent) = (usual(), Recent::default());
        for (raw, trusted) in heads {
            let afresh = read(raw, *trusted, &policy, None);
            assert_eq!(read(raw, *trusted, &policy, Some(&mut recent)), afresh);
        }
        recent
    }

    fn hits(recent: &Recent, section: &[u8], trusted: bool, version: (u8, u8)) -> bool {
        let mut head = Head { version, ..Head::default() };
        recent.recall(section, 0, trusted, &mut head).is_some()
    }

    const SECTION: &str = "Host: a\r\nSCRIPT_NAME: /s\r\nX-Forwarded-Proto: https\r\n\
        Content-Length: 3\r\nExpect: 100-continue\r\nConnection: upgrade\r\n\r\n";

    fn after(line: &str, section: &str) -> Vec<u8> {
        format!("{line}\r\n{section}").into_bytes()
    }

    #[test]
    fn what_is_known_comes_to_the_same_behind_any_request_line() {
        let lines = [
            "GET /s HTTP/1.1",
            "POST /s/and/more?q HTTP/1.1",
            "GET /s HTTP/1.0",
            "CONNECT a:1 HTTP/1.1",
        ];
        let twice = lines
            .iter()
            .chain(&lines)
            .flat_map(|line| [true, false, true].map(|trusted| (after(line, SECTION), trusted)));
        assert_same(&twice.collect::<Vec<_>>());
    }

    #[test]
    fn what_differs_in_anything_is_not_known() {
        let recent = assert_same(&[(after("GET / HTTP/1.1", SECTION), false)]);
        let known = SECTION.as_bytes();
        assert!(hits(&recent, known, false, (1, 1)));
        assert!(!hits(&recent, known, true, (1, 1)) && !hits(&recent, known, false, (1, 0)));
        assert!(hits(&recent, &[known, &[b'x'; PLACES]].concat(), false, (1, 1)));
        for at in 0..known.len() {
            let mut other = known.to_vec();
            other[at] ^= 1;
            assert!(!hits(&recent, &other, false, (1, 1)), "{at}");
            assert!(!hits(&recent, &known[..at], false, (1, 1)), "{at}");
        }
    }

    fn hits_head(recent: &Recent, raw: &[u8], trusted: bool) -> bool {
        recent.recall_head(raw, trusted, &mut Head::default())
    }

    #[test]
    fn a_head_is_known_when_it_has_come_three_times() {
        let raw = after("GET /a?b HTTP/1.1", SECTION);
        let come = |times| assert_same(&vec![(raw.clone(), false); times]);
        assert!(!hits_head(&come(2), &raw, false));
        let recent = come(4);
        assert!(hits_head(&recent, &raw, false) && !hits_head(&recent, &raw, true));
        assert!(hits_head(&recent, &[&raw[..], &[b'x'; PLACES]].concat(), false));
        for at in 0..raw.len() {
            let mut other = raw.clone();
            other[at] ^= 1;
            assert!(!hits_head(&recent, &other, false), "{at}");
            assert!(!hits_head(&recent, &raw[..at], false), "{at}");
        }
    }

    #[test]
    fn another_head_in_its_place_is_read_for_itself() {
        let heads = ["/a", "/b", "/a", "/a", "/a", "/b", "/b", "/b", "/b", "/a"];
        let raw = |path| after(&format!("GET {path} HTTP/1.1"), SECTION);
        let recent = assert_same(&heads.map(|path| (raw(path), true)));
        assert!(!hits_head(&recent, &raw("/a"), true) && !hits_head(&recent, &raw("/b"), true));
    }

    #[test]
    fn faults_and_long_sections_are_not_remembered() {
        let fault = after("GET / HTTP/1.1", "Host: a\r\nHost: b\r\n\r\n");
        let long = after("GET / HTTP/1.1", &format!("A: {}\r\n\r\n", "x".repeat(LONGEST)));
        let recent = assert_same(&[(fault.clone(), true), (fault, true), (long, true)]);
        assert!(recent.places.iter().all(Option::is_none));
        assert!(recent.heads.iter().all(|seen| seen.head.is_none()));
        // A section of which there is a memory, behind a line that is too long with it.
        let section = format!("A: {}\r\n\r\n", "x".repeat(LONGEST / 2));
        let head = after(&format!("GET /{} HTTP/1.1", "x".repeat(LONGEST / 2)), &section);
        let recent = assert_same(&vec![(head, true); 4]);
        assert!(hits(&recent, section.as_bytes(), true, (1, 1)));
        assert!(recent.heads.iter().all(|seen| seen.head.is_none()));
    }

    #[test]
    fn an_old_one_makes_room() {
        let section = |n: usize| format!("A: {}\r\n\r\n", "x".repeat(n * PLACES));
        let mut recent = assert_same(&[1, 2].map(|n| (after("GET / HTTP/1.1", &section(n)), true)));
        assert!(hits(&recent, section(2).as_bytes(), true, (1, 1)));
        assert!(!hits(&recent, section(1).as_bytes(), true, (1, 1)));
        let again = after("GET / HTTP/1.1", &section(1));
        assert!(read(&again, true, &usual(), Some(&mut recent)).is_ok());
        assert!(hits(&recent, section(1).as_bytes(), true, (1, 1)));
    }

    proptest! {
        #[test]
        fn any_heads_come_to_the_same(
            picks in proptest::collection::vec((0..4usize, 0..6usize, any::<bool>()), 1..24),
        ) {
            let lines = ["GET / HTTP/1.1", "\r\nGET /a HTTP/1.1", "GET / HTTP/1.0", "HEAD /bcd HTTP/1.1"];
            let sections = [
                "\r\n",
                "Host: a\r\n\r\n",
                "Host: b\r\n\r\n",
                "A_B: 1\r\nHost: a\r\n\r\n",
                "Host: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1",
                "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ];
            let heads = picks.iter().map(|(line, section, trusted)| {
                (after(lines[*line], sections[*section]), *trusted)
            });
            assert_same(&heads.collect::<Vec<_>>());
        }
    }
}
