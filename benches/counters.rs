//! What a request costs that is counted and noted: `cargo bench --no-default-features --bench counters`.

use std::hint::black_box;

use divan::Bencher;
use rgunicorn::sys::clock::monotonic_ns;
use rgunicorn::sys::flights::Flights;
use rgunicorn::sys::tally::Connections;

mod cases;
use cases::counting::{count, fly, slot};

fn main() {
    divan::main();
}

#[divan::bench]
fn counters(bencher: Bencher<'_, '_>) {
    let slot = slot();
    let (mut till, mut now) = (slot.till(), Connections::default());
    bencher.bench_local(|| count(black_box(slot), black_box(&mut till), black_box(&mut now)));
}

#[divan::bench]
fn flight(bencher: Bencher<'_, '_>) {
    let Ok(flights) = Flights::new(65, 2) else { std::process::exit(1) };
    let mut place = 0;
    bencher.bench_local(|| fly(black_box(&flights), &mut place));
}

/// For comparison: one reading of the clock.
#[divan::bench]
fn clock() -> u64 {
    monotonic_ns()
}
