//! Cost of decoding a body: `cargo bench --no-default-features --bench body`.

use std::hint::black_box;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use rgunicorn::http::{
    AllowList, BodyDecoder, BodyEvent, Framing, HeaderMap, Limits, Policy, ProxyMode,
};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn policy() -> Policy {
    Policy {
        limits: Limits::new(4094, 100, 8190),
        permit_unconventional_method: false,
        permit_unconventional_version: false,
        casefold_method: false,
        strip_header_spaces: false,
        permit_obsolete_folding: false,
        header_map: HeaderMap::Drop,
        forwarder_headers: Vec::new(),
        forwarded_allow: AllowList::default(),
        secure_scheme_headers: Vec::new(),
        proxy: ProxyMode::Off,
        proxy_allow: AllowList::default(),
        uwsgi: None,
        tls: false,
        script_name_env: Vec::new(),
    }
}

/// 64 KiB of data in chunks of that many bytes.
#[divan::bench(args = [16, 1024, 16384])]
fn chunked(bencher: Bencher<'_, '_>, size: usize) {
    let mut wire = Vec::new();
    for _ in 0..65536 / size {
        wire.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        wire.resize(wire.len() + size, b'x');
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
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
