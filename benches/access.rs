//! Access lines: time and allocations per line. `cargo bench --no-default-features --bench access`
//!
//! The rendering benches must show no allocation: the buffer is warm.

use divan::{AllocProfiler, Bencher};
use rgunicorn::log::Format;

mod cases;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const DEFAULT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;
const SHORT: &str = "%(h)s %(s)s %(D)d";
const LONG: &str =
    r#"%(h)-15s %(u)s %(t)s "%(r)s" %(s)s %(B)10d %(L)s %({x-request-id}i)s %({content-type}o)s"#;

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
    let record = cases::access::record();
    let mut out = Vec::with_capacity(1024);
    bencher.bench_local(move || {
        out.clear();
        format.render(divan::black_box(&record), &mut out);
        out.len()
    });
}
