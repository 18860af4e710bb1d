//! The engine with a fake application, over real sockets: what clients can do to it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up shall fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

#[path = "engine/fake.rs"]
mod fake;

use fake::{Server, count, rest};

const LAST: &[u8] = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(|_| {});
    let mut bytes = Vec::new();
    for body in ["one", "two", "three"] {
        let len = body.len();
        bytes.extend(format!("POST / HTTP/1.1\r\nContent-Length: {len}\r\n\r\n{body}").bytes());
    }
    bytes.extend(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n");
    bytes.extend(LAST);
    let answer = server.ask(&bytes);
    assert_eq!(count(&answer, "HTTP/1.1 200 OK"), 5, "{answer}");
    let places: Vec<_> =
        ["one", "two", "three", "four"].iter().map(|body| answer.find(body).unwrap()).collect();
    assert!(places.is_sorted(), "{answer}");
}

#[test]
fn byte_by_byte_is_the_same_request() {
    let server = Server::start(|_| {});
    let mut stream = server.connect();
    stream.set_nodelay(true).unwrap();
    let request = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    for byte in request {
        stream.write_all(&[*byte]).unwrap();
    }
    assert!(rest(&mut stream).ends_with("\r\n\r\nhello"));
    assert_eq!(server.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn stalled_clients_hold_nobody() {
    let server = Server::start(|_| {});
    let stalled: Vec<_> = (0..50)
        .map(|n| {
            let mut stream = server.connect();
            let bytes: &[u8] = match n % 3 {
                0 => b"",
                1 => b"GET / HTTP/1.1\r\nHo",
                _ => b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc",
            };
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    assert!(server.ask(LAST).starts_with("HTTP/1.1 200 OK"));
    assert_eq!(server.calls.load(Ordering::SeqCst), 1);
    drop(stalled);
}

#[test]
fn a_reader_that_stalls_while_the_app_streams_lets_the_loop_serve_reads() {
    let server = Server::start(|options| options.write_timeout = Some(Duration::from_millis(300)));
    let mut stalled = server.connect();
    stalled.write_all(b"GET /big HTTP/1.1\r\n\r\n").unwrap();
    // The app slot is taken until the reader is given up; then it is our turn.
    assert!(server.ask(LAST).starts_with("HTTP/1.1 200 OK"));
    let mut got = Vec::new();
    let _ = stalled.read_to_end(&mut got);
    assert!(got.len() < 64 << 20, "the stalled reader was cut");
}

#[test]
fn a_slow_reader_gets_every_byte_of_a_large_response() {
    let server = Server::start(|_| {});
    let mut stream = server.connect();
    stream.write_all(b"GET /big HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let answer = rest(&mut stream);
    assert_eq!(count(&answer, "x"), 64 << 20);
    assert!(answer.ends_with("\r\n0\r\n\r\n"));
}

#[test]
fn a_large_body_goes_through_the_file() {
    let server = Server::start(|_| {});
    let body = "y".repeat(3 << 20);
    let head = format!("POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = server.ask((head + &body).as_bytes());
    assert!(answer.ends_with(&body));
}

#[test]
fn refusals_answer_and_close_and_the_loop_lives_on() {
    let server = Server::start(|_| {});
    for (request, status) in [
        (&b"GET\r\n\r\n"[..], "400"),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"),
        (b"GET / HTTP/1.1\r\nExpect: 200-maybe\r\n\r\n", "417"),
        (b"GET /fail HTTP/1.1\r\n\r\n", "500"),
    ] {
        let answer = server.ask(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("Connection: close"), "{answer}");
    }
    assert_eq!(server.ask(b"GET /drop HTTP/1.1\r\n\r\n"), "");
    assert!(server.ask(LAST).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_body_cut_short_never_reaches_the_application() {
    let server = Server::start(|_| {});
    let mut stream = server.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&mut stream).starts_with("HTTP/1.1 400 "));
    assert_eq!(server.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_client_that_half_closes_after_its_request_is_answered() {
    let server = Server::start(|_| {});
    let mut stream = server.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&mut stream).ends_with("\r\n\r\nabc"));
}

#[test]
fn stalls_end_with_408_and_idle_connections_without_a_word() {
    let server = Server::start(|options| {
        options.header_timeout = Some(Duration::from_millis(100));
        options.body_timeout = Some(Duration::from_millis(100));
        options.idle_timeout = Duration::from_millis(100);
    });
    assert_eq!(server.ask(b""), "");
    assert!(server.ask(b"GET / HT").starts_with("HTTP/1.1 408 "));
    let head = b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc";
    assert!(server.ask(head).starts_with("HTTP/1.1 408 "));
    let kept = server.ask(b"GET / HTTP/1.1\r\n\r\n");
    assert!(kept.starts_with("HTTP/1.1 200 ") && kept.ends_with("\r\n\r\n"), "{kept}");
}

#[test]
fn at_the_connection_limit_the_next_one_waits_for_a_place() {
    let server = Server::start(|options| options.max_connections = 3);
    let mut held: Vec<_> = (0..3).map(|_| server.connect()).collect();
    // An answer on each shows that all three are in.
    for stream in &mut held {
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut head = [0; 15];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
    }
    let mut waiting = server.connect();
    waiting.write_all(LAST).unwrap();
    assert_eq!(server.calls.load(Ordering::SeqCst), 3);
    drop(held);
    assert!(rest(&mut waiting).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn stopping_finishes_what_has_begun() {
    let mut server = Server::start(|_| {});
    let mut begun = server.connect();
    begun.write_all(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    // Answered, so the one before it has been accepted and read.
    assert!(server.ask(LAST).starts_with("HTTP/1.1 200 OK"));
    server.stop.store(true, Ordering::SeqCst);
    while TcpStream::connect(server.addr).is_ok() {
        thread::sleep(Duration::from_millis(10));
    }
    begun.write_all(b"def").unwrap();
    let answer = rest(&mut begun);
    assert!(answer.ends_with("\r\n\r\nabcdef"), "{answer}");
    assert!(answer.contains("Connection: close"), "{answer}");
    server.stop();
}

#[test]
fn files_need_no_application() {
    let dir = tempfile::tempdir().unwrap();
    let large = vec![b'l'; 300_000];
    std::fs::write(dir.path().join("small.css"), "small").unwrap();
    std::fs::write(dir.path().join("large"), &large).unwrap();
    for sendfile in [true, false] {
        let server = Server::start(|options| {
            options.static_map.places = vec![(b"/s".to_vec(), dir.path().to_owned())];
            options.static_map.types.insert(b"css".to_vec(), b"text/css".to_vec());
            options.sendfile = sendfile;
        });
        let mut stream = server.connect();
        let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all((ask("/s/small.css") + &ask("/s/large")).as_bytes()).unwrap();
        stream.write_all((ask("/s/none") + &ask("/s/small.css")).as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answers = rest(&mut stream);
        assert_eq!(answers.matches("Content-Type: text/css\r\n").count(), 2);
        assert!(answers.contains(str::from_utf8(&large).unwrap()));
        assert!(answers.ends_with("small"));
        assert_eq!(server.calls.load(Ordering::SeqCst), 1);
    }
}
