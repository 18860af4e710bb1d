//! A fake application, and a server that runs it on a thread of the test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
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
                let piece = vec![b'x'; 1 << 20];
                exchange.push(&piece, || piece.clone());
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
            exchange.push(&content, || content.clone());
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

/// A sync worker on a thread of the test.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(change: impl FnOnce(&mut Options)) -> Self {
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

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends `bytes`, reads to the end.
    pub(crate) fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        rest(&mut stream)
    }

    pub(crate) fn stop(&mut self) {
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

/// What comes on `stream` until its end.
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    String::from_utf8(all).unwrap()
}

/// How often `needle` is in `haystack`.
pub(crate) fn count(haystack: &str, needle: &str) -> usize {
    haystack.matches(needle).count()
}
