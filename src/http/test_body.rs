//! Tests of `body.rs`.

use super::*;
use crate::http::test_policy::usual;

#[test]
fn by_length() {
    let mut body = BodyDecoder::new(Framing::Length(5), &usual());
    assert_eq!((body.is_done(), body.remaining_hint()), (false, Some(5)));
    assert_eq!(body.next(b""), Ok((0, BodyEvent::NeedMore)));
    assert_eq!(body.next(b"abc"), Ok((3, BodyEvent::Data { start: 0, end: 3 })));
    assert_eq!((body.remaining_hint(), body.on_eof()), (Some(2), None));
    assert_eq!(body.next(b"deGET"), Ok((2, BodyEvent::Data { start: 0, end: 2 })));
    assert_eq!((body.is_done(), body.remaining_hint()), (true, Some(0)));
    assert_eq!(body.next(b"GET"), Ok((0, BodyEvent::End)));
}

#[test]
fn no_body() {
    for framing in [Framing::None, Framing::Length(0)] {
        let mut body = BodyDecoder::new(framing, &usual());
        assert!(body.is_done());
        assert_eq!(body.next(b"GET"), Ok((0, BodyEvent::End)));
    }
}

#[test]
fn data_lies_behind_its_size_line() {
    let mut body = BodyDecoder::new(Framing::Chunked, &usual());
    assert_eq!(body.next(b"3\r\nabc\r\n"), Ok((6, BodyEvent::Data { start: 3, end: 6 })));
    assert_eq!(body.next(b"\r\n0\r"), Ok((4, BodyEvent::NeedMore)));
    assert_eq!(body.remaining_hint(), None);
    assert_eq!(body.next(b"\nX: y\r\n\r\nGET"), Ok((9, BodyEvent::End)));
    assert_eq!(body.trailers(), [(b"X".to_vec(), b"y".to_vec())]);
}

#[test]
fn ends_of_the_connection() {
    let terminator = |found: &[u8]| Some(ParseError::ChunkMissingTerminator(found.to_vec()));
    for (wire, expected) in [
        (&b""[..], None),
        (b"3", None),
        (b"3\r\nab", None),
        (b"3\r\nabc", terminator(b"")),
        (b"3\r\nabc\r", terminator(b"\r")),
        (b"3\r\nabc\r\n", None),
        (b"0\r\n", terminator(b"")),
        (b"0\r\nX: y\r\n", terminator(b"")),
        (b"0\r\n\r\n", None),
    ] {
        let mut body = BodyDecoder::new(Framing::Chunked, &usual());
        let mut rest = wire;
        while !rest.is_empty() {
            rest = &rest[body.next(rest).unwrap().0..];
        }
        assert_eq!(body.on_eof(), expected, "{wire:?}");
    }
}

/// A hand-over: after each byte another decoder goes on.
#[test]
fn another_goes_on_where_one_has_stopped() {
    let policy = usual();
    for (framing, wire) in [
        (Framing::Length(3), &b"abc"[..]),
        (Framing::Chunked, b"3\r\nabc\r\n0\r\nX: y\r\nZ: 1\r\n\r\n"),
    ] {
        let mut body = BodyDecoder::new(framing, &policy);
        let mut data = Vec::new();
        for byte in wire {
            let piece = [*byte];
            if let (1, BodyEvent::Data { .. }) = body.next(&piece).unwrap() {
                data.push(*byte);
            }
            body = BodyDecoder::resume(body.standing(), &policy).unwrap();
        }
        assert!(body.is_done() && data == b"abc", "{framing:?} {data:?}");
        assert_eq!(body.trailers().len(), if framing == Framing::Chunked { 2 } else { 0 });
    }
}

#[test]
fn nobody_has_ever_stood_so() {
    let standing = |kind, left| Standing { kind, left, partial: vec![b'x'], trailers: vec![] };
    for (kind, left) in [(1, 0), (3, 0), (5, 2), (6, 0)] {
        assert!(BodyDecoder::resume(standing(kind, left), &usual()).is_none(), "{kind} {left}");
    }
    assert!(BodyDecoder::resume(standing(5, 1), &usual()).is_some());
}

#[test]
fn a_plain_size_line_has_the_limit_of_others() {
    let mut policy = usual();
    policy.limits = crate::http::Limits::new(4094, 100, 4);
    let mut body = BodyDecoder::new(Framing::Chunked, &policy);
    assert_eq!(body.next(b"0003\r\nabc").unwrap_err().status(), 400);
}
