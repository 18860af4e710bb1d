use std::fs::OpenOptions;
use std::os::fd::AsRawFd;

use super::super::flights::{Flights, Phase};
use super::super::ticket::{Peer, Ticket};
use super::*;

const LABEL: Label = Label { slot: Some(3), age: 17 };

fn ticket(path: &[u8]) -> Ticket<'_> {
    Ticket {
        method: b"GET",
        path,
        id: b"",
        peer: Peer::Nobody,
        version: (1, 1),
        started_ns: 7,
        thread: (8, 9),
    }
}

/// The memory as another process opens it: by its link below /proc.
fn opened(fd: &Option<OwnedFd>) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", fd.as_ref().unwrap().as_raw_fd());
    OpenOptions::new().read(true).open(path).unwrap().into()
}

#[test]
fn others_see_what_runs() {
    let (flights, fd) = Flights::listed(4, 2, LABEL).unwrap();
    let other = Manifest::open(opened(&fd)).unwrap();
    assert_eq!(other.label(), LABEL);
    assert_eq!(other.running().count(), 0);
    let flight = flights.begin(&mut 2, &ticket(b"/a")).unwrap();
    flight.advance(Phase::Waiting, Phase::App);
    flights.slate(0).unwrap().keep(b"a line\n");
    let seen: Vec<_> = other.running().filter_map(Flight::sight).collect();
    assert_eq!((seen.len(), &seen[0].path[..], seen[0].phase), (1, &b"/a"[..], Phase::App));
    flight.end();
    assert_eq!(other.running().count(), 0);
    // A child of the worker's application is none of it.
    flights.secede().unwrap();
    flights.begin(&mut 0, &ticket(b"/own")).unwrap();
    assert_eq!(other.running().count(), 0);
}

#[test]
fn the_workers_own_descriptor_is_not_needed() {
    let (flights, fd) = Flights::listed(1, 0, Label { slot: None, age: 1 }).unwrap();
    let other = Manifest::open(opened(&fd)).unwrap();
    drop(fd);
    flights.begin(&mut 0, &ticket(b"/b")).unwrap();
    assert_eq!((other.running().count(), other.label().slot), (1, None));
    drop(flights);
    assert_eq!(other.running().count(), 1, "the reader's mapping is its own");
}

#[test]
fn garbage_is_bounded() {
    let (flights, fd) = Flights::listed(2, 0, LABEL).unwrap();
    let other = Manifest::open(opened(&fd)).unwrap();
    flights.begin(&mut 0, &ticket(b"/a")).unwrap();
    for cell in [&other.header.room, &other.header.reached, &other.header.slot] {
        cell_of(&flights, cell, &other).store(u64::MAX, Ordering::Relaxed);
    }
    assert_eq!(other.running().count(), 1);
    assert_eq!(other.label().slot, Some(u64::MAX - 1));
    flights.header().entitle(Label { slot: Some(u64::MAX), age: 0 }, 0);
    assert_eq!((other.running().count(), other.label().slot), (0, Some(u64::MAX - 1)));
}

/// The writer's cell behind the one that `reader` may only read.
fn cell_of<'a>(flights: &'a Flights, cell: &AtomicU64, reader: &Manifest) -> &'a AtomicU64 {
    let header = reader.header;
    let own = flights.header();
    let cells = [(&header.room, &own.room), (&header.reached, &own.reached)];
    cells.iter().find(|(theirs, _)| std::ptr::eq(*theirs, cell)).map_or(&own.slot, |(_, it)| *it)
}

#[test]
fn what_is_something_else_is_refused() {
    let file: OwnedFd = tempfile::tempfile().unwrap().into();
    let words = |fd| Manifest::open(fd).unwrap_err().to_string();
    assert_eq!(words(file), "no flights of a worker");
    // Sealed, and empty or zeroed.
    for length in [0, 100, 4096] {
        assert_eq!(words(memory(length).unwrap()), "no flights of a worker");
    }
    let (flights, fd) = Flights::listed(1, 0, LABEL).unwrap();
    flights.header().version.store(9, Ordering::Relaxed);
    let other = "the flights have layout 9, and this rgunicorn reads layout 1";
    assert_eq!(words(opened(&fd)), other);
    // The right words, and nothing behind them.
    let short = File::from(memory(RECORD).unwrap());
    short.write_all_at(&[MAGIC.to_ne_bytes(), VERSION.to_ne_bytes()].concat(), 0).unwrap();
    assert_eq!(words(short.into()), "no flights of a worker");
}

#[test]
fn nobody_can_cut_it_short() {
    let (_flights, fd) = Flights::listed(1, 0, LABEL).unwrap();
    let fd = fd.unwrap();
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    assert_eq!(file.set_len(0).unwrap_err().raw_os_error(), Some(libc::EPERM));
}
