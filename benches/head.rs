//! Cost of reading one request head: `cargo bench --no-default-features --bench head`.

use std::hint::black_box;

use divan::{AllocProfiler, Bencher};
use rgunicorn::http::{Head, HeadReader};

mod cases;
use cases::{BROWSER, FORM, PROXIED, SMALL, policy};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench(args = [("browser", BROWSER), ("proxied", PROXIED), ("small", SMALL), ("form", FORM)].map(Named), consts = [false, true])]
fn whole<const TRUSTED: bool>(bencher: Bencher<'_, '_>, request: &Named) {
    let policy = policy();
    let mut buf = request.0.1.to_vec();
    let (mut reader, mut head) = (HeadReader::default(), Head::default());
    bencher.bench_local(|| {
        let done = reader.poll(black_box(&mut buf), TRUSTED, &policy, None, &mut head);
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
            let _ = black_box(reader.poll(&mut buf[..have], true, &policy, None, &mut head));
        }
    });
}

struct Named((&'static str, &'static [u8]));

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.0)
    }
}
