use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;
use crate::sys::flights::{Flight, Peer, Phase, Ticket};
use crate::sys::outgoing::Outgoing;
use crate::sys::records::{LENGTH, RECORD_BYTES};

fn flights() -> Flights {
    Flights::new(4, 0).unwrap()
}

fn ticket() -> Ticket<'static> {
    Ticket {
        method: b"GET",
        path: b"/",
        id: b"",
        peer: Peer::Ip(IpAddr::from([127, 0, 0, 1])),
        version: (1, 1),
        started_ns: 1,
        thread: (0, 0),
        reading: 0,
    }
}

/// A deposited connection, and its client. The worker's own descriptor is closed.
fn deposit(vault: &Vault, message: &[u8]) -> (Name, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    match vault.deposit(message, &[ours.as_fd()]).unwrap() {
        Deposited::As(name) => (name, theirs),
        other => panic!("{other:?}"),
    }
}

/// What was rescued: the messages.
fn rescued(vault: &Vault, flights: Option<&Flights>) -> Vec<(Vec<u8>, OwnedFd)> {
    let queue = Handoff::new().unwrap();
    let found = vault.rescue(&queue, flights, vault.leftover().as_ref()).unwrap();
    let mut buffer = [0; MESSAGE_BYTES];
    let mut all = Vec::new();
    while let Some((len, fds)) = queue.receive(&mut buffer).unwrap() {
        all.push((buffer[..len].to_vec(), fds.into_iter().next().unwrap()));
    }
    assert_eq!((found.moved, found.left), (all.len(), 0));
    all
}

fn is_closed(client: &mut UnixStream) -> bool {
    client.set_nonblocking(true).unwrap();
    matches!(client.read(&mut [0]), Ok(0))
}

#[test]
fn who_is_held_is_rescued_and_who_is_away_is_closed() {
    let vault = Vault::new(8, false).unwrap();
    let (held, mut held_client) = deposit(&vault, b"held");
    let (away, mut away_client) = deposit(&vault, b"away");
    let (written, _written_client) = deposit(&vault, b"message");
    let (gone, mut gone_client) = deposit(&vault, b"gone");
    assert!(vault.hold(held, false, None));
    assert!(vault.write(written, b"written") && vault.hold(written, true, None));
    vault.withdraw(gone);
    assert!(!vault.hold(gone, false, None) && vault.state(gone).is_none());
    assert!(!is_closed(&mut gone_client) && !is_closed(&mut away_client));
    assert_eq!(vault.state(away), Some(State::Away));
    let all = rescued(&vault, None);
    let messages: Vec<&[u8]> = all.iter().map(|(bytes, _)| &bytes[..]).collect();
    assert_eq!(messages, [&b"held"[..], b"written"]);
    assert!(is_closed(&mut gone_client) && is_closed(&mut away_client));
    assert!(!is_closed(&mut held_client));
    let socket = all.into_iter().next().unwrap().1;
    UnixStream::from(socket).write_all(b"x").unwrap();
    assert_eq!(held_client.read(&mut [0; 2]).unwrap(), 1);
    assert!(rescued(&vault, None).is_empty());
}

#[test]
fn what_is_written_counts_only_when_nobody_has_it() {
    let vault = Vault::new(1, false).unwrap();
    let (name, _client) = deposit(&vault, b"message");
    assert!(!vault.write(name, &[0; RECORD_BYTES + 1]));
    assert!(vault.write(name, &[7; RECORD_BYTES]));
    assert!(vault.hold(name, true, None));
    assert!(!vault.write(name, b"now"));
    assert!(vault.lift(name) && vault.write(name, b"again"));
    assert!(vault.hold(name, true, None));
    assert_eq!(rescued(&vault, None)[0].0, b"again");
}

#[test]
fn purging_drops_the_stale_and_keeps_the_others() {
    let vault = Vault::new(4, false).unwrap();
    let mut all: Vec<_> = (0..4u8).map(|n| deposit(&vault, &[n])).collect();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    assert!(!vault.has_room());
    assert_eq!(vault.deposit(b"", &[ours.as_fd()]).unwrap(), Deposited::Full);
    vault.withdraw(all[1].0);
    vault.withdraw(all[2].0);
    vault.withdraw(all[2].0);
    assert_eq!(vault.stale(), 2);
    assert!(!vault.has_room());
    let mut buffer = Vec::new();
    vault.purge(&mut buffer);
    assert_eq!(vault.stale(), 0);
    assert!(vault.has_room());
    assert!(is_closed(&mut all[1].1) && is_closed(&mut all[2].1));
    assert!(!is_closed(&mut all[0].1) && !is_closed(&mut all[3].1));
    // The next one gets a record that somebody had before.
    let (next, _client) = deposit(&vault, &[9]);
    for name in [all[0].0, all[3].0, next] {
        assert!(vault.hold(name, false, None));
    }
    assert!(!vault.lift(all[1].0));
    let messages: Vec<_> = rescued(&vault, None).into_iter().map(|(bytes, _)| bytes).collect();
    assert_eq!(messages, [[0], [3], [9]]);
}

#[test]
fn who_lies_there_does_so_at_any_moment() {
    let (vault, over) = (Vault::new(4, false).unwrap(), AtomicBool::new(false));
    let (name, _client) = deposit(&vault, b"kept");
    assert!(vault.hold(name, false, None));
    let missed = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let looks = std::iter::repeat_with(|| vault.queue.peek(&mut [0]).unwrap());
            looks.take_while(|_| !over.load(Ordering::Relaxed)).filter(Option::is_none).count()
        });
        let mut buffer = Vec::new();
        (0..10_000).for_each(|_| vault.purge(&mut buffer));
        over.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    assert_eq!(missed, 0);
    let messages: Vec<_> = rescued(&vault, None).into_iter().map(|(bytes, _)| bytes).collect();
    assert_eq!(messages, [b"kept"]);
}

#[test]
fn a_request_that_is_rescued_is_not_lost_and_one_that_runs_is() {
    let (vault, flights) = (Vault::new(4, false).unwrap(), flights());
    let coming = flights.begin_beside(4, &ticket(), Phase::Coming).unwrap();
    let waiting = flights.begin(&mut 0, &ticket()).unwrap();
    let running = flights.begin(&mut 0, &ticket()).unwrap();
    running.advance(Phase::Waiting, Phase::App);
    let mut clients = Vec::new();
    for flight in [coming, waiting, running] {
        let (name, client) = deposit(&vault, b"");
        assert!(vault.hold(name, false, Some(flight.name())));
        clients.push(client);
    }
    assert_eq!(rescued(&vault, Some(&flights)).len(), 3);
    assert_eq!(flights.running().map(Flight::name).collect::<Vec<_>>(), [running.name()]);
}

#[test]
fn who_is_deposited_twice_is_rescued_once() {
    let vault = Vault::new(8, false).unwrap();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let names = [b"as it was", b"as it is "].map(|message| {
        match vault.deposit(message, &[ours.as_fd()]).unwrap() {
            Deposited::As(name) => name,
            other => panic!("{other:?}"),
        }
    });
    assert!(names.into_iter().all(|name| vault.hold(name, false, None)));
    assert_eq!(rescued(&vault, None).len(), 1);
}

#[test]
fn who_has_been_given_is_not_rescued() {
    let (vault, queue) = (Vault::new(8, false).unwrap(), Handoff::new().unwrap());
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let Deposited::As(name) = vault.deposit(b"held", &[ours.as_fd()]).unwrap() else { panic!() };
    assert!(vault.hold(name, false, None));
    let who = Outgoing { fd: ours.as_raw_fd(), record: Some(name), reading: 0, flight: None };
    assert_eq!(vault.give(&who, &queue, b"given", &[ours.as_fd()]).unwrap(), Sent::Whole);
    assert_eq!(rescued(&vault, None).len(), 0);
}

#[test]
fn a_full_queue_is_counted_and_garbage_rescues_nobody() {
    let vault = Vault::new(4, false).unwrap();
    let full = Handoff::new().unwrap();
    while full.send(b"x", &[]).unwrap() == Sent::Whole {}
    let (name, mut client) = deposit(&vault, b"held");
    assert!(vault.hold(name, false, None));
    let found = vault.rescue(&full, None, None).unwrap();
    assert_eq!((found.moved, found.left, found.read), (0, 1, false));
    assert!(is_closed(&mut client));
    let (ours, _theirs) = UnixStream::pair().unwrap();
    for garbage in [&b""[..], b"short", &[0xff; 40], &[0; 40]] {
        vault.queue.send(garbage, &[ours.as_fd()]).unwrap();
    }
    // A record that says it is as long as can be.
    let (name, _client) = deposit(&vault, b"");
    assert!(vault.hold(name, true, None));
    vault.parts(name).unwrap().0[LENGTH].store(u64::MAX, Ordering::Relaxed);
    let all = rescued(&vault, None);
    assert_eq!(all.len(), 1);
    assert!(all[0].0.len() <= RECORD_BYTES);
}

#[test]
fn a_child_knows_of_no_deposits() {
    let vault = Vault::new(4, false).unwrap();
    let (name, mut client) = deposit(&vault, b"");
    assert!(vault.hold(name, false, None));
    vault.secede().unwrap();
    assert!(vault.state(name).is_none() && !vault.lift(name));
    vault.withdraw(name);
    assert_eq!(vault.stale(), 0);
    vault.clear().unwrap();
    assert!(is_closed(&mut client));
}

#[test]
fn what_is_given_up_is_closed_and_its_room_is_free_again() {
    let vault = Vault::new(2, false).unwrap();
    let (held, mut client) = deposit(&vault, b"held");
    let (gone, _gone_client) = deposit(&vault, b"gone");
    assert!(vault.hold(held, false, None));
    vault.withdraw(gone);
    assert!(!vault.has_room());
    assert!(vault.give_up());
    assert!(is_closed(&mut client));
    assert_eq!((vault.state(held), vault.stale()), (None, 0));
    // Whoever has the name still can do nothing with it.
    assert!(!vault.hold(held, false, None));
    vault.withdraw(held);
    assert_eq!(vault.stale(), 0);
    assert!(!vault.give_up());
    let (_, _first) = deposit(&vault, b"first");
    let (_, _second) = deposit(&vault, b"second");
    assert!(!vault.has_room());
}
