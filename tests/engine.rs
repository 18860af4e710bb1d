//! The engine with a fake application, over real sockets: what clients can do to it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up shall fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rgunicorn::engine::{
    App, Engine, Exchange, Options, Patience, Refusal, Room, Served, Sources, Stage, StaticMap,
    Verdict, Wake, sync,
};
use rgunicorn::http::{AllowList, HeaderMap, Limits, Policy, ProxyMode, ResponseFields};
use rgunicorn::log::Notice;
use rgunicorn::sys::listener::Listener;

/// Answers with the request's body, or as the path says.
struct Fake {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl App for Fake {
    type Chunk = Vec<u8>;
    type Session = ();

    fn call(&mut self, exchange: &mut Exchange<'_, Self>) -> Verdict {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let body = exchange.take_body();
        let mut content = Vec::new();
        body.spool.into_reader().unwrap().read_to_end(&mut content).unwrap();
        let conn = exchange.conn();
        let path = conn.head.path.of(conn.head_bytes()).to_vec();
        let mut fields = ResponseFields::default();
        if path == b"/drop" {
            return Verdict::Drop;
        }
        if path == b"/fail" {
            return exchange.fail();
        }
        if path == b"/big" {
            exchange.start(b"200 OK", &fields, true).unwrap();
            for _ in 0..64 {
                exchange.push(vec![b'x'; 1 << 20]);
                loop {
                    match exchange.wait_room() {
                        Ok(Room::Free) => break,
                        Ok(Room::NotYet) => {}
                        Err(_) => return Verdict::Drop,
                    }
                }
            }
        } else {
            fields.push(b"Content-Length", content.len().to_string().as_bytes()).unwrap();
            exchange.start(b"200 OK", &fields, true).unwrap();
            exchange.push(content);
        }
        if exchange.end().keep_alive { Verdict::Keep } else { Verdict::Close }
    }

    fn refused(&mut self, _: &mut Exchange<'_, Self>, _: &Refusal) {}

    fn served(&mut self, _: &mut Exchange<'_, Self>, _: Served) {}

    fn notice(&mut self, _: &Notice) {}

    fn woken(&mut self) -> Wake {
        if self.stop.load(Ordering::SeqCst) { Wake::Drain } else { Wake::Serve }
    }

    fn stage(&self) -> Stage {
        if self.stop.load(Ordering::SeqCst) { Stage::Stopping } else { Stage::Serving }
    }

    fn turn_over(&mut self) {}
}

struct Server {
    addr: SocketAddr,
    calls: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(change: impl FnOnce(&mut Options)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let mut options = options();
        change(&mut options);
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut app = Fake { stop: stop.clone(), calls: calls.clone() };
        let thread = thread::spawn(move || {
            let listener = Listener::from_owned(OwnedFd::from(listener), false).unwrap();
            let listeners = vec![(listener, b"here".to_vec())];
            let sources = Sources {
                vault: None,
                listeners,
                handoff: None,
                signals: None,
                tls: None,
                timekeeper: None,
                flights: None,
            };
            let (engine, crew) = Engine::new(options, sources, None).unwrap();
            sync::serve(&Arc::new(crew), engine, &mut app).unwrap();
        });
        Self { addr, calls, stop, thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends `bytes`, reads to the end.
    fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        rest(&mut stream)
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
        }
    }
}

fn options() -> Options {
    Options {
        policy: Policy {
            limits: Limits::new(4094, 100, 8190),
            permit_unconventional_method: false,
            permit_unconventional_version: false,
            casefold_method: false,
            strip_header_spaces: false,
            permit_obsolete_folding: false,
            header_map: HeaderMap::Drop,
            forwarder_headers: Vec::new(),
            forwarded_allow: AllowList::parse(&["127.0.0.1"]).unwrap(),
            secure_scheme_headers: Vec::new(),
            proxy: ProxyMode::Off,
            proxy_allow: AllowList::parse(&["127.0.0.1"]).unwrap(),
            uwsgi: None,
            tls: false,
            script_name_env: Vec::new(),
        },
        server: b"test".to_vec(),
        id_header: None,
        keep_alive: true,
        idle_timeout: Duration::from_secs(60),
        header_timeout: Some(Duration::from_secs(60)),
        body_timeout: Some(Duration::from_secs(60)),
        write_timeout: Some(Duration::from_secs(60)),
        graceful_timeout: Duration::from_secs(60),
        own_queue: false,
        app_threads: 1,
        watched: false,
        inline_up_to: Duration::from_millis(1),
        patience: Patience::default(),
        static_map: StaticMap::default(),
        sendfile: true,
        max_connections: 1000,
        body_memory: 1000,
        body_limit: 1 << 30,
        waiting_memory: 1 << 20,
        spool_dir: None,
        response_memory: 1 << 20,
        response_limit: 4 << 20,
        tick: Duration::from_millis(20),
    }
}

fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    String::from_utf8(all).unwrap()
}

fn count(haystack: &str, needle: &str) -> usize {
    haystack.matches(needle).count()
}

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
