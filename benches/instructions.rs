//! The hot path without Python, for callgrind to count: `make instructions`, `tests/instructions`.
//!
//! Each case runs FEW times and then MANY times between two marks. Callgrind is told to write down
//! its counts at each mark (`--dump-before`), so that the difference of two of them is the cost of
//! MANY - FEW runs: neither the program's start nor the marks are in it. What is printed are the
//! names of the marks, in order.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rgunicorn::http::{
    BodyDecoder, BodyEvent, Encoder, Facts, Framing, Head, HeadReader, ResponseFields,
};
use rgunicorn::log::{Format, Record};
use rgunicorn::sys::flights::{Flights, Mark, Peer, Phase, Ticket};
use rgunicorn::sys::scoreboard::{Scoreboard, Slot};
use rgunicorn::sys::tally::{Connections, Outcome};
use rgunicorn::sys::till::Till;

mod cases;
use cases::{ACCESS, BROWSER, FORM, PROXIED, RESPONSE, SMALL, chunks, policy};

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
        let done = reader.poll(black_box(&mut buf), true, black_box(&policy), &mut head);
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
    let request: &[(&str, &str)] = &[
        ("Host", "example.org"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("Accept", "text/html,application/xhtml+xml"),
        ("Referer", "https://example.org/some/page?with=query"),
        ("X-Request-Id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ];
    let response: &[(&str, &str)] = &[("Content-Type", "text/html"), ("X-Frame-Options", "DENY")];
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
        at: Duration::from_millis(1_795_253_253_123),
        queue_ns: Some(1_234_567),
        request_id: b"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        pid: 4242,
        slot: Some(3),
        request_fields: &request,
        response_fields: &response,
    };
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
    let board = Scoreboard::new(None).ok();
    let slot = board.and_then(|board| board.claim(0, 1)).unwrap_or_else(|| std::process::exit(1));
    let (mut till, mut now) = (slot.till(), Connections::default());
    measure(name, || count(black_box(slot), black_box(&mut till), black_box(&mut now)));
}

/// All that the engine writes to the scoreboard for one request on a kept connection.
fn count(slot: Slot, till: &mut Till, now: &mut Connections) {
    slot.work().begin_alone(1);
    (now.running, now.idle) = (1, 0);
    slot.set_connection_states(*now);
    slot.count_response(200);
    slot.work().end_alone(1, 19_000);
    till.count_times(&Outcome {
        status: 200,
        queue_ns: Some(2_000),
        app_ns: Some(9_000),
        write_ns: Some(8_000),
        whole_ns: 19_000,
    });
    till.add_bytes(80, 160);
    (now.running, now.idle) = (0, 1);
    slot.set_connection_states(*now);
}

fn flight(name: &str) {
    let Ok(flights) = Flights::new(65, 2) else { std::process::exit(1) };
    let mut place = 0;
    measure(name, || {
        let ticket = Ticket {
            method: b"GET",
            path: b"/hello",
            id: b"",
            peer: Peer::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            version: (1, 1),
            started_ns: 1,
            thread: (1, 1),
        };
        let Some(flight) = flights.begin(&mut place, black_box(&ticket)) else {
            std::process::exit(1)
        };
        flight.advance_alone(Phase::Waiting, Phase::App);
        flight.advance_alone(Phase::App, Phase::Sending);
        flight.mark_alone(Mark::Counted);
        flight.mark_alone(Mark::Logged);
        flight.end();
    });
}
