//! Access lines: time and allocations per line. `cargo bench --no-default-features --bench access`
//!
//! The rendering benches must show no allocation: the buffer is warm.

use divan::{AllocProfiler, Bencher};
use rgunicorn::log::{Format, Record};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const DEFAULT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;
const SHORT: &str = "%(h)s %(s)s %(D)d";
const LONG: &str =
    r#"%(h)-15s %(u)s %(t)s "%(r)s" %(s)s %(B)10d %(L)s %({x-request-id}i)s %({content-type}o)s"#;

const REQUEST: &[(&str, &str)] = &[
    ("Host", "example.org"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml"),
    ("Referer", "https://example.org/some/page?with=query"),
    ("X-Request-Id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("Authorization", "Basic dXNlcjpwYXNzd29yZA=="),
];
const RESPONSE: &[(&str, &str)] = &[("Content-Type", "text/html"), ("X-Frame-Options", "DENY")];

fn main() {
    divan::main();
}

#[divan::bench]
fn compile(bencher: Bencher<'_, '_>) {
    bencher.bench(|| Format::compile(divan::black_box(DEFAULT)));
}

#[divan::bench(args = [SHORT, DEFAULT, LONG, "json", "logfmt"])]
fn render(bencher: Bencher<'_, '_>, format: &str) {
    let Some(format) = Format::compile(format) else {
        eprintln!("not compiled: {format}");
        std::process::exit(1);
    };
    let record = Record {
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
        at: std::time::Duration::from_millis(1_795_253_253_123),
        queue_ns: Some(1_234_567),
        request_id: b"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        pid: 4242,
        slot: Some(3),
        request_fields: &REQUEST,
        response_fields: &RESPONSE,
    };
    let mut out = Vec::with_capacity(1024);
    bencher.bench_local(move || {
        out.clear();
        format.render(divan::black_box(&record), &mut out);
        out.len()
    });
}
