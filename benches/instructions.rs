//! The hot path without Python, for callgrind to count: `make instructions`, `tests/instructions`.
//!
//! Each case runs FEW times and then MANY times between two marks. Callgrind is told to write down
//! its counts at each mark (`--dump-before`), so that the difference of two of them is the cost of
//! MANY - FEW runs: neither the program's start nor the marks are in it. What is printed are the
//! names of the marks, in order.

use std::hint::black_box;

use rgunicorn::http::{
    BodyDecoder, BodyEvent, Encoder, Facts, Framing, Head, HeadReader, ResponseFields,
};
use rgunicorn::log::Format;
use rgunicorn::sys::flights::Flights;
use rgunicorn::sys::tally::Connections;

mod cases;
use cases::counting::{count, fly, slot};
use cases::{ACCESS, BROWSER, FORM, PROXIED, RESPONSE, SMALL, access, chunks, policy};

const FEW: usize = 20;
const MANY: usize = 120;

fn main() {
    head("head of 1 field", SMALL);
    head("head of 3 fields, a form", FORM);
    head("head of 9 fields, through a proxy", PROXIED);
    head("head of 16 fields, a browser", BROWSER);
    response("response of 2 fields", &RESPONSE[4..]);
    response("response of 6 fields", RESPONSE);
    response("response of 5 fields, chunked", &RESPONSE[..5]);
    access_line("access line", ACCESS);
    access_line("access line, json", "json");
    body("body of 64 KiB by length", Framing::Length(65536), vec![b'x'; 65536]);
    body("body of 64 KiB in chunks of 16 bytes", Framing::Chunked, chunks(16));
    body("body of 64 KiB in chunks of 4 KiB", Framing::Chunked, chunks(4096));
    counters("counters of a request");
    flight("flight of a request");
}

fn measure(name: &str, mut case: impl FnMut()) {
    case();
    for runs in [FEW, MANY] {
        mark(name, 0);
        for _ in 0..runs {
            case();
        }
        mark(name, runs);
    }
}

/// Callgrind knows it by its name.
#[inline(never)]
fn mark(name: &str, runs: usize) {
    println!("{runs} {name}");
}

fn head(name: &str, request: &[u8]) {
    let policy = policy();
    let mut buf = request.to_vec();
    let (mut reader, mut head) = (HeadReader::default(), Head::default());
    measure(name, || {
        let done = reader.poll(black_box(&mut buf), true, black_box(&policy), None, &mut head);
        assert_eq!(black_box(done), Ok(true));
    });
}

fn response(name: &str, pushed: &[(&[u8], &[u8])]) {
    let facts = Facts { version: (1, 1), chunks: true, is_head: false, keep_alive: true };
    let (mut encoder, mut fields) = (Encoder::default(), ResponseFields::default());
    let mut out = Vec::with_capacity(1024);
    measure(name, || {
        out.clear();
        fields.clear();
        for (name, value) in black_box(pushed) {
            assert_eq!(fields.push(name, value), Ok(()));
        }
        let date = black_box(b"Fri, 20 Nov 2026 13:31:29 GMT");
        encoder.head(&mut out, &facts, black_box(b"200 OK"), &fields, b"rgunicorn", date);
        encoder.begin_chunk(&mut out, 12);
        out.extend_from_slice(b"Hello world\n");
        encoder.end_chunk(&mut out);
        black_box(encoder.finish(&mut out));
    });
}

fn access_line(name: &str, format: &str) {
    let Some(format) = Format::compile(format) else { std::process::exit(1) };
    let record = access::record();
    let mut out = Vec::with_capacity(1024);
    measure(name, || {
        out.clear();
        format.render(black_box(&record), &mut out);
        black_box(&out);
    });
}

fn body(name: &str, framing: Framing, wire: Vec<u8>) {
    let policy = policy();
    measure(name, || {
        let mut decoder = BodyDecoder::new(black_box(framing), &policy);
        let (mut rest, mut bytes) = (black_box(&wire[..]), 0);
        while let Ok((taken, event)) = decoder.next(rest) {
            rest = &rest[taken..];
            match event {
                BodyEvent::Data { start, end } => bytes += end - start,
                BodyEvent::End | BodyEvent::NeedMore => break,
            }
        }
        assert_eq!(bytes, 65536);
    });
}

fn counters(name: &str) {
    let slot = slot();
    let (mut till, mut now) = (slot.till(), Connections::default());
    measure(name, || count(black_box(slot), black_box(&mut till), black_box(&mut now)));
}

fn flight(name: &str) {
    let Ok(flights) = Flights::new(65, 2) else { std::process::exit(1) };
    let mut place = 0;
    measure(name, || fly(&flights, &mut place));
}
