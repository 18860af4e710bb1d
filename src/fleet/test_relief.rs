//! Workers that ask for a successor, and rolling reloads.

use super::test_reload::{booted, ready};
use super::tests::{S, fleet_of, fork_all, kill};
use super::*;

fn wish(fleet: &mut Fleet, pid: i32, wish: Wish, now_ns: u64) {
    fleet.on_signs(&[(pid, Signs { wish: Some(wish), ..booted(now_ns) })], now_ns);
}

/// `n` workers with pids from 100 that are ready.
fn serving(n: usize) -> Fleet {
    let mut fleet = fleet_of(n, 0);
    ready(&mut fleet, 100..100 + n as i32, S);
    fleet
}

#[test]
fn a_successor_is_ready_before_its_predecessor_leaves() {
    let mut fleet = serving(2);
    wish(&mut fleet, 101, Wish::Successor, 2 * S);
    assert_eq!(fleet.balance(2 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 200, 2 * S);
    assert!(fleet.sleep_ns(2 * S) < S / 10, "it looks often");
    assert_eq!(fleet.balance(3 * S), vec![]);
    ready(&mut fleet, 200..201, 4 * S);
    assert_eq!(fleet.balance(4 * S), vec![kill(101, Sig::Term)]);
    assert_eq!(fleet.sleep_ns(4 * S), TICK_NS);
    assert_eq!(fleet.balance(5 * S), vec![]);
    assert_eq!(fleet.on_tick(14 * S, &[]), vec![kill(101, Sig::Kill)], "graceful_timeout is over");
    fleet.on_exited(101, Exit::Signal(9), 14 * S);
    assert_eq!(fleet.balance(14 * S), vec![]);
}

#[test]
fn one_is_replaced_at_a_time() {
    let mut fleet = serving(3);
    for pid in 100..103 {
        wish(&mut fleet, pid, Wish::Successor, 2 * S);
    }
    for (old, new) in [(100, 200), (101, 201), (102, 202)] {
        assert_eq!(fleet.balance(3 * S), vec![Action::Spawn]);
        fork_all(&mut fleet, 1, new, 3 * S);
        ready(&mut fleet, new..new + 1, 3 * S);
        assert_eq!(fleet.balance(3 * S), vec![kill(old, Sig::Term)]);
        assert_eq!(fleet.balance(4 * S), vec![], "the next one's turn comes when this one is gone");
        fleet.on_exited(old, Exit::Code(0), 5 * S);
    }
    assert_eq!(fleet.balance(6 * S), vec![]);
}

#[test]
fn whoever_has_to_leave_at_once_does() {
    let mut fleet = serving(3);
    wish(&mut fleet, 100, Wish::Departure, 2 * S);
    wish(&mut fleet, 101, Wish::Departure, 2 * S);
    let terms = [kill(100, Sig::Term), kill(101, Sig::Term)];
    assert_eq!(fleet.balance(2 * S), [&terms[..], &[Action::Spawn; 2]].concat());
    // Again and again: as many are on their way out as should serve, and not more.
    fork_all(&mut fleet, 2, 200, 3 * S);
    wish(&mut fleet, 200, Wish::Departure, 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![kill(200, Sig::Term), Action::Spawn]);
    fork_all(&mut fleet, 1, 202, 3 * S);
    wish(&mut fleet, 202, Wish::Departure, 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![], "it has to wait");
    fleet.on_exited(100, Exit::Code(0), 4 * S);
    assert_eq!(fleet.balance(4 * S), vec![kill(202, Sig::Term), Action::Spawn]);
}

#[test]
fn a_wish_becomes_more_urgent_and_not_less() {
    let mut fleet = serving(1);
    wish(&mut fleet, 100, Wish::Successor, 2 * S);
    assert_eq!(fleet.balance(2 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 200, 2 * S);
    wish(&mut fleet, 100, Wish::Departure, 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![kill(100, Sig::Term)], "its successor is on its way");
}

#[test]
fn a_successor_that_can_not_boot_keeps_its_predecessor() {
    let mut fleet = serving(1);
    wish(&mut fleet, 100, Wish::Successor, 2 * S);
    fleet.balance(2 * S);
    fork_all(&mut fleet, 1, 200, 2 * S);
    let actions = fleet.on_exited(200, Exit::Code(3), 3 * S);
    assert!(actions.contains(&Action::RetryBoot { pid: 200, pause_ns: S }), "{actions:?}");
    assert_eq!(fleet.balance(4 * S - 1), vec![]);
    assert!(fleet.sleep_ns(3 * S) >= S, "nobody is waited for");
    assert_eq!(fleet.balance(4 * S), vec![Action::Spawn]);
    // No process to be had is no reason to end the server either.
    assert_eq!(fleet.on_spawn_failed(true, 4 * S), vec![Action::RetryFork { pause_ns: 2 * S }]);
    assert_eq!(fleet.balance(6 * S - 1), vec![]);
    assert_eq!(fleet.balance(6 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 201, 6 * S);
    ready(&mut fleet, 201..202, 7 * S);
    assert_eq!(fleet.balance(7 * S), vec![kill(100, Sig::Term)]);
}

#[test]
fn one_that_ends_while_its_successor_boots_was_replaced() {
    let mut fleet = serving(2);
    wish(&mut fleet, 100, Wish::Successor, 2 * S);
    fleet.balance(2 * S);
    fork_all(&mut fleet, 1, 200, 2 * S);
    fleet.on_exited(100, Exit::Signal(11), 9 * S);
    assert_eq!(fleet.balance(9 * S), vec![]);
    // A sibling's successor is not taken for its own.
    wish(&mut fleet, 101, Wish::Successor, 9 * S);
    assert_eq!(fleet.balance(9 * S), vec![Action::Spawn]);
}

#[test]
fn nobody_leaves_while_a_sibling_is_missing() {
    let mut fleet = serving(2);
    wish(&mut fleet, 100, Wish::Successor, 9 * S);
    fleet.balance(9 * S);
    fork_all(&mut fleet, 1, 200, 9 * S);
    fleet.on_exited(101, Exit::Signal(11), 9 * S);
    assert_eq!(fleet.balance(9 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 201, 9 * S);
    ready(&mut fleet, 200..201, 10 * S);
    assert_eq!(fleet.balance(10 * S), vec![]);
    ready(&mut fleet, 201..202, 11 * S);
    assert_eq!(fleet.balance(11 * S), vec![kill(100, Sig::Term)]);
}

#[test]
fn fewer_workers_are_those_that_asked_and_those_that_are_not_ready() {
    let mut fleet = serving(3);
    wish(&mut fleet, 102, Wish::Successor, 2 * S);
    fleet.balance(2 * S);
    fork_all(&mut fleet, 1, 200, 2 * S);
    fleet.set_target(2);
    assert_eq!(fleet.balance(2 * S), vec![kill(102, Sig::Term), kill(200, Sig::Term)]);
    assert_eq!(fleet.balance(3 * S), vec![]);
    fleet.set_target(3);
    assert_eq!(fleet.balance(3 * S), vec![Action::Spawn]);
}

#[test]
fn a_reload_replaces_who_asked_as_everybody() {
    let mut fleet = serving(1);
    wish(&mut fleet, 100, Wish::Successor, 2 * S);
    fleet.balance(2 * S);
    fork_all(&mut fleet, 1, 200, 2 * S);
    ready(&mut fleet, 200..201, 2 * S);
    fleet.on_reload(Strategy::Ready, 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 300, 3 * S);
    let actions = fleet.on_exited(300, Exit::Code(3), 4 * S);
    assert!(actions.contains(&Action::ReloadFailed { pid: Some(300), stay: 0 }), "{actions:?}");
    // Given up: it asks still, and there is a successor.
    assert_eq!(fleet.balance(4 * S), vec![kill(100, Sig::Term)]);
}

/// A rolling reload of `n` workers with pids from 100 that has forked worker 200.
fn rolling(n: usize) -> Fleet {
    let mut fleet = serving(n);
    assert_eq!(fleet.on_reload(Strategy::Rolling, 2 * S), vec![]);
    assert_eq!(fleet.balance(2 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 200, 2 * S);
    assert_eq!(fleet.balance(2 * S), vec![]);
    fleet
}

#[test]
fn rolling_is_one_after_the_other() {
    let mut fleet = rolling(2);
    assert!(fleet.sleep_ns(2 * S) < S / 10, "it looks often");
    ready(&mut fleet, 200..201, 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![kill(100, Sig::Term)]);
    assert_eq!(fleet.balance(4 * S), vec![]);
    fleet.on_exited(100, Exit::Code(0), 5 * S);
    assert_eq!(fleet.balance(5 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 201, 5 * S);
    ready(&mut fleet, 201..202, 6 * S);
    assert_eq!(fleet.balance(6 * S), vec![kill(101, Sig::Term), Action::Reloaded]);
    fleet.on_exited(101, Exit::Code(0), 7 * S);
    assert_eq!(fleet.balance(7 * S), vec![]);
    assert_eq!(fleet.count(Duty::Serving), 2);
}

#[test]
fn rolling_back_is_one_after_the_other_too() {
    let mut fleet = rolling(3);
    ready(&mut fleet, 200..201, 3 * S);
    fleet.balance(3 * S);
    fleet.on_exited(100, Exit::Code(0), 3 * S);
    fleet.balance(3 * S);
    fork_all(&mut fleet, 1, 201, 3 * S);
    let actions = fleet.on_exited(201, Exit::Code(3), 10 * S);
    assert!(actions.contains(&Action::ReloadFailed { pid: Some(201), stay: 1 }), "{actions:?}");
    assert!(!actions.iter().any(|it| matches!(it, Action::Kill { .. })), "{actions:?}");
    assert_eq!(fleet.balance(10 * S), vec![], "a pause, as after any failure");
    assert_eq!(fleet.balance(11 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 300, 11 * S);
    ready(&mut fleet, 300..301, 12 * S);
    assert_eq!(fleet.balance(12 * S), vec![kill(200, Sig::Term)]);
}

#[test]
fn a_generation_that_dies_in_service_is_taken_back() {
    let mut fleet = rolling(2);
    ready(&mut fleet, 200..201, 3 * S);
    fleet.balance(3 * S);
    let actions = fleet.on_exited(200, Exit::Signal(11), 4 * S);
    assert!(actions.contains(&Action::ReloadFailed { pid: Some(200), stay: 0 }), "{actions:?}");
}

#[test]
fn the_latest_rolling_reload_counts_and_keeps_who_serves() {
    let mut fleet = rolling(2);
    ready(&mut fleet, 200..201, 3 * S);
    fleet.balance(3 * S);
    fleet.on_exited(100, Exit::Code(0), 3 * S);
    fleet.balance(3 * S);
    fork_all(&mut fleet, 1, 201, 3 * S);
    assert_eq!(fleet.on_reload(Strategy::Rolling, 4 * S), vec![kill(201, Sig::Term)]);
    assert_eq!(fleet.balance(4 * S), vec![], "one still imports");
    fleet.on_exited(201, Exit::Code(0), 4 * S);
    assert_eq!(fleet.balance(4 * S), vec![Action::Spawn]);
    assert_eq!(fleet.count(Duty::Outgoing), 2);
}

#[test]
fn a_rolling_reload_whose_worker_hangs_ends() {
    let mut fleet = rolling(2);
    assert_eq!(fleet.on_tick(601 * S, &[]), vec![]);
    let actions = fleet.on_tick(602 * S, &[]);
    assert_eq!(actions, vec![Action::ReloadFailed { pid: None, stay: 0 }, kill(200, Sig::Term)]);
}

#[test]
fn who_hangs_in_its_boot_is_aborted_then_killed() {
    let mut fleet = serving(1);
    fleet.set_limits(Limits { timeout_ns: S, graceful_ns: S, boot_ns: 60 * S });
    fleet.set_target(2);
    fleet.balance(2 * S);
    fork_all(&mut fleet, 1, 200, 2 * S);
    for second in 2..62 {
        assert_eq!(fleet.on_tick(second * S, &[]), vec![], "{second}");
    }
    assert_eq!(
        fleet.on_tick(62 * S, &[]),
        vec![Action::ReportHang { pid: 200 }, kill(200, Sig::Abrt)]
    );
    assert_eq!(fleet.on_tick(62 * S + S / 2, &[]), vec![]);
    assert_eq!(fleet.on_tick(63 * S, &[]), vec![kill(200, Sig::Kill)]);
    assert_eq!(fleet.on_tick(64 * S, &[]), vec![]);
    // Whatever it says of that is not the code's word.
    assert_eq!(
        fleet.on_exited(200, Exit::Code(3), 64 * S),
        vec![Action::ReportCode { pid: 200, code: 3 }, Action::ChildExit { pid: 200 }]
    );
    assert_eq!(fleet.balance(64 * S), vec![Action::Spawn]);
}

#[test]
fn who_boots_while_the_machine_sleeps_has_its_time_again() {
    let mut fleet = Fleet::new();
    fleet.set_limits(Limits { timeout_ns: S, graceful_ns: S, boot_ns: 60 * S });
    fleet.set_target(1);
    fork_all(&mut fleet, 1, 100, 0);
    fleet.on_tick(S, &[]);
    assert_eq!(fleet.on_tick(90 * S, &[]), vec![]);
    for second in 91..150 {
        assert_eq!(fleet.on_tick(second * S, &[]), vec![], "{second}");
    }
    assert!(!fleet.on_tick(150 * S, &[]).is_empty());
}

#[test]
fn who_has_booted_is_not_hanging() {
    let mut fleet = fleet_of(1, 0);
    fleet.set_limits(Limits { timeout_ns: 0, graceful_ns: S, boot_ns: 3 * S });
    fleet.set_target(2);
    fork_all(&mut fleet, 1, 200, 0);
    fleet.on_signs(&[(200, Signs { booted_ns: Some(S), ..Signs::default() })], S);
    for second in 1..100 {
        assert_eq!(fleet.on_tick(second * S, &[]), vec![], "{second}");
    }
}

/// Another worker has ended meanwhile: what can't be forked is for that one first, not a successor.
#[test]
fn a_fork_that_fails_for_somebody_who_is_missing_postpones_nobody() {
    let mut fleet = serving(2);
    wish(&mut fleet, 101, Wish::Successor, 2 * S);
    assert_eq!(fleet.balance(2 * S), vec![Action::Spawn]);
    fleet.on_exited(100, Exit::Code(0), 3 * S);
    assert!(fleet.on_spawn_failed(false, 3 * S).is_empty());
}
