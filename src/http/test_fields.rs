//! Tests of `fields.rs`: the plain way against the thorough way, and against httparse.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::http::test_policy::usual;

/// The plain way and the thorough way must agree on whatever the plain way takes, and httparse must
/// take the same.
fn assert_same(section: &[u8], trusted: bool) {
    let policy = usual();
    let mut buf = [section, b"\r\n"].concat();
    assert_like_httparse(&buf);
    let mut plain = Head { version: (1, 1), ..Head::default() };
    let mut thorough = plain.clone();
    let outcome = match read_plain_head(&buf, 0, trusted, &policy, &mut plain) {
        Ok(None) => return,
        Ok(Some(end)) => {
            assert_eq!(end, section.len(), "{section:?}");
            Ok(())
        }
        Err(error) => Err(error),
    };
    let range = 0..section.len();
    assert_eq!(read_head(&mut buf, range, trusted, &policy, &mut thorough), outcome);
    let values = |head: &Head| -> Vec<(Vec<u8>, Vec<u8>)> {
        let owned = |f: &Field| (f.name.of(&buf).to_vec(), f.value.of(&buf).to_vec());
        head.fields.iter().map(owned).collect()
    };
    assert_eq!(values(&plain), values(&thorough));
    plain.fields.clear();
    thorough.fields.clear();
    assert_eq!(plain, thorough);
}

/// What the plain way finds is what httparse finds, a parser that many use: no more, no less. Bare
/// LFs aside, which httparse takes for line ends.
fn assert_like_httparse(block: &[u8]) {
    let mut fields = Vec::new();
    let policy = usual();
    let found = read_plain_lines(block, 0, &Judge::of_head(&policy, true, (1, 1)), &mut fields);
    let owned = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    let found = found.map(|(end, _)| {
        let fields = fields.iter().map(|f| owned(f.name.of(block), f.value.of(block)));
        (end + 2, fields.collect::<Vec<_>>())
    });
    let mut parsed = [httparse::EMPTY_HEADER; 64];
    let theirs = match httparse::parse_headers(block, &mut parsed) {
        Ok(httparse::Status::Complete((len, parsed))) if ends_in_crlf(&block[..len]) => {
            let fields = parsed.iter().map(|header| owned(header.name.as_bytes(), header.value));
            Some((len, fields.collect()))
        }
        _ => None,
    };
    assert_eq!(found, theirs, "{:?}", String::from_utf8_lossy(block));
}

fn ends_in_crlf(block: &[u8]) -> bool {
    block.iter().enumerate().all(|(at, b)| *b != b'\n' || (at > 0 && block[at - 1] == b'\r'))
}

#[test]
fn each_byte_in_name_and_value() {
    for byte in (0..=255).filter(|byte| *byte != b'\n') {
        for line in [
            &[b'X', byte, b':', b'v', b'\r', b'\n'][..],
            &[b'X', b':', b'v', byte, b'v', b'\r', b'\n'],
            &[b'X', b':', byte, b'\r', b'\n'],
            &[byte, b':', b'v', b'\r', b'\n'],
            &[b'A', b':', b'\r', b'\n', byte, b'B', b':', b'c', b'\r', b'\n'],
        ] {
            assert_same(line, true);
        }
    }
}

#[test]
fn plain_heads_are_read_plainly() {
    let policy = usual();
    let plain = |head: &[u8]| {
        let mut out = Head { version: (1, 1), ..Head::default() };
        read_plain_head(head, 0, true, &policy, &mut out)
    };
    assert_eq!(plain(b"\r\nrest"), Ok(Some(0)));
    assert_eq!(plain(b"A: b\r\nC:\r\n\r\nrest"), Ok(Some(10)));
    for other in [&b"A: b\n\r\n"[..], b"A: b\r\n\n", b"A: b\nC: d\r\n\r\n", b"\n", b"A: b\r\n"] {
        assert_eq!(plain(other), Ok(None), "{other:?}");
    }
    let fields = |count| [b"A: b\r\n".repeat(count), b"\r\n".to_vec()].concat();
    assert_eq!(plain(&fields(64)), Ok(Some(384)));
    assert_eq!(plain(&fields(65)), Ok(None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn both_ways_agree(
        lines in vec(("[A-Za-z_-]{1,17}", "[ \t]{0,2}", "[ -~\t]{0,40}"), 0..40),
        extra in vec(proptest::sample::select(vec![
            "Host: a\r\n", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Ssl: off\r\n",
            "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Expect: x\r\n",
            "Connection: close, x\r\n", "SCRIPT_NAME: /a\r\n", "Content-Type: x\r\n",
        ]), 0..4),
        trusted: bool,
    ) {
        let mut section = String::new();
        for (name, blanks, value) in lines {
            section.push_str(&format!("{name}:{blanks}{value}{blanks}\r\n"));
        }
        extra.iter().for_each(|line| section.push_str(line));
        assert_same(section.as_bytes(), trusted);
    }

    #[test]
    fn bytes_like_a_head(
        pieces in vec(proptest::sample::select(vec![
            "Host", "X-Y", "a_b", "x!#$%&'*+.^`|~", ":", ": ", ":\t", " ", "\t", "v", "0123456789",
            "a long value, longer than a word", "\r\n", "\r\n", "\r", "\n", "\0", "\u{7f}", "\u{e9}",
            "", "\u{1}",
        ]), 0..24),
    ) {
        assert_like_httparse(pieces.concat().as_bytes());
        assert_like_httparse((pieces.concat() + "\r\n\r\n").as_bytes());
    }

    #[test]
    fn heads_with_one_byte_changed(
        lines in vec("[A-Za-z!_-]{1,20}:[ \t]{0,2}[ -~]{0,50}\r\n", 0..6),
        at: proptest::sample::Index,
        byte: u8,
    ) {
        let mut block = (lines.concat() + "\r\n").into_bytes();
        assert_like_httparse(&block);
        let at = at.index(block.len());
        block[at] = byte;
        assert_like_httparse(&block);
    }
}
