//! What the benchmarks are fed with: each of them takes what it needs.
#![allow(dead_code)]

pub(crate) mod access;
pub(crate) mod counting;

use rgunicorn::http::{AllowList, HeaderMap, Limits, Policy, ProxyMode};

/// A request of nine fields, as a proxy passes it on.
pub(crate) const PROXIED: &[u8] = b"GET /polls/5/results/?page=2 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\n\
    Cookie: csrftoken=0123456789abcdef0123456789abcdef; sessionid=fedcba9876543210\r\n\
    X-Forwarded-For: 203.0.113.7\r\n\
    X-Forwarded-Proto: https\r\n\r\n";
/// Sixteen fields: what a desktop browser sends when a page is opened.
pub(crate) const BROWSER: &[u8] = include_bytes!("browser.http");
/// Two lines.
pub(crate) const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost:8000\r\n\r\n";
/// A form is sent.
pub(crate) const FORM: &[u8] =
    b"POST /login HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 27\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n\r\n";

/// The fields of a page that Django made.
pub(crate) const RESPONSE: &[(&[u8], &[u8])] = &[
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"X-Frame-Options", b"DENY"),
    (b"Vary", b"Cookie"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"same-origin"),
    (b"Content-Length", b"12"),
];

/// Gunicorn's `access_log_format`.
pub(crate) const ACCESS: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

/// Every setting at its default.
pub(crate) fn policy() -> Policy {
    let usual = AllowList::parse(&["127.0.0.1", "::1"]).unwrap_or_default();
    let scheme = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Policy {
        limits: Limits::new(4094, 100, 8190),
        permit_unconventional_method: false,
        permit_unconventional_version: false,
        casefold_method: false,
        strip_header_spaces: false,
        permit_obsolete_folding: false,
        header_map: HeaderMap::Drop,
        forwarder_headers: vec![b"SCRIPT_NAME".to_vec(), b"PATH_INFO".to_vec()],
        forwarded_allow: usual.clone(),
        secure_scheme_headers: vec![
            scheme("X-FORWARDED-PROTOCOL", "ssl"),
            scheme("X-FORWARDED-PROTO", "https"),
            scheme("X-FORWARDED-SSL", "on"),
        ],
        proxy: ProxyMode::Off,
        proxy_allow: usual,
        uwsgi: None,
        tls: false,
        script_name_env: Vec::new(),
    }
}

/// 64 KiB of data in chunks of `size` bytes.
pub(crate) fn chunks(size: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..65536 / size {
        wire.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        wire.resize(wire.len() + size, b'x');
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}
