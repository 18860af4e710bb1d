//! Tests of `head.rs`.

use super::*;
use crate::http::test_policy::usual;

fn read(raw: &[u8]) -> (Vec<u8>, Head) {
    let mut buf = raw.to_vec();
    let mut head = Head::default();
    assert_eq!(HeadReader::default().poll(&mut buf, true, &usual(), None, &mut head), Ok(true));
    (buf, head)
}

#[test]
fn last_field_of_a_name() {
    let (buf, head) = read(b"GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nY:\r\n\r\n");
    assert_eq!(head.field(&buf, "X-a"), Some(&b"2"[..]));
    assert_eq!(head.field(&buf, "y"), Some(&b""[..]));
    assert_eq!(head.field(&buf, "z"), None);
}

#[test]
fn room_shrinks_to_the_limit_and_no_further() {
    let mut policy = usual();
    policy.limits = crate::http::Limits::new(20, 1, 30);
    let mut reader = HeadReader::default();
    let mut head = Head::default();
    let mut buf = b"GET / HTTP/1.1\r\nX: ".to_vec();
    assert_eq!(reader.poll(&mut buf, false, &policy, None, &mut head), Ok(false));
    let room = reader.room(buf.len(), &policy);
    assert_eq!(room, 16 + 36 + 1 - buf.len());
    buf.resize(buf.len() + room - 1, b'a');
    assert_eq!(reader.poll(&mut buf, false, &policy, None, &mut head), Ok(false));
    assert_eq!(reader.room(buf.len(), &policy), 1);
    buf.push(b'a');
    let refused = ParseError::LimitRequestHeaders("max buffer headers");
    assert_eq!(reader.poll(&mut buf, false, &policy, None, &mut head), Err(refused));
}

#[test]
fn a_head_keeps_nothing_of_the_one_before() {
    let first: &[u8] = b"HEAD /a?b HTTP/1.0\r\nSCRIPT_NAME: /\r\nConnection: upgrade\r\n\
        X-Forwarded-Proto: https\r\nContent-Length: 3\r\n\r\n";
    let second: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    let (mut reader, mut head) = (HeadReader::default(), Head::default());
    assert_eq!(reader.poll(&mut first.to_vec(), true, &usual(), None, &mut head), Ok(true));
    assert!(head.is_head && head.https && head.upgrade && head.has_script_name);
    assert_eq!(reader.poll(&mut second.to_vec(), true, &usual(), None, &mut head), Ok(true));
    assert_eq!(head, read(second).1);
}

#[test]
fn the_request_is_known_when_its_headers_are_refused() {
    let mut buf = b"GET /x HTTP/1.1\r\nA: b\r\nC\r\n\r\n".to_vec();
    let mut head = Head::default();
    assert!(HeadReader::default().poll(&mut buf, true, &usual(), None, &mut head).is_err());
    assert_eq!((head.method.of(&buf), head.target.of(&buf)), (&b"GET"[..], &b"/x"[..]));
    assert!(head.fields.is_empty());
}

#[test]
fn last_parameter_of_a_name() {
    let (mut buf, mut head) = read(b"GET / HTTP/1.0\r\n\r\n");
    let at = buf.len();
    buf.extend_from_slice(b"A1A2");
    for start in [at, at + 2] {
        let (name, value) = (Span::new(start, start + 1), Span::new(start + 1, start + 2));
        head.params.push(Field { name, value });
    }
    assert_eq!(head.param(&buf, b"A"), Some(&b"2"[..]));
    assert_eq!(head.param(&buf, b"a"), None);
    assert_eq!(head.response_version(), (1, 0));
}
