//! What must be true of single values that clients and operators write: log lines, traces, file
//! requests, settings. Each function is the body of a fuzz target; `tests/value_properties.rs`
//! drives them too.

use std::net::IpAddr;
use std::time::Duration;

use rgunicorn::http::codings::Coding;
use rgunicorn::http::conditional::{Conditions, Outcome, Validators};
use rgunicorn::http::range::{Selection, select};
use rgunicorn::http::{AllowList, IdHeader, Limits, Peer, beneath};
use rgunicorn::log::{Choice, Fields, Format, Record, Traceparent};
use serde_json::Value;

/// What of a configuration is read in Rust: lists of addresses, which requests are logged, limits,
/// the name of a header.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let entries: Vec<&str> = text.split('\n').collect();
    for entry in &entries {
        network(entry);
    }
    if let Ok(list) = AllowList::parse(&entries) {
        assert!(list.allows(&Peer::Unix));
        assert!(entries.iter().all(|entry| AllowList::parse(&[entry]).is_ok()));
    }
    let (when, skip) = entries.split_first().unwrap_or((&"", &[]));
    let skip: Vec<String> = skip.iter().map(|path| (*path).to_owned()).collect();
    match Choice::parse(when, &skip) {
        Err(part) => assert!(when.contains(part)),
        Ok(choice) => {
            for path in &skip {
                choice.wants(200, u64::MAX, path.as_bytes());
            }
            let words = || when.split(',').map(str::trim);
            let all = words().any(|word| word == "all");
            assert!(choice.wants(500, 0, b"/") || !all && !words().any(|word| word == "5xx"));
        }
    }
    let number = |at: usize| entries.get(at).and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    let limits = Limits::new(number(0), number(1), number(2));
    assert!((1..=1 << 20).contains(&limits.request_line) && (1..=32768).contains(&limits.fields));
    assert!(limits.field_size <= limits.section + 2 && limits.section <= 1 << 30);
    assert!(IdHeader::new(text).is(data));
}

/// One entry of a list of addresses allows the address it names, and of other ones only those that
/// share its prefix.
fn network(entry: &str) {
    let Ok(list) = AllowList::parse(&[entry]) else { return };
    let (address, mask) = entry.split_once('/').unwrap_or((entry, ""));
    let Ok(address) = address.parse::<IpAddr>() else {
        return assert_eq!(entry, "*");
    };
    assert!(list.allows(&Peer::Ip(address)), "{entry}");
    let IpAddr::V4(address) = address else { return };
    let Some(prefix) = (if mask.is_empty() { Some(32) } else { mask.parse::<u32>().ok() }) else {
        return;
    };
    for bit in 0..32 {
        let other = (u32::from(address) ^ 1 << (31 - bit)).into();
        assert_eq!(list.allows(&Peer::Ip(IpAddr::V4(other))), bit >= prefix, "{entry} {other}");
    }
}

/// A format that is taken renders one line of clean text, whatever the request says.
pub(crate) fn access(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == b'\n');
    let Ok(text) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let Some(format) = Format::compile(text) else { return };
    let rest: Vec<&[u8]> = parts.collect();
    let said = Said::of(&rest);
    let mut out = b"before".to_vec();
    format.render(&said.record(), &mut out);
    let Some(line) = out.strip_prefix(b"before").and_then(|line| line.strip_suffix(b"\n")) else {
        panic!("{out:?}")
    };
    let mut again = Vec::new();
    format.render(&said.record(), &mut again);
    assert_eq!(again.strip_suffix(b"\n"), Some(line));
    let Ok(line) = std::str::from_utf8(line) else { panic!("{line:?}") };
    if !text.contains(char::is_control) {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    assert!(format.environ_keys().len() < 64);
}

/// A line of named values reads back as what was said.
pub(crate) fn named(data: &[u8]) {
    let rest: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let said = Said::of(&rest);
    let read = |style: &str| {
        let Some(format) = Format::compile(style) else { panic!("{style}") };
        let mut out = Vec::new();
        format.render(&said.record(), &mut out);
        assert_eq!(out.pop(), Some(b'\n'));
        assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~')), "{out:?}");
        String::from_utf8(out).unwrap_or_default()
    };
    let json = read("json");
    let Ok(Value::Object(json)) = serde_json::from_str::<Value>(&json) else { panic!("{json}") };
    let logfmt = read("logfmt");
    let pairs = logfmt_pairs(&logfmt);
    assert_eq!(json.len(), pairs.len(), "{json:?} {logfmt}");
    for (key, value) in &pairs {
        match json.get(key) {
            Some(Value::String(text)) => assert_eq!(text, value, "{key}"),
            Some(Value::Number(number)) => {
                // serde_json reads long numbers to within one unit in the last place.
                let (read, said) = (number.as_f64(), value.parse::<f64>().ok());
                let close = read.zip(said).is_some_and(|(a, b)| (a - b).abs() <= a.abs() * 1e-12);
                assert!(close, "{key}: {read:?} {said:?}");
            }
            other => panic!("{key}: {other:?}"),
        }
    }
    let latin1 = |text: &[u8]| text.iter().map(|byte| char::from(*byte)).collect::<String>();
    for (key, text) in [("method", said.method), ("query", said.query)] {
        let expected = Some(latin1(text)).filter(|text| !text.is_empty());
        assert_eq!(json.get(key).and_then(Value::as_str).map(str::to_owned), expected, "{key}");
    }
}

/// Keys and values, as any reader of logfmt splits them.
fn logfmt_pairs(line: &str) -> Vec<(String, String)> {
    let (mut pairs, mut rest) = (Vec::new(), line);
    while let Some((key, after)) = rest.split_once('=') {
        let end = if after.starts_with('"') {
            let mut escaped = false;
            let close = after.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            close.map_or(after.len(), |(at, _)| at + 1)
        } else {
            after.find(' ').unwrap_or(after.len())
        };
        let value = &after[..end];
        let plain = serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned());
        pairs.push((key.to_owned(), plain));
        rest = after[end..].strip_prefix(' ').unwrap_or(&after[end..]);
    }
    assert!(rest.is_empty(), "{line}");
    pairs
}

/// A request, from lines.
struct Said<'a> {
    method: &'a [u8],
    target: &'a [u8],
    query: &'a [u8],
    address: &'a [u8],
    number: u64,
    fields: Pairs<'a>,
}

/// What the application adds.
static NONE: Pairs<'static> = Pairs(Vec::new());

/// Names and values.
struct Pairs<'a>(Vec<(&'a [u8], &'a [u8])>);

impl Fields for Pairs<'_> {
    fn visit(&self, name: &[u8], each: &mut dyn FnMut(&[u8])) {
        self.0[..].visit(name, each);
    }
}

impl<'a> Said<'a> {
    fn of(lines: &[&'a [u8]]) -> Self {
        let line = |at: usize| lines.get(at).copied().unwrap_or_default();
        const NAMES: [&[u8]; 5] =
            [b"User-Agent", b"Referer", b"Authorization", b"traceparent", b"x-field"];
        let fields = Pairs(NAMES.into_iter().zip(lines.iter().skip(5).copied()).collect());
        let number = line(4).iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        Self { method: line(0), target: line(1), query: line(2), address: line(3), number, fields }
    }

    fn record(&self) -> Record<'_> {
        Record {
            remote_addr: self.address,
            time: b"[20/Nov/2026:13:00:00 +0000]",
            method: self.method,
            target: self.target,
            path: self.target,
            query: self.query,
            version: (1, 1),
            status: (self.number % 1000) as u16,
            body_bytes: self.number,
            duration_ns: self.number,
            at: Duration::from_millis(self.number % 253_402_300_800_000),
            queue_ns: Some(self.number).filter(|n| n % 2 == 0),
            request_id: self.address,
            pid: 7,
            slot: None,
            request_fields: &self.fields,
            response_fields: &NONE,
        }
    }
}

/// What is taken for a trace is one by the letter of the specification.
pub(crate) fn traceparent(data: &[u8]) {
    let parts: Vec<&[u8]> = data.splitn(5, |byte| *byte == b'-').collect();
    let hex = |text: &[u8], length: usize| {
        text.len() == length && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |text: &[u8]| text.iter().any(|digit| *digit != b'0');
    let valid = match parts[..] {
        [version, trace, span, flags, ref more @ ..] => {
            let later = version != b"00" && !more.is_empty() && !data.contains(&b',');
            (hex(version, 2) && version != b"ff" && (more.is_empty() || later))
                && (hex(trace, 32) && some(trace))
                && (hex(span, 16) && some(span))
                && hex(flags, 2)
        }
        _ => false,
    };
    let parsed = Traceparent::parse(data);
    assert_eq!(parsed.is_some(), valid);
    if let Some(parent) = parsed {
        assert_eq!(parent.whole(), &data[..55]);
        let parts = [parent.trace_id(), parent.span_id(), parent.flags()].join(&b'-');
        assert_eq!(&data[3..55], parts);
    }
}

/// Which file, which part of it, in which form: never outside, never more than there is.
pub(crate) fn files(data: &[u8]) {
    let Some((&[a, b, c, d], data)) = data.split_first_chunk::<4>() else { return };
    let len = u64::from(u32::from_le_bytes([a, b, c, d])) << (a % 33);
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let line = |at: usize| lines.get(at).copied().unwrap_or_default();
    within(select(line(0), len), len);

    const NAMES: [&[u8]; 7] = [
        b"Range",
        b"If-Match",
        b"If-Range",
        b"If-None-Match",
        b"Accept-Encoding",
        b"If-Modified-Since",
        b"if-unmodified-since",
    ];
    let fields = || NAMES.into_iter().zip(lines.iter().copied());
    let validators = Validators { etag: b"\"a-b\"", weak: a & 1 == 1, modified_s: len >> 20 };
    let conditions = Conditions::read(fields());
    within(conditions.select(&validators, len), len);
    let outcome = conditions.judge(&validators);
    if line(3) == b"\"a-b\"" && line(1).is_empty() {
        assert_ne!(outcome, Outcome::Send);
    }
    let chosen = conditions.wishes.choose([Coding::Gzip].into_iter());
    assert!(chosen.is_none_or(|coding| coding == Coding::Gzip));
    assert_eq!(conditions.wishes.choose(std::iter::empty()), None);

    let (path, prefix) = (line(0), line(1));
    if let Some(name) = beneath(path, prefix) {
        assert_eq!([prefix, b"/", name].concat(), path);
        assert!(!name.contains(&0));
        for component in name.split(|byte| *byte == b'/') {
            assert!(!component.is_empty() && component != b"." && component != b"..");
        }
    }
}

fn within(selection: Selection, len: u64) {
    if let Selection::Part { start, end } = selection {
        assert!(start < end && end <= len, "{start}..{end} of {len}");
    }
}
