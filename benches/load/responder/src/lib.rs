//! The floor of the load harness: one thread, one epoll, a fixed answer, no Python.
//!
//! It does for each request what no HTTP server can leave out (wait, read, find the end of the
//! head, write, close when told to) and nothing else, so its CPU time per request is what the
//! kernel charges for the traffic: one recv and one send, and one `epoll_wait` for all requests that
//! were there together. It is a measuring stick, not a server: no timeouts, no bodies.
//!
//! The program `responder` is this alone. Python can load it as a library (`respond`), to have
//! something called before each answer: benches/wsgi_call/serve.py.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

/// Connections taken from the backlog in one turn before the ones already open are looked at.
const ACCEPT_BUDGET: usize = 64;
const EVENTS_PER_TURN: usize = 1024;
const LISTENER: Token = Token(usize::MAX);
/// A head that does not fit ends its connection.
const MAX_HEAD: usize = 8 * 1024;

// The fields a WSGI server sends for the hello app, so that the bytes on the wire are comparable.
const KEPT: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: responder\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\n\
    Connection: keep-alive\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
const CLOSED: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: responder\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\n\
    Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

/// For a program that has loaded this as a library: answers on `port` of 127.0.0.1, and calls
/// `before` with the length of each request's head before it does. Comes back when the port is taken,
/// or the poller fails.
// The name is for dlsym(3); nothing here depends on it.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn respond(port: u16, before: extern "C" fn(usize)) {
    if let Err(error) = serve(port, |head| before(head)) {
        eprintln!("responder: {error}");
    }
}

/// Answers on `port` of 127.0.0.1 for ever, each time after `before`, which is told the length of the
/// request's head.
///
/// # Errors
/// When the port is taken, or the poller fails.
pub fn serve(port: u16, mut before: impl FnMut(usize)) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(EVENTS_PER_TURN);
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut conns: Slab<Conn> = Slab::new();
    let mut buf = vec![0; MAX_HEAD];
    let mut more_waiting = false;
    loop {
        // The listener is edge-triggered: with the budget used up no new edge is due, so the
        // next turn may not sleep.
        let timeout = more_waiting.then_some(std::time::Duration::ZERO);
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        let mut accept_now = more_waiting;
        for event in &events {
            if event.token() == LISTENER {
                accept_now = true;
                continue;
            }
            let Token(key) = event.token();
            if let Some(conn) = conns.get_mut(key)
                && !conn.on_readable(&mut buf, &mut before)
            {
                conns.remove(key);
            }
        }
        if accept_now {
            more_waiting = accept(&listener, &poll, &mut conns, &mut buf, &mut before)?;
        }
    }
}

/// Returns whether the budget ended before the backlog did.
fn accept(
    listener: &TcpListener,
    poll: &Poll,
    conns: &mut Slab<Conn>,
    buf: &mut [u8],
    before: &mut impl FnMut(usize),
) -> io::Result<bool> {
    for _ in 0..ACCEPT_BUDGET {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        let mut conn = Conn { stream, head: Vec::new() };
        // Under load the request is already here: answered at once, a connection that closes
        // never enters the poller.
        if !conn.on_readable(buf, before) {
            continue;
        }
        let entry = conns.vacant_entry();
        poll.registry().register(&mut conn.stream, Token(entry.key()), Interest::READABLE)?;
        entry.insert(conn);
    }
    Ok(true)
}

struct Conn {
    stream: TcpStream,
    /// The part of a head that came in pieces; empty while every head arrives whole.
    head: Vec<u8>,
}

impl Conn {
    /// Reads what is there and answers; `false` when the connection is over.
    fn on_readable(&mut self, buf: &mut [u8], before: &mut impl FnMut(usize)) -> bool {
        loop {
            let read = match self.stream.read(buf) {
                Ok(0) => return false,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            if !self.answer(&buf[..read], before) {
                return false;
            }
            // epoll(7): after a short read the socket was empty, so the next byte is a new edge
            // and a read that only returns EAGAIN can be saved.
            if read < buf.len() {
                return true;
            }
        }
    }

    /// Answers each complete head in `bytes`, keeps the rest.
    fn answer(&mut self, bytes: &[u8], before: &mut impl FnMut(usize)) -> bool {
        let joined;
        let mut rest = if self.head.is_empty() {
            bytes
        } else {
            self.head.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.head);
            &joined
        };
        while let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
            let keep = !asks_for_close(&rest[..end]);
            before(end);
            let response = if keep { KEPT } else { CLOSED };
            // A send buffer holds hundreds of these answers: a short write means a client that
            // pipelines without reading, which this program does not serve.
            if !matches!(self.stream.write(response), Ok(sent) if sent == response.len()) {
                return false;
            }
            if !keep {
                return false;
            }
            rest = &rest[end + 4..];
        }
        self.head.extend_from_slice(rest);
        self.head.len() < MAX_HEAD
    }
}

/// Looks at the first letter of each line, which is as little as one can look at.
fn asks_for_close(head: &[u8]) -> bool {
    const FIELD: &[u8] = b"connection: close";
    memchr::memchr_iter(b'\n', head).any(|end| {
        let line = &head[end + 1..];
        line.first().is_some_and(|first| first | 0x20 == b'c')
            && line.get(..FIELD.len()).is_some_and(|start| start.eq_ignore_ascii_case(FIELD))
            && matches!(line.get(FIELD.len()), None | Some(b'\r'))
    })
}
