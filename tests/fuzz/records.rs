//! What must hold for a connection over a record layer that does what bytes say.
//!
//! The bytes are a program: two sizes, then steps of both sides ([`Run::step`]). What the peer
//! sends are records of `record_layer.rs`.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use rgunicorn::engine::Secured;
use rgunicorn::engine::outbox::Outbox;
use rgunicorn::engine::transport::{Fault, Lost, UNSENT_BYTES};
use rgunicorn::sys::socket::Transfer;

#[path = "record_layer.rs"]
mod record_layer;

use record_layer::{Event, Factory, RECORD_BYTES};

/// More would only be slow.
const MOST_STEPS: usize = 400;

/// A connection, both of its sides, and what each of them has seen.
struct Run {
    ours: UnixStream,
    theirs: Option<UnixStream>,
    tls: Secured,
    outbox: Outbox<Vec<u8>>,
    events: Receiver<Event>,
    waiting: Arc<AtomicUsize>,
    space: Vec<u8>,
    cipher: Vec<u8>,
    /// The peer's ciphertext: what went into its socket; and what it read.
    written: Vec<u8>,
    read: usize,
    /// As the record layer saw it.
    heard: usize,
    plain: Vec<u8>,
    sent: usize,
    said: Vec<u8>,
    calls: usize,
    /// Room for what the peer reads.
    bytes: Vec<u8>,
    /// Plaintext as the engine got it, and as it gave it.
    got: usize,
    pushed: Vec<u8>,
    /// The peer has said all it will say; the engine may be told so by the poller.
    finished: bool,
    /// Nothing is read any more: the end, a fault, or the connection's own error.
    input_over: bool,
    /// Nothing can be sent any more.
    output_over: bool,
    /// From here on the protocol may say nothing.
    silent_at: Option<usize>,
}

/// Runs the program in `data`.
pub(crate) fn records(data: &[u8]) {
    let [room, cipher, rest @ ..] = data else { return };
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    theirs.set_nonblocking(true).expect("its flag");
    let (log, events) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let factory = Factory { log, waiting: waiting.clone(), refuses: *room == 255 };
    let size = |byte: &u8| 1 + usize::from(*byte) * usize::from(*byte) / 4;
    let mut run = Run {
        ours,
        theirs: Some(theirs),
        tls: Secured::new(Arc::new(factory)),
        outbox: Outbox::default(),
        events,
        waiting,
        space: vec![0; size(room)],
        cipher: vec![0; size(cipher)],
        written: Vec::new(),
        read: 0,
        heard: 0,
        plain: Vec::new(),
        sent: 0,
        bytes: vec![0; 1 << 18],
        said: Vec::new(),
        calls: 0,
        got: 0,
        pushed: Vec::new(),
        finished: false,
        input_over: false,
        output_over: false,
        silent_at: None,
    };
    let mut rest = rest;
    for _ in 0..MOST_STEPS {
        let Some((&op, tail)) = rest.split_first() else { break };
        rest = run.step(op, tail);
        run.look();
    }
    run.finish();
}

impl Run {
    /// Does one step; returns the rest of the program.
    fn step<'a>(&mut self, op: u8, rest: &'a [u8]) -> &'a [u8] {
        let arg = usize::from(op >> 3);
        match op & 7 {
            0 | 1 => {
                let (record, rest) = rest.split_at(rest.len().min(2 * arg + 1));
                self.write(record);
                return rest;
            }
            2 => self.receive(),
            3 => {
                let piece: Vec<u8> = (0..arg * arg * 70).map(|n| (n % 253) as u8).collect();
                self.pushed.extend_from_slice(&piece);
                self.outbox.push(piece.clone(), piece.len());
                self.flush();
            }
            4 => self.flush(),
            5 => self.peer_reads(arg * arg * 256 + 1),
            // A whole record of this kind, as long as may be.
            6 => {
                let record = [&[arg as u8, 255], [b'r'; 255].as_slice()].concat();
                self.write(&record);
            }
            _ => match arg {
                0 => {
                    self.finished = true;
                    if let Some(theirs) = &self.theirs {
                        let _ = theirs.shutdown(Shutdown::Write);
                    }
                }
                1 => {
                    self.theirs = None;
                    self.finished = true;
                }
                2 => self.farewell(),
                3 => self.tls.disturb(),
                // Everything that is there.
                _ => (0..64).for_each(|_| self.receive()),
            },
        }
        rest
    }

    fn write(&mut self, record: &[u8]) {
        let Some(theirs) = self.theirs.as_mut().filter(|_| !self.finished) else { return };
        match theirs.write(record) {
            Ok(n) => self.written.extend_from_slice(&record[..n]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }

    fn receive(&mut self) {
        if self.input_over {
            return;
        }
        let (heard, calls, unsent) = (self.heard, self.calls, self.tls.unsent());
        let fd = self.ours.as_fd();
        let got = self.tls.receive(fd, self.finished, &mut self.space, &mut self.cipher);
        self.take_note();
        let turns = self.calls - calls;
        assert!(turns <= self.heard - heard + 2, "{turns} turns for nothing");
        let (got, more) = match got {
            Ok(got) => got,
            Err(lost) => {
                self.input_over = true;
                match lost {
                    Lost::Broken => {
                        assert!(self.theirs.is_none(), "an error without a cause");
                        self.output_over = true;
                    }
                    Lost::Fault(Fault::Refused(text)) if text == "the client reads nothing" => {
                        assert!(self.tls.unsent() > UNSENT_BYTES);
                        assert!(
                            self.tls.unsent() > unsent,
                            "given up though the protocol said nothing"
                        );
                        self.silent_at = Some(self.said.len());
                    }
                    // Without a transport there is nobody to be silent.
                    Lost::Fault(_) => self.silent_at = Some(self.said.len()),
                }
                return;
            }
        };
        assert!(self.tls.unsent() <= UNSENT_BYTES, "{} bytes unsent", self.tls.unsent());
        match got {
            Transfer::Bytes(0) => self.input_over = true,
            Transfer::Bytes(n) => {
                follows(&self.plain, self.got, &self.space[..n], "plaintext");
                self.got += n;
            }
            Transfer::Blocked => assert!(!more, "blocked, and more"),
        }
        assert_eq!(self.got, self.plain.len(), "plaintext was lost");
        if !more && !self.input_over {
            // Nobody looks again before the poller says so.
            assert_eq!(self.heard, self.written.len(), "ciphertext left lying");
            assert_eq!(self.waiting.load(Ordering::Relaxed), 0, "plaintext left lying");
        }
    }

    fn flush(&mut self) {
        if self.output_over {
            return;
        }
        let unsent = self.tls.unsent();
        let (before, gone) = (self.said.len(), self.said.len() - unsent);
        let flushed = self.tls.flush(self.ours.as_fd(), &mut self.outbox);
        self.take_note();
        match flushed {
            Ok(n) => {
                assert_eq!((self.said.len() - self.tls.unsent() - gone) as u64, n);
                if self.tls.unsent() == 0 {
                    assert!(self.outbox.is_empty(), "the socket takes more");
                    assert_eq!(self.sent, self.pushed.len());
                }
                // A fault keeps its last words, which may be long.
                let most = if self.silent_at.is_some() { unsent } else { UNSENT_BYTES };
                assert!(self.tls.unsent() <= most, "{} bytes unsent", self.tls.unsent());
            }
            Err(_) => self.output_over = true,
        }
        if self.silent_at.is_some() {
            assert_eq!(self.said.len(), before, "it was to be silent");
        }
    }

    fn farewell(&mut self) {
        if self.tls.farewell(self.ours.as_fd()).is_err() {
            assert!(self.theirs.is_none(), "an error without a cause");
            self.output_over = true;
        }
        self.take_note();
        // The protocol has said its last word: the engine reads no more either.
        self.input_over = true;
        self.silent_at.get_or_insert(self.said.len());
    }

    fn peer_reads(&mut self, most: usize) {
        let Some(theirs) = &mut self.theirs else { return };
        let most = most.min(self.bytes.len());
        match theirs.read(&mut self.bytes[..most]) {
            Ok(n) => {
                follows(&self.said, self.read, &self.bytes[..n], "what was said");
                self.read += n;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }

    fn take_note(&mut self) {
        for event in self.events.try_iter() {
            match event {
                Event::Heard(bytes) => {
                    follows(&self.written, self.heard, &bytes, "ciphertext");
                    self.heard += bytes.len();
                }
                Event::Plain(bytes) => self.plain.extend(bytes),
                Event::Sent(bytes) => {
                    follows(&self.pushed, self.sent, &bytes, "a response");
                    self.sent += bytes.len();
                }
                Event::Said(bytes) => self.said.extend(bytes),
                Event::Call => self.calls += 1,
            }
        }
    }

    /// What is true at any time.
    fn look(&self) {
        if let Some(at) = self.silent_at {
            assert_eq!(self.said.len(), at, "it was to be silent");
        }
    }

    /// The peer ends, and reads all there is.
    fn finish(mut self) {
        if self.theirs.is_some() {
            self.step(7, &[]);
        }
        // Room for what is left in bounded time.
        self.space.resize(self.space.len().max(RECORD_BYTES), 0);
        self.cipher.resize(self.cipher.len().max(RECORD_BYTES), 0);
        for _ in 0..1 << 16 {
            if self.input_over {
                break;
            }
            self.peer_reads(1 << 20);
            self.receive();
        }
        assert!(self.input_over, "the end was never found");
        self.look();
        let opened = self.tls.transport().is_some();
        for _ in 0..1 << 12 {
            self.flush();
            self.peer_reads(1 << 20);
            if self.output_over || (self.tls.unsent() == 0 && self.outbox.is_empty()) {
                break;
            }
        }
        self.look();
        if self.theirs.is_none() {
            return;
        }
        // Also after a fault: the peer learns why.
        for _ in 0..1 << 12 {
            self.farewell();
            self.peer_reads(1 << 20);
            if self.tls.unsent() == 0 && self.read == self.said.len() {
                break;
            }
        }
        assert_eq!((self.tls.unsent(), self.read), (0, self.said.len()), "not all was sent");
        if opened && !self.output_over {
            assert_eq!(self.sent, self.pushed.len(), "a response was not all sent");
        }
    }
}

/// `piece` is what comes next of `whole`, of which `at` bytes came before.
fn follows(whole: &[u8], at: usize, piece: &[u8], what: &str) {
    let next = whole.get(at..at + piece.len());
    assert!(next == Some(piece), "{what} was lost or turned around");
}
