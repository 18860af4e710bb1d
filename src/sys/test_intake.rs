use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::*;
use crate::sys::flights::{Flights, Peer, Phase, Ticket};
use crate::sys::handoff::{Handoff, MESSAGE_BYTES};
use crate::sys::leftover::{EXACT, Leftover, UNSURE};
use crate::sys::vault::Deposited;

const HEAD: &[u8] = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";

fn receive(intake: &mut Intake, at: usize, bytes: &[u8]) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(bytes).unwrap();
    let mut into = vec![0; bytes.len() + 10];
    let (got, room) = intake.receive(ours.as_fd(), at, &mut into).unwrap().unwrap();
    match got {
        Transfer::Bytes(n) => assert_eq!(&into[..n], bytes),
        Transfer::Blocked => assert!(bytes.is_empty()),
    }
    assert_eq!(room, into.len());
}

fn peer() -> PeerAddr {
    PeerAddr::Ip(SocketAddr::from(([10, 0, 0, 1], 4711)))
}

fn place() -> Place {
    Place { fd: 9, listener: 2, has_been_served: true, may_move: true }
}

/// A vault with one connection in it, as `message`.
fn deposited(message: &[u8]) -> (Arc<Vault>, Name, UnixStream) {
    let vault = Arc::new(Vault::new(2, false).unwrap());
    let (ours, theirs) = UnixStream::pair().unwrap();
    match vault.deposit(message, &[ours.as_fd()]).unwrap() {
        Deposited::As(name) => (vault, name, theirs),
        other => panic!("{other:?}"),
    }
}

/// Messages of those who go on elsewhere, and whether the one that was read is among them.
fn rescued(vault: &Vault) -> (Vec<Vec<u8>>, bool) {
    let queue = Handoff::new().unwrap();
    let found = vault.rescue(&queue, None, vault.leftover().as_ref()).unwrap();
    let (mut buffer, mut all) = (vec![0; MESSAGE_BYTES], Vec::new());
    while let Some((len, _)) = queue.receive(&mut buffer).unwrap() {
        all.push(buffer[..len].to_vec());
    }
    (all, found.read)
}

#[test]
fn what_has_come_is_there_until_nobody_is_read() {
    let vault = Arc::new(Vault::new(1, false).unwrap());
    let mut intake = Intake::of(&vault).unwrap();
    assert!(Intake::of(&vault).is_none());
    assert_eq!(vault.leftover(), None);
    assert!(intake.collect(&Handoff::new().unwrap(), 7).unwrap().is_none());
    let left = vault.leftover().unwrap();
    assert_eq!((left.reading, left.started_ns, left.is_letter), (0, 7, true));
    assert_eq!(vault.letter(), None);
    assert_eq!(left.words(), (&b""[..], &b""[..]));
    let reading = intake.begin(None, &peer(), place(), 8, b"");
    assert!(intake.is_reading(reading) && !intake.is_reading(ReadingId::default()));
    assert_eq!(vault.leftover().unwrap().bytes, b"");
    receive(&mut intake, 0, &HEAD[..10]);
    receive(&mut intake, 10, &HEAD[10..]);
    let left = vault.leftover().unwrap();
    assert_eq!((left.peer, left.started_ns, &left.bytes[..]), (peer().ip(), 8, HEAD));
    assert_eq!(left.words(), (&b"GET"[..], &b"/a"[..]));
    let proxied = [b"PROXY TCP4 10.0.0.9 10.0.0.1 1 2\r\n", HEAD].concat();
    assert_eq!(Leftover { bytes: proxied, ..left }.words(), (&b"GET"[..], &b"/a"[..]));
    // A shorter one: nothing of the one before is left.
    let v6 = PeerAddr::Ip(SocketAddr::from(([1, 2, 3, 4, 5, 6, 7, 8], 1)));
    let next = intake.begin(None, &v6, place(), 9, b"HE");
    assert_ne!(next.number, reading.number);
    receive(&mut intake, 2, b"AD");
    let left = vault.leftover().unwrap();
    assert_eq!((left.peer, &left.bytes[..]), (v6.ip(), &b"HEAD"[..]));
    assert_eq!(left.words(), (&b"HEAD"[..], &b""[..]));
    intake.end();
    assert_eq!(vault.leftover(), None);
    drop(intake);
    let mut other = Intake::of(&vault).unwrap();
    other.begin(None, &PeerAddr::Unix, place(), 1, b"");
    assert_eq!(vault.leftover().unwrap().bytes, b"");
}

#[test]
fn there_is_room_for_so_much() {
    let vault = Arc::new(Vault::new(1, false).unwrap());
    let mut intake = Intake::of(&vault).unwrap();
    let long = vec![b'x'; INTAKE_BYTES + 9];
    intake.begin(None, &PeerAddr::Unix, place(), 1, &long);
    assert_eq!(vault.leftover().unwrap().bytes.len(), INTAKE_BYTES);
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut room = |at| {
        let came = intake.receive(ours.as_fd(), at, &mut [0; 9]);
        came.map(|came| came.unwrap().1)
    };
    assert_eq!(room(INTAKE_BYTES), None);
    assert_eq!(room(usize::MAX), None);
    assert_eq!(room(INTAKE_BYTES - 1), Some(1));
}

#[test]
fn a_whole_request_goes_on_with_its_connection_and_a_part_of_one_does_not() {
    for (come, goes_on) in [
        (HEAD, true),
        (b"".as_slice(), true),
        (b"GET / HT", false),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", true),
        (b"POST / HTTP/1.1\r\nHost: x\r\ncontent-length:\t 10\r\nX: y\r\n\r\n0123456789", true),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", true),
        (b"POST / HTTP/1.1\r\nContent-length: 1\r\n\r\n", false),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nx", false),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxG", false),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", false),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", false),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx", false),
        (b"POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n", false),
        (b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", false),
    ] {
        let (vault, name, _client) = deposited(b"message:");
        let mut intake = Intake::of(&vault).unwrap();
        assert!(vault.hold(name, false, None));
        intake.begin(Some(name), &peer(), place(), 1, b"");
        assert!(vault.begin_reading(name, false));
        receive(&mut intake, 0, come);
        let mark: &[u8] = if come.is_empty() { &[] } else { &[UNSURE] };
        let messages = if goes_on { vec![[b"message:", come, mark].concat()] } else { Vec::new() };
        assert_eq!(rescued(&vault), (messages, goes_on), "{come:?}");
    }
}

#[test]
fn as_it_was_written_where_its_message_does_not_say_enough() {
    let (vault, name, _client) = deposited(b"message");
    let mut intake = Intake::of(&vault).unwrap();
    assert!(vault.write(name, b"written:"));
    intake.begin(Some(name), &PeerAddr::Unix, place(), 1, b"");
    assert!(vault.begin_reading(name, true));
    receive(&mut intake, 0, HEAD);
    assert_eq!(rescued(&vault), (vec![[b"written:", HEAD, &[UNSURE]].concat()], true));
}

#[test]
fn nobody_goes_on_with_what_is_another_ones() {
    let (vault, name, mut client) = deposited(b"message:");
    let mut intake = Intake::of(&vault).unwrap();
    intake.begin(Some(name), &peer(), place(), 1, b"");
    assert!(vault.begin_reading(name, false));
    receive(&mut intake, 0, HEAD);
    // It is ready and waits, and the next one is read.
    intake.begin(None, &peer(), place(), 2, b"");
    receive(&mut intake, 0, HEAD);
    assert_eq!(vault.state(name), Some(crate::sys::records::State::Away));
    assert_eq!(rescued(&vault), (Vec::new(), false));
    drop(vault.clear());
    client.set_nonblocking(true).unwrap();
    assert!(matches!(client.read(&mut [0]), Ok(0)) && client.write(b"x").is_err());
}

#[test]
fn who_is_held_again_goes_on_without_it() {
    let (vault, name, _client) = deposited(b"message:");
    let mut intake = Intake::of(&vault).unwrap();
    intake.begin(Some(name), &peer(), place(), 1, b"");
    assert!(vault.begin_reading(name, false));
    receive(&mut intake, 0, b"GET / HT");
    assert!(vault.lift(name) && vault.write(name, b"all") && vault.hold(name, true, None));
    assert_eq!(rescued(&vault), (vec![b"all".to_vec()], true));
}

#[test]
fn a_request_that_has_begun_is_known_by_its_number() {
    let (vault, flights) = (Arc::new(Vault::new(1, false).unwrap()), Flights::new(2, 0).unwrap());
    let mut intake = Intake::of(&vault).unwrap();
    intake.collect(&Handoff::new().unwrap(), 1).unwrap();
    assert!(!vault.leftover().unwrap().has_begun(&flights));
    let reading = intake.begin(None, &PeerAddr::Unix, place(), 1, b"");
    assert!(!vault.leftover().unwrap().has_begun(&flights));
    let ticket = Ticket {
        method: b"GET",
        path: b"/",
        id: b"",
        peer: Peer::Nobody,
        version: (1, 1),
        started_ns: 1,
        thread: (0, 0),
        reading: reading.number,
    };
    let flight = flights.begin(&mut 0, &ticket).unwrap();
    let left = vault.leftover().unwrap();
    assert!(!left.has_begun(&flights));
    assert_eq!(left.waiting(&flights).unwrap().name(), flight.name());
    assert!(flight.advance(Phase::Waiting, Phase::App));
    assert!(left.has_begun(&flights) && left.waiting(&flights).is_none());
    flight.end();
    assert!(vault.leftover().unwrap().has_begun(&flights));
}

#[test]
fn beside_a_keeper_nothing_is_missing() {
    let vault = Arc::new(Vault::new(2, true).unwrap());
    let mut intake = Intake::of(&vault).unwrap();
    for (before, come) in
        [(&b""[..], &b"GET / HT"[..]), (b"a\0", b"\0"), (b"", b""), (b"b", b"\0c")]
    {
        let reading = intake.begin(None, &peer(), place(), 1, before);
        assert!(reading.has_stray);
        assert_eq!(vault.leftover().unwrap().bytes, before);
        receive(&mut intake, before.len(), come);
        let left = vault.leftover().unwrap();
        assert_eq!(left.bytes, [before, come].concat());
        assert!(left.is_exact && left.stray().is_some());
        assert_eq!(left.come().last(), Some(&EXACT).filter(|_| !left.bytes.is_empty()));
        // Another piece of the same.
        let at = left.bytes.len();
        receive(&mut intake, at, b"\0");
        assert_eq!(vault.leftover().unwrap().bytes, [before, come, b"\0"].concat());
        reading.pin();
        assert_eq!(vault.leftover().unwrap().stray(), None);
    }
    // More than a message has room for is not received here.
    let long = vec![b'x'; MESSAGE_BYTES];
    intake.begin(None, &peer(), place(), 1, &long);
    let left = vault.leftover().unwrap();
    assert!(!left.is_exact && left.stray().is_none());
    assert!(!intake.has_room(MESSAGE_BYTES - LEAST_PIECE));
}
