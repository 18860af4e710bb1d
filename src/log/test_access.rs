//! Tests of `access.rs`.

use std::time::Duration;

use proptest::prelude::*;

use super::{Fields, Record};
use crate::log::Format;

const DEFAULT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;
const EVERYTHING: &str = "%(h)s %(l)s %(u)s %(t)s %(r)s %(s)s %(m)s %(U)s %(q)s %(H)s %(b)s \
    %(B)d %(f)s %(a)s %(T)s %(D)d %(M)d %(L)s %(p)s %({X-A}i)s %({x-b}o)s %({raw_uri}e)s %(request_id)s %(traceparent)s \
    %(U)40s %(U)-40s %(U).3s %(u)12.5s";

fn record<'a>(request: &'a dyn Fields, response: &'a dyn Fields) -> Record<'a> {
    Record {
        remote_addr: b"10.0.0.1",
        time: b"[20/Nov/2026:13:00:00 +0000]",
        method: b"GET",
        target: b"/a?b=c",
        path: b"/a",
        query: b"b=c",
        version: (1, 1),
        status: 200,
        body_bytes: 12,
        duration_ns: 1_234_567_890,
        at: Duration::from_millis(1_792_587_600_123),
        queue_ns: None,
        request_id: b"",
        pid: 42,
        slot: None,
        request_fields: request,
        response_fields: response,
    }
}

fn line(format: &str, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    Format::compile(format).unwrap().render(record, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn renders_the_default_format() {
    let request = &[("User-Agent", "curl"), ("Authorization", "Basic dXNlcjpwYXNz")][..];
    let response = &[("", ""); 0][..];
    assert_eq!(
        line(DEFAULT, &record(&request, &response)),
        "10.0.0.1 - user [20/Nov/2026:13:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \
         \"curl\"\n"
    );
}

#[test]
fn a_request_longer_than_a_day_keeps_its_length() {
    let none = &[("", ""); 0][..];
    let record = Record { duration_ns: 90_061_000_002_000, ..record(&none, &none) };
    assert_eq!(
        line("%(T)s %(M)s %(D)s %(L)s", &record),
        "90061 90061000 90061000002 90061.000002\n"
    );
}

#[test]
fn what_is_not_known_is_a_dash() {
    const FORMAT: &str = "%(slot)s %(queue_time)s %(request_id)s %(traceparent)s";
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    let none = &[("", ""); 0][..];
    let fields = &[("traceparent", PARENT)][..];
    let known = Record {
        slot: Some(0),
        queue_ns: Some(5_000_999),
        request_id: b"abc\n",
        ..record(&fields, &none)
    };
    assert_eq!(line(FORMAT, &known), format!("0 0.005000 abc\\x0a {PARENT}\n"));
    let twice = &[("Traceparent", PARENT), ("traceparent", PARENT)][..];
    for fields in [none, &[("traceparent", "00-x")][..], twice] {
        assert_eq!(line(FORMAT, &record(&fields, &none)), "- - - -\n");
    }
}

#[test]
fn repeated_fields_join_for_environ_and_the_last_wins_in_braces() {
    let request = &[("Referer", "a"), ("x", "1"), ("REFERER", "b"), ("X", "2")][..];
    let response = &[("Set-Cookie", "a"), ("set-cookie", "b\"")][..];
    assert_eq!(
        line("%(f)s %({referer}i)s %({X}i)s %({Set-Cookie}o)s", &record(&request, &response)),
        "a,b b 2 b\\\"\n"
    );
}

proptest! {
    #[test]
    fn no_client_bytes_can_break_the_line(
        target in prop::collection::vec(any::<u8>(), 0..40),
        path in prop::collection::vec(any::<u8>(), 0..40),
        value in prop::collection::vec(any::<u8>(), 0..40),
        user in "\\PC{0,9}[\u{0}-\u{ff}]{0,9}",
    ) {
        let authorization = [b"Basic ", &base64(user.as_bytes())[..]].concat();
        let request: &[(&str, &[u8])] = &[
            ("authorization", &authorization),
            ("referer", &value),
            ("user-agent", &value),
            ("x-a", &value),
        ];
        let response = &[("x-b", &value)][..];
        let record = Record {
            remote_addr: &value,
            method: &value,
            target: &target,
            path: &path,
            query: &target,
            request_id: &value,
            ..record(&request, &response)
        };
        for format in [DEFAULT, EVERYTHING] {
            let line = line(format, &record);
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.contains(|c: char| c.is_control()), "{line:?}");
        }
        // As in Gunicorn a backslash is not doubled, so one of the client's own can stand
        // before a quote of the format; only without any can quotes be counted.
        let sent = [&value[..], &target, &path, user.as_bytes()].concat();
        if !sent.contains(&b'\\') {
            let quotes = line(DEFAULT, &record).replace("\\\"", "").matches('"').count();
            prop_assert_eq!(quotes, 6);
        }
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    let mut out = Vec::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 0x3f];
            out.push(if at <= group.len() { digit } else { b'=' });
        }
    }
    out
}

#[test]
fn the_protocol_has_its_version() {
    for (version, text) in [((1, 1), "HTTP/1.1"), ((1, 0), "HTTP/1.0"), ((2, 10), "HTTP/2.10")] {
        let mut out = Vec::new();
        super::push_protocol(version, &mut out);
        assert_eq!(out, text.as_bytes());
    }
}
