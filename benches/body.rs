//! Cost of decoding a body: `cargo bench --no-default-features --bench body`.

use std::hint::black_box;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use rgunicorn::http::{BodyDecoder, BodyEvent, Framing, Policy};

mod cases;
use cases::policy;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// 64 KiB of data in chunks of that many bytes.
#[divan::bench(args = [16, 1024, 16384])]
fn chunked(bencher: Bencher<'_, '_>, size: usize) {
    let wire = cases::chunks(size);
    let policy = policy();
    bencher
        .counter(BytesCount::new(65536usize))
        .bench_local(|| decode(Framing::Chunked, black_box(&wire), &policy));
}

#[divan::bench]
fn by_length(bencher: Bencher<'_, '_>) {
    let wire = vec![b'x'; 65536];
    let policy = policy();
    bencher
        .counter(BytesCount::new(65536usize))
        .bench_local(|| decode(Framing::Length(65536), black_box(&wire), &policy));
}

fn decode(framing: Framing, mut wire: &[u8], policy: &Policy) -> usize {
    let mut decoder = BodyDecoder::new(framing, policy);
    let mut bytes = 0;
    while let Ok((taken, event)) = decoder.next(wire) {
        wire = &wire[taken..];
        match event {
            BodyEvent::Data { start, end } => bytes += end - start,
            BodyEvent::End => break,
            BodyEvent::NeedMore => return 0,
        }
    }
    bytes
}
