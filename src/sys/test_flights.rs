use std::thread;

use super::super::ticket::BOARDING;
use super::*;

fn ticket(path: &[u8]) -> Ticket<'_> {
    Ticket {
        method: b"GET",
        path,
        id: b"",
        peer: Peer::Nobody,
        version: (1, 1),
        started_ns: 7,
        thread: (8, 9),
        reading: 0,
    }
}

#[test]
fn what_is_noted_is_seen() {
    let flights = Flights::new(2, 0).unwrap();
    let (mut hint, mut other) = (0, 0);
    let peer = Peer::Ip("10.0.0.1".parse().unwrap());
    let first = flights.begin(&mut hint, &Ticket { id: b"abc", peer, ..ticket(b"/a") }).unwrap();
    let peer = Peer::Ip("fe80::1".parse().unwrap());
    let second =
        flights.begin(&mut other, &Ticket { method: b"POST", peer, ..ticket(b"/b") }).unwrap();
    assert_eq!((hint, other), (0, 1));
    let seen = first.sight().unwrap();
    assert_eq!(
        (&seen.method[..], &seen.path[..], &seen.id[..]),
        (&b"GET"[..], &b"/a"[..], &b"abc"[..])
    );
    assert_eq!((&seen.peer[..], seen.version, seen.path_cut), (&b"10.0.0.1"[..], (1, 1), false));
    assert_eq!((seen.started_ns, seen.deadline_ns, seen.thread), (7, 0, (8, 9)));
    assert_eq!(seen.phase, Phase::Waiting);
    let seen = second.sight().unwrap();
    assert_eq!((&seen.method[..], &seen.peer[..]), (&b"POST"[..], &b"fe80::1"[..]));
    let running: Vec<_> = flights.running().map(Flight::name).collect();
    assert_eq!(running, [first.name(), second.name()]);
    assert_eq!(first.end(), Some(Phase::Waiting));
    assert_eq!(flights.running().count(), 1);
    assert!(first.sight().is_none() && first.phase().is_none());
}

#[test]
fn those_that_come_take_the_last_places_only() {
    let flights = Flights::new(4, 0).unwrap();
    let coming: Vec<_> =
        (0..3).map_while(|_| flights.begin_beside(2, &ticket(b"/coming"), Phase::Coming)).collect();
    assert_eq!(coming.len(), 2);
    assert_eq!(flights.overflow(), 0);
    assert!(coming.iter().all(|it| it.phase() == Some(Phase::Coming)));
    let mut hint = 0;
    let running: Vec<_> = (0..3).map_while(|_| flights.begin(&mut hint, &ticket(b"/"))).collect();
    assert_eq!(running.len(), 2);
    assert_eq!(coming[0].end(), Some(Phase::Coming));
    assert!(flights.begin(&mut hint, &ticket(b"/")).is_some());
}

#[test]
fn who_is_alone_has_the_first_place_to_himself() {
    let flights = Flights::new(2, 0).unwrap();
    assert!(flights.begin_beside(2, &ticket(b"/coming"), Phase::Coming).is_some());
    assert!(flights.begin_beside(2, &ticket(b"/coming"), Phase::Coming).is_none());
    let mut hint = 0;
    let first = flights.begin_alone(&mut hint, &ticket(b"/a")).unwrap();
    assert_eq!((first.name(), first.phase()), ((0, 1), Some(Phase::Waiting)));
    assert_eq!(first.sight().unwrap().path, b"/a");
    // One inside the other finds no room here.
    assert!(flights.begin_alone(&mut hint, &ticket(b"/b")).is_none());
    assert_eq!(flights.overflow(), 1);
    first.end();
    assert_eq!(flights.begin_alone(&mut hint, &ticket(b"/c")).unwrap().name(), (0, 2));
}

#[test]
fn one_of_several_moves_a_flight_on_and_none_moves_its_successor() {
    let flights = Flights::new(1, 0).unwrap();
    let mut hint = 0;
    let flight = flights.begin(&mut hint, &ticket(b"/")).unwrap();
    assert!(!flight.advance(Phase::App, Phase::Sending));
    assert!(flight.advance(Phase::Waiting, Phase::App));
    let winners: usize = thread::scope(|scope| {
        let racers: Vec<_> = [Phase::Sending, Phase::Answered]
            .into_iter()
            .map(|to| scope.spawn(move || usize::from(flight.advance(Phase::App, to))))
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(winners, 1);
    flight.end();
    let next = flights.begin(&mut hint, &ticket(b"/next")).unwrap();
    assert!(next.advance(Phase::Waiting, Phase::App));
    assert!(!flight.advance(Phase::App, Phase::Answered));
    assert_eq!((flight.phase(), next.phase()), (None, Some(Phase::App)));
    assert!(flights.named(flight.name()).unwrap().sight().is_none());
    assert_eq!(flights.named(next.name()).unwrap().phase(), Some(Phase::App));
}

#[test]
fn marks_and_deadlines_end_with_their_flight() {
    let flights = Flights::new(1, 0).unwrap();
    let mut hint = 0;
    let flight = flights.begin(&mut hint, &ticket(b"/")).unwrap();
    flight.set_deadline_ns(99);
    assert!(!flight.mark(Mark::Logged));
    assert!(flight.mark(Mark::Logged));
    let seen = flight.sight().unwrap();
    assert!(seen.has(Mark::Logged) && !seen.has(Mark::ClientGone));
    assert_eq!((seen.deadline_ns, flight.deadline_ns()), (99, 99));
    flight.end();
    let next = flights.begin(&mut hint, &ticket(b"/")).unwrap();
    assert!(!next.has(Mark::Logged));
    assert_eq!(next.deadline_ns(), 0);
}

#[test]
fn long_texts_are_cut_and_missing_room_is_counted() {
    let flights = Flights::new(0, 0).unwrap();
    assert_eq!(flights.room(), 1);
    let mut hint = usize::MAX / 2;
    let long = [b'x'; 1000];
    let ticket = Ticket { method: &long, id: &long, peer: Peer::Named(&long), ..ticket(&long) };
    let flight = flights.begin(&mut hint, &ticket).unwrap();
    let seen = flight.sight().unwrap();
    assert_eq!(seen.method.len(), METHOD_BYTES);
    assert_eq!((seen.path.len(), seen.path_cut), (PATH_BYTES, true));
    assert_eq!((seen.id.len(), seen.peer.len()), (ID_BYTES, PEER_BYTES));
    assert!(flights.begin(&mut hint, &ticket).is_none());
    assert_eq!(flights.overflow(), 1);
}

#[test]
fn garbage_is_bounded() {
    let flights = Flights::new(3, 0).unwrap();
    for (place, code) in flights.places.iter().zip([Phase::App as u64, 0x77, BOARDING]) {
        for word in [&place.sizes, &place.marks, &place.started_ns, &place.tid] {
            word.store(u64::MAX, Ordering::Relaxed);
        }
        place.word.store(u64::MAX << CODE_BITS | code, Ordering::Relaxed);
    }
    let seen: Vec<_> = flights.running().filter_map(Flight::sight).collect();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].path.len(), seen[0].method.len()), (PATH_BYTES, METHOD_BYTES));
    assert_eq!((seen[0].id.len(), seen[0].peer.len()), (ID_BYTES, 0));
    // A serial number at its end does not stop anybody.
    flights.places[0].word.store(u64::MAX << CODE_BITS, Ordering::Relaxed);
    let flight = flights.begin(&mut 0, &ticket(b"/")).unwrap();
    assert_eq!(flight.phase(), Some(Phase::Waiting));
}

#[test]
#[cfg_attr(miri, ignore = "it knows no MAP_FIXED")]
fn who_secedes_keeps_to_itself() {
    let flights = Flights::new(2, 0).unwrap();
    let flight = flights.begin(&mut 0, &ticket(b"/")).unwrap();
    flights.secede().unwrap();
    assert_eq!(flights.running().count(), 0);
    flight.end();
    assert!(flights.begin(&mut 0, &ticket(b"/own")).is_some());
}

#[test]
fn each_thread_has_its_slate() {
    let flights = Flights::new(3, 2).unwrap();
    assert!(flights.slate(2).is_none());
    assert_eq!(flights.unwritten().count(), 0);
    let flight = flights.begin(&mut 2, &ticket(b"/")).unwrap();
    assert!(flights.slate(0).unwrap().keep(b"one\n"));
    assert!(flights.slate(1).unwrap().keep(&[b'x'; 30_000]));
    assert!(flights.slate(1).unwrap().keep(b"two\n"));
    let all: Vec<_> = flights.unwritten().collect();
    assert_eq!((&all[0][..], all[1].len()), (&b"one\n"[..], 30_004));
    assert_eq!(flight.sight().unwrap().path, b"/");
}

#[test]
fn the_stack_signal_is_told() {
    let flights = Flights::new(1, 0).unwrap();
    assert_eq!(flights.stack_signal(), 0);
    flights.set_stack_signal(50);
    assert_eq!(flights.stack_signal(), 50);
}
