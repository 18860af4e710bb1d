//! Cost of reading one request head: `cargo bench --no-default-features --bench head`.

use std::hint::black_box;

use divan::{AllocProfiler, Bencher};
use rgunicorn::http::{AllowList, Head, HeadReader, HeaderMap, Limits, Policy, ProxyMode};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const BROWSER: &[u8] = b"GET /polls/5/results/?page=2 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\n\
    Cookie: csrftoken=0123456789abcdef0123456789abcdef; sessionid=fedcba9876543210\r\n\
    X-Forwarded-For: 203.0.113.7\r\n\
    X-Forwarded-Proto: https\r\n\r\n";
const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost:8000\r\n\r\n";
const FORM: &[u8] = b"POST /login HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 27\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n\r\n";

fn main() {
    divan::main();
}

fn policy() -> Policy {
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

#[divan::bench(args = [("browser", BROWSER), ("small", SMALL), ("form", FORM)].map(Named), consts = [false, true])]
fn whole<const TRUSTED: bool>(bencher: Bencher<'_, '_>, request: &Named) {
    let policy = policy();
    let mut buf = request.0.1.to_vec();
    let (mut reader, mut head) = (HeadReader::default(), Head::default());
    bencher.bench_local(|| {
        let done = reader.poll(black_box(&mut buf), TRUSTED, &policy, &mut head);
        assert_eq!(done, Ok(true));
        head.fields.len()
    });
}

/// A head that comes one byte per read must not cost the square of its length.
#[divan::bench]
fn byte_by_byte(bencher: Bencher<'_, '_>) {
    let policy = policy();
    let mut buf = BROWSER.to_vec();
    let (mut reader, mut head) = (HeadReader::default(), Head::default());
    bencher.bench_local(|| {
        for have in 1..=buf.len() {
            let _ = black_box(reader.poll(&mut buf[..have], true, &policy, &mut head));
        }
    });
}

struct Named((&'static str, &'static [u8]));

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.0)
    }
}
