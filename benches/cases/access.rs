//! A request and its response, as the access log sees them.

use std::time::Duration;

use rgunicorn::log::Record;

const REQUEST: &[(&str, &str)] = &[
    ("Host", "example.org"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml"),
    ("Referer", "https://example.org/some/page?with=query"),
    ("X-Request-Id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("Authorization", "Basic dXNlcjpwYXNzd29yZA=="),
];
const RESPONSE: &[(&str, &str)] = &[("Content-Type", "text/html"), ("X-Frame-Options", "DENY")];

/// What there is to say about it.
pub(crate) fn record() -> Record<'static> {
    Record {
        remote_addr: b"203.0.113.7",
        time: b"[20/Nov/2026:13:00:00 +0000]",
        method: b"GET",
        target: b"/articles/2026/11/a-title?page=2",
        path: b"/articles/2026/11/a-title",
        query: b"page=2",
        version: (1, 1),
        status: 200,
        body_bytes: 18_231,
        duration_ns: 12_345_678,
        at: Duration::from_millis(1_795_253_253_123),
        queue_ns: Some(1_234_567),
        request_id: b"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        pid: 4242,
        slot: Some(3),
        request_fields: &REQUEST,
        response_fields: &RESPONSE,
    }
}
