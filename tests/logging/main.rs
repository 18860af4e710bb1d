//! The Rust access line against the lines real Gunicorn wrote (`corpus/access.json`, made by
//! `access_corpus.py`).

// A whole program of tests: failing loudly is what it is for.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod json;

use json::Json;
use rgunicorn::log::{Format, Record};

#[test]
fn access_lines_are_gunicorns() {
    let cases = Json::parse(include_str!("corpus/access.json"));
    let mut rendered = 0;
    for case in cases.list() {
        let name = case.at("name").text();
        let format = Format::compile(case.at("format").text());
        if case.at("native") == &Json::Bool(false) {
            assert_eq!(format, None, "{name}");
            continue;
        }

        let mut out = Vec::new();
        let format = format.unwrap_or_else(|| panic!("{name}: not compiled"));
        render(&format, case.at("record"), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected(case), "{name}");
        rendered += 1;
    }
    assert!(rendered > 50, "the corpus has shrunk to {rendered} cases");
}

fn render(format: &Format, record: &Json, out: &mut Vec<u8>) {
    let request = fields(record.at("request"));
    let response = fields(record.at("response"));
    let version = record.at("version").list();
    let record = Record {
        remote_addr: &record.at("remote_addr").latin1(),
        time: &record.at("time").latin1(),
        method: &record.at("method").latin1(),
        target: &record.at("target").latin1(),
        path: &record.at("path").latin1(),
        query: &record.at("query").latin1(),
        version: (
            u8::try_from(version[0].number()).unwrap(),
            u8::try_from(version[1].number()).unwrap(),
        ),
        status: record.at("status").text()[..3].parse().unwrap(),
        body_bytes: record.at("sent").number(),
        duration_ns: record.at("duration_us").number() * 1_000,
        at: std::time::Duration::ZERO,
        queue_ns: None,
        request_id: b"",
        pid: u32::try_from(record.at("pid").number()).unwrap(),
        slot: None,
        request_fields: &&request[..],
        response_fields: &&response[..],
    };
    format.render(&record, out);
}

fn fields(list: &Json) -> Vec<(Vec<u8>, Vec<u8>)> {
    let field = |pair: &Json| (pair.list()[0].latin1(), pair.list()[1].latin1());
    list.list().iter().map(field).collect()
}

/// Gunicorn's line, but what a client sent may not control the line: its control characters are
/// shown as `\xHH`. Those of the format are the operator's.
fn expected(case: &Json) -> String {
    let line = case.at("line").text();
    if case.at("format").text().contains(char::is_control) {
        return line.to_owned();
    }

    let mut safe = String::new();
    for c in line.strip_suffix('\n').unwrap().chars() {
        match c {
            c if c.is_control() => safe.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => safe.push(c),
        }
    }
    safe + "\n"
}
