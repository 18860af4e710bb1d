//! Cost of one response head: `cargo bench --no-default-features --bench response`.

use std::hint::black_box;

use divan::{AllocProfiler, Bencher};
use rgunicorn::http::{Encoder, Facts, ResponseFields};

mod cases;
use cases::RESPONSE;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Fields checked and written, head, one piece of body, end.
#[divan::bench(args = [2, 6])]
fn with_length(bencher: Bencher<'_, '_>, count: usize) {
    bench(bencher, &RESPONSE[RESPONSE.len() - count..]);
}

#[divan::bench(args = [1, 5])]
fn chunked(bencher: Bencher<'_, '_>, count: usize) {
    bench(bencher, &RESPONSE[..count]);
}

fn bench(bencher: Bencher<'_, '_>, pushed: &[(&[u8], &[u8])]) {
    let facts = Facts { version: (1, 1), chunks: true, is_head: false, keep_alive: true };
    let (mut encoder, mut fields) = (Encoder::default(), ResponseFields::default());
    let mut out = Vec::with_capacity(1024);
    bencher.bench_local(|| {
        out.clear();
        fields.clear();
        for (name, value) in black_box(pushed) {
            let _ = black_box(fields.push(name, value));
        }
        let date = b"Fri, 20 Nov 2026 13:31:29 GMT";
        encoder.head(&mut out, &facts, b"200 OK", &fields, b"rgunicorn", date);
        encoder.begin_chunk(&mut out, 12);
        out.extend_from_slice(b"Hello world\n");
        encoder.end_chunk(&mut out);
        encoder.finish(&mut out)
    });
}
