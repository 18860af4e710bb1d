//! JSON lines are read back by serde_json, logfmt lines by a reader after go-logfmt's rules.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::{Named, Style, Text, path_of};
use crate::log::access::{Fields, Record};
use crate::log::format::Format;

const NONE: &[(&str, &str)] = &[];

fn named<'a>() -> Named<'a> {
    Named {
        at: Duration::new(1_795_253_253, 7_999_999),
        remote_addr: Text::Absent,
        user: Text::Absent,
        method: Text::Absent,
        target: Text::Absent,
        query: Text::Absent,
        protocol: Text::Absent,
        status: None,
        body_bytes: None,
        duration_us: 1_500_001,
        queue_us: None,
        referer: Text::Absent,
        user_agent: Text::Absent,
        request_id: Text::Absent,
        traceparent: Text::Absent,
        pid: 42,
        slot: None,
    }
}

fn line(style: Style, named: &Named<'_>) -> String {
    let mut out = b"before\n".to_vec();
    named.render(style, &mut out);
    String::from_utf8(out).unwrap().strip_prefix("before\n").unwrap().to_owned()
}

/// What a line says. Texts with their quotes taken off; numbers as they stand.
fn read(style: Style, line: &str) -> BTreeMap<String, String> {
    match style {
        Style::Json => {
            let Value::Object(object) = serde_json::from_str(line).unwrap() else {
                panic!("{line}");
            };
            let names = line.matches("\":").count();
            assert!(names >= object.len(), "a name twice: {line}");
            let text = |value: Value| match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                other => panic!("{other}"),
            };
            object.into_iter().map(|(name, value)| (name, text(value))).collect()
        }
        Style::Logfmt => read_logfmt(line),
    }
}

fn read_logfmt(line: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (name, tail) = rest.split_once('=').unwrap();
        assert!(!name.is_empty() && !name.contains([' ', '"']), "{name:?} in {line}");
        let (value, tail) = if tail.starts_with('"') {
            let mut end = 1;
            while !tail[end..].starts_with('"') {
                end += if tail[end..].starts_with('\\') { 2 } else { 1 };
            }
            // The same escapes as in JSON.
            (serde_json::from_str(&tail[..=end]).unwrap(), &tail[end + 1..])
        } else {
            let end = tail.find(' ').unwrap_or(tail.len());
            let bare = &tail[..end];
            assert!(bare != "null" && !bare.contains(['=', '"', '\\']), "{bare:?} in {line}");
            (bare.to_owned(), &tail[end..])
        };
        assert!(found.insert(name.to_owned(), value).is_none(), "{name} twice in {line}");
        rest = tail.strip_prefix(' ').unwrap_or_else(|| {
            assert_eq!(tail, "", "{line}");
            tail
        });
    }
    found
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[test]
fn what_is_absent_has_no_name() {
    let bare = named();
    assert_eq!(
        line(Style::Json, &bare),
        r#"{"time":"2026-11-21T09:27:33.007Z","duration":1.500001,"pid":42}"#
    );
    assert_eq!(
        line(Style::Logfmt, &bare),
        "time=2026-11-21T09:27:33.007Z duration=1.500001 pid=42"
    );
    let fields = [("Referer", "")];
    let fields = &&fields[..];
    let empty = Named {
        remote_addr: Text::Latin1(b""),
        user: Text::User(fields),
        target: Text::Utf8(""),
        query: Text::Latin1(b""),
        referer: Text::Field(fields, b"referer"),
        user_agent: Text::Field(fields, b"user-agent"),
        request_id: Text::Latin1(b""),
        traceparent: Text::Field(fields, b"traceparent"),
        ..bare
    };
    // A field that is there and empty is not absent.
    assert_eq!(
        line(Style::Json, &empty),
        r#"{"time":"2026-11-21T09:27:33.007Z","duration":1.500001,"referer":"","pid":42}"#
    );
    assert_eq!(
        line(Style::Logfmt, &empty),
        "time=2026-11-21T09:27:33.007Z duration=1.500001 referer=\"\" pid=42"
    );
}

#[test]
fn a_whole_request() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    let fields = [
        ("user-agent", "curl/8"),
        ("Traceparent", PARENT),
        ("authorization", "Basic em/DqzpzZWNyZXQ="),
        ("referer", "a"),
        ("Referer", "b"),
    ];
    let record = Record {
        remote_addr: b"10.0.0.1",
        time: b"",
        method: b"GET",
        target: b"/caf\xe9%20?a=b",
        path: b"/other",
        query: b"a=b",
        version: (1, 1),
        status: 200,
        body_bytes: 12,
        duration_ns: 1_234_999,
        at: Duration::from_millis(951_782_400_000),
        queue_ns: Some(2_000_000_000),
        request_id: b"abc",
        pid: 42,
        slot: Some(0),
        request_fields: &&fields[..],
        response_fields: &NONE,
    };
    let render = |format: &str| {
        let mut out = Vec::new();
        Format::compile(format).unwrap().render(&record, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        render("json"),
        r#"{"time":"2000-02-29T00:00:00.000Z","remote_addr":"10.0.0.1","user":"zo\u00eb","#
            .to_owned()
            + r#""method":"GET","path":"/caf\u00e9%20","query":"a=b","protocol":"HTTP/1.1","#
            + r#""status":200,"bytes":12,"duration":0.001234,"queue_time":2.000000,"#
            + r#""referer":"a,b","user_agent":"curl/8","request_id":"abc","#
            + r#""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","#
            + "\"trace_flags\":\"01\",\"pid\":42,\"slot\":0}\n"
    );
    assert_eq!(
        render("logfmt"),
        r#"time=2000-02-29T00:00:00.000Z remote_addr=10.0.0.1 user="zo\u00eb" method=GET "#
            .to_owned()
            + r#"path="/caf\u00e9%20" query="a=b" protocol=HTTP/1.1 status=200 bytes=12 "#
            + "duration=0.001234 queue_time=2.000000 referer=a,b user_agent=curl/8 "
            + "request_id=abc trace_id=0af7651916cd43dd8448eb211c80319c "
            + "span_id=b7ad6b7169203331 trace_flags=01 pid=42 slot=0\n"
    );
}

#[test]
fn paths_of_targets() {
    let cases = [
        ("/", "/"),
        ("/a/b?c?d", "/a/b"),
        ("/a#b?c", "/a"),
        ("//a://b/c", "//a://b/c"),
        ("http://h/a?b", "/a"),
        ("http://h?b", "/"),
        ("*", "*"),
        ("h:443", "h:443"),
        ("", ""),
        ("?a", ""),
    ];
    for (target, path) in cases {
        assert_eq!(path_of(target.as_bytes()), path.as_bytes(), "{target}");
    }
}

#[test]
fn days_of_the_calendar() {
    let cases = [
        (0, "1970-01-01T00:00:00.000Z"),
        (68_169_600, "1972-02-29T00:00:00.000Z"),
        (951_868_799, "2000-02-29T23:59:59.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"),
        (1_798_761_599, "2026-12-31T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        (253_402_300_799, "9999-12-31T23:59:59.000Z"),
    ];
    for (seconds, expected) in cases {
        let mut out = Vec::new();
        crate::log::line::push_time(Duration::from_secs(seconds), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

proptest! {
    /// Bytes of a client, of all kinds, and those that mean something in a line.
    #[test]
    fn every_value_reads_back_and_nothing_else_does(
        texts in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..24),
                "[ =\"\\\\{},:\n\r\t\u{0}\u{7f}a-z]{0,24}".prop_map(String::into_bytes),
                Just(b"null".to_vec()),
                Just(b"\" status=200 path=\"".to_vec()),
                Just(b"\",\"status\":200,\"x\":\"".to_vec()),
            ],
            6,
        ),
        user in "\\PC{0,9}[\u{0}-\u{2fff}]{0,9}",
        status in prop::option::of(0..1000_u16),
        queue in prop::option::of(any::<u64>()),
    ) {
        let fields: Vec<(&str, &[u8])> = vec![("referer", &texts[0]), ("user-agent", &texts[1])];
        let fields = &&fields[..] as &dyn Fields;
        let made = Named {
            remote_addr: Text::Latin1(&texts[2]),
            user: Text::Utf8(&user),
            method: Text::Latin1(&texts[3]),
            target: Text::Latin1(&texts[4]),
            query: Text::Latin1(&texts[5]),
            status,
            queue_us: queue,
            referer: Text::Field(fields, b"referer"),
            user_agent: Text::Field(fields, b"user-agent"),
            ..named()
        };
        let mut expected = BTreeMap::from([
            ("time".to_owned(), "2026-11-21T09:27:33.007Z".to_owned()),
            ("duration".to_owned(), "1.500001".to_owned()),
            ("pid".to_owned(), "42".to_owned()),
            ("referer".to_owned(), latin1(&texts[0])),
            ("user_agent".to_owned(), latin1(&texts[1])),
        ]);
        let may_lack = [
            ("remote_addr", latin1(&texts[2])),
            ("user", user.clone()),
            ("method", latin1(&texts[3])),
            ("path", latin1(path_of(&texts[4]))),
            ("query", latin1(&texts[5])),
            ("status", status.map(|it| it.to_string()).unwrap_or_default()),
        ];
        for (name, text) in may_lack {
            if !text.is_empty() {
                expected.insert(name.to_owned(), text);
            }
        }
        for style in [Style::Json, Style::Logfmt] {
            let line = line(style, &made);
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
            let mut found = read(style, &line);
            let waited = found.remove("queue_time");
            prop_assert_eq!(waited.is_some(), queue.is_some());
            prop_assert_eq!(&found, &expected, "{}", line);
        }
    }

    /// What is plain JSON is that of serde_json.
    #[test]
    fn strings_are_escaped_as_usual(text in "[ -~\n\r\t\u{8}\u{c}\u{0}-\u{1f}]{0,40}") {
        let made = Named { query: Text::Utf8(&text), ..named() };
        let line = line(Style::Json, &made);
        let usual = serde_json::to_string(&text).unwrap();
        prop_assert!(text.is_empty() || line.contains(&format!("\"query\":{usual}")), "{line}");
    }
}

#[test]
fn a_trace_is_read_in_any_form() {
    let value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for text in [Text::Latin1(value.as_bytes()), Text::Utf8(value)] {
        assert_eq!(text.as_traceparent().unwrap().whole(), value.as_bytes());
    }
    assert!(Text::Absent.as_traceparent().is_none());
}
