//! A place in the memory of running requests: who takes it, who moves its flight on, what a reader in
//! another process sees meanwhile.

use crate::model;
use crate::sync::{AtomicU64, Ordering, fence};
use loom::sync::Arc;
use loom::thread;

mod ticket {
    use super::{AtomicU64, Ordering, fence};

    include!(concat!(env!("OUT_DIR"), "/ticket.rs"));
}
use ticket::{CODE, CODE_BITS, FREE, Peer, Place, Sighting, Ticket};

mod slate {
    use super::ticket::{read, write};
    use super::{AtomicU64, Ordering, fence};

    include!(concat!(env!("OUT_DIR"), "/slate.rs"));

    pub(super) fn slate() -> Slate {
        let words = std::array::from_fn(|_| AtomicU64::new(0));
        Slate { length: AtomicU64::new(0), lost: AtomicU64::new(0), words }
    }
}

include!(concat!(env!("OUT_DIR"), "/flights.rs"));

/// A ticket whose every field says which request it is of.
fn ticket(of: u64) -> Ticket<'static> {
    Ticket {
        method: if of == 1 { b"ONE" } else { b"TWO" },
        path: if of == 1 { b"/1" } else { b"/22" },
        id: b"",
        peer: Peer::Nobody,
        version: (1, of as u8),
        started_ns: of,
        thread: (of, of as u32),
        reading: 0,
    }
}

fn board(place: &Place, of: u64) -> Option<Flight<'_>> {
    place.board(&ticket(of)).map(|serial| Flight { place, index: 0, serial })
}

fn place() -> Arc<Place> {
    Arc::new(Place::copied(std::iter::empty()))
}

#[test]
fn one_of_two_gets_the_place() {
    model(3, || {
        let place = place();
        let other = place.clone();
        let first = thread::spawn(move || board(&other, 1).is_some());
        let second = board(&place, 2).is_some();
        assert!(first.join().unwrap() ^ second);
    });
}

#[test]
fn one_of_two_may_answer() {
    model(3, || {
        let place = place();
        let flight = board(&place, 1).unwrap();
        assert!(flight.advance(Phase::Waiting, Phase::App));
        let (other, name) = (place.clone(), flight.serial);
        let watch = thread::spawn(move || {
            let flight = Flight { place: &other, index: 0, serial: name };
            flight.advance(Phase::App, Phase::Answered)
        });
        let mine = flight.advance(Phase::App, Phase::Sending);
        let stood = flight.end();
        let theirs = watch.join().unwrap();
        assert!(!(mine && theirs));
        assert_eq!(mine, stood == Some(Phase::Sending));
    });
}

/// The watch remembers a flight by its serial number; meanwhile the place is given to the next.
#[test]
fn who_comes_late_leaves_the_next_flight_alone() {
    model(3, || {
        let place = place();
        let first = board(&place, 1).unwrap();
        let (other, name) = (place.clone(), first.serial);
        let watch = thread::spawn(move || {
            let flight = Flight { place: &other, index: 0, serial: name };
            flight.advance(Phase::Waiting, Phase::Answered)
        });
        first.end();
        let second = board(&place, 2).unwrap();
        watch.join().unwrap();
        assert_eq!(second.phase(), Some(Phase::Waiting));
        assert_eq!(first.phase(), None);
    });
}

/// A seqlock across processes: what is read is of one request, or is not returned.
#[test]
fn a_sighting_is_of_one_request() {
    model(2, || {
        let place = place();
        let first = board(&place, 1).unwrap();
        let (other, serial) = (place.clone(), first.serial);
        let reader = thread::spawn(move || {
            for serial in [serial, serial + 1] {
                let flight = Flight { place: &other, index: 0, serial };
                let Some(seen) = flight.sight() else { continue };
                let of = seen.started_ns;
                let expected = ticket(of);
                assert_eq!(of, serial);
                assert_eq!(seen.method, expected.method);
                assert_eq!(seen.path, expected.path);
                assert_eq!((seen.version, seen.thread), (expected.version, expected.thread));
            }
        });
        first.end();
        board(&place, 2).unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn a_mark_is_not_lost() {
    model(3, || {
        let place = place();
        let flight = board(&place, 1).unwrap();
        let (other, serial) = (place.clone(), flight.serial);
        let watch = thread::spawn(move || {
            Flight { place: &other, index: 0, serial }.mark(Mark::Overdue);
        });
        assert!(!flight.mark(Mark::Logged));
        watch.join().unwrap();
        assert!(flight.has(Mark::Overdue) && flight.has(Mark::Logged));
    });
}

/// The master reads what a worker kept that was killed anywhere: whole lines.
#[test]
fn a_slate_has_whole_lines() {
    model(3, || {
        let slate = Arc::new(slate::slate());
        let other = slate.clone();
        let worker = thread::spawn(move || other.keep(b"one\n") && other.keep(b"second\n"));
        let lines = slate.lines();
        assert!([&b""[..], b"one\n", b"one\nsecond\n"].contains(&&lines[..]), "{lines:?}");
        assert!(worker.join().unwrap());
        assert_eq!(slate.lines(), b"one\nsecond\n");
    });
}
