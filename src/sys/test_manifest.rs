use std::fs::OpenOptions;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use super::super::flights::{Flights, Mark};
use super::super::ticket::{PATH_BYTES, Peer, Ticket};
use super::*;

const LABEL: Label = Label { slot: Some(3), age: 17 };

fn ticket(path: &[u8]) -> Ticket<'_> {
    Ticket {
        method: b"GET",
        path,
        id: b"an-id",
        peer: Peer::Ip(IpAddr::from([10, 0, 0, 1])),
        version: (1, 1),
        started_ns: 7,
        thread: (8, 9),
        reading: 0,
    }
}

/// The memory as another process opens it: by its link below /proc.
fn opened(fd: &Option<OwnedFd>, write: bool) -> File {
    let path = format!("/proc/self/fd/{}", fd.as_ref().unwrap().as_raw_fd());
    OpenOptions::new().read(true).write(write).open(path).unwrap()
}

fn manifest(fd: &Option<OwnedFd>) -> Manifest {
    Manifest::open(opened(fd, false).into()).unwrap()
}

#[test]
fn others_see_what_runs() {
    let (flights, fd) = Flights::listed(600, 2, LABEL).unwrap();
    let other = manifest(&fd);
    assert_eq!(other.label(), LABEL);
    assert_eq!(other.running().unwrap(), []);
    let flight = flights.begin(&mut 2, &ticket(b"/a")).unwrap();
    flight.advance(Phase::Waiting, Phase::App);
    flight.mark(Mark::ClientGone);
    flight.set_deadline_ns(5);
    let long = vec![b'x'; PATH_BYTES + 1];
    let last = flights.begin(&mut 599, &ticket(&long)).unwrap();
    flights.slate(0).unwrap().keep(b"a line\n");
    // The same as by the memory itself.
    let seen = other.running().unwrap();
    assert_eq!(seen, [flight.sight().unwrap(), last.sight().unwrap()]);
    assert_eq!((&seen[0].path[..], seen[0].phase), (&b"/a"[..], Phase::App));
    flight.end();
    last.end();
    assert_eq!(other.running().unwrap(), []);
    // A child of the worker's application is none of it.
    flights.secede().unwrap();
    flights.begin(&mut 0, &ticket(b"/own")).unwrap();
    assert_eq!(other.running().unwrap(), []);
}

#[test]
fn the_workers_own_descriptor_is_not_needed() {
    let (flights, fd) = Flights::listed(1, 0, Label { slot: None, age: 1 }).unwrap();
    let other = manifest(&fd);
    drop(fd);
    flights.begin(&mut 0, &ticket(b"/b")).unwrap();
    assert_eq!((other.running().unwrap().len(), other.label().slot), (1, None));
    drop(flights);
    assert_eq!(other.running().unwrap().len(), 1, "the file stays while somebody has it");
}

#[test]
fn garbage_is_bounded() {
    let (flights, fd) = Flights::listed(2, 0, LABEL).unwrap();
    let file = opened(&fd, true);
    flights.begin(&mut 0, &ticket(b"/a")).unwrap();
    // Slot, age and room.
    file.write_all_at(&[0xff; 24], 16).unwrap();
    let other = manifest(&fd);
    let all = u64::MAX;
    assert_eq!(other.label(), Label { slot: Some(all - 1), age: all });
    assert_eq!(other.running().unwrap().len(), 1);
    // A place full of it: a flight by its word, everything else at its limit.
    file.write_all_at(&[0xff; RECORD], offset(1)).unwrap();
    file.write_all_at(&(all << CODE_BITS | Phase::App as u64).to_ne_bytes(), offset(1)).unwrap();
    let seen = other.running().unwrap();
    assert_eq!((seen.len(), seen[1].path.len(), seen[1].peer.len()), (2, PATH_BYTES, 0));
    // It becomes shorter meanwhile.
    for length in [offset(1) + 100, offset(1), offset(0), 0] {
        file.set_len(length).unwrap();
        assert_eq!(other.running().unwrap().len(), usize::from(length >= offset(1)));
    }
}

#[test]
fn what_is_something_else_is_refused() {
    let words = |fd| Manifest::open(fd).unwrap_err().to_string();
    for length in [0, 39, 4096] {
        assert_eq!(words(memory(length).unwrap()), "no flights of a worker");
    }
    let (_flights, fd) = Flights::listed(1, 0, LABEL).unwrap();
    opened(&fd, true).write_all_at(&9u64.to_ne_bytes(), 8).unwrap();
    let other = "the flights have layout 9, and this rgunicorn reads layout 1";
    assert_eq!(words(opened(&fd, false).into()), other);
}
