//! The pauses after deaths.

use super::test_reload::ready;
use super::tests::{S, fleet_of, fork_all};
use super::*;

const CRASH: Exit = Exit::Signal(11);

/// `siblings` that serve for ever, and one more that dies of `exit` `lives_ns` after it was ready,
/// again and again (never ready: 0). Returns the pauses in milliseconds, and those that were told of.
fn loop_of(siblings: usize, exit: Exit, lives_ns: u64, rounds: usize) -> (Vec<u64>, Vec<u64>) {
    let mut fleet = fleet_of(siblings + 1, 0);
    let mut now_ns = S;
    ready(&mut fleet, 100..100 + siblings as i32, now_ns);
    let mut pid = 100 + siblings as i32;
    let (mut pauses, mut told) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        if lives_ns > 0 {
            now_ns += S;
            ready(&mut fleet, pid..pid + 1, now_ns);
            now_ns += lives_ns;
            ready(&mut fleet, pid..pid + 1, now_ns);
        } else {
            now_ns += 2 * S;
        }
        let actions = fleet.on_exited(pid, exit, now_ns);
        told.extend(actions.iter().filter_map(|it| match it {
            Action::BackOff { pause_ns, .. } => Some(pause_ns / 1_000_000),
            _ => None,
        }));
        let died_ns = now_ns;
        while fleet.balance(now_ns).is_empty() {
            now_ns += fleet.sleep_ns(now_ns).max(1);
        }
        pauses.push((now_ns - died_ns) / 1_000_000);
        pid += 1;
        fork_all(&mut fleet, 1, pid, now_ns);
    }
    (pauses, told)
}

#[test]
fn a_loop_of_crashes_slows_down_and_says_so() {
    let slower = vec![0, 500, 1000, 2000, 4000, 8000, 16000, 32000, 32000];
    for (exit, lives_ns) in [(CRASH, S), (Exit::Code(1), 4 * S), (CRASH, 0), (Exit::Code(0), 0)] {
        let (pauses, told) = loop_of(2, exit, lives_ns, 9);
        assert_eq!(pauses, slower, "{exit:?} {lives_ns}");
        assert_eq!(told, slower[1..], "{exit:?} {lives_ns}");
    }
    // SIGKILL before it boots: the kernel's, for want of memory.
    assert_eq!(loop_of(1, Exit::Signal(9), 0, 3).0, [0, 500, 1000]);
}

#[test]
fn an_outage_is_not_made_longer_than_need_be() {
    let (pauses, told) = loop_of(0, CRASH, S, 8);
    assert_eq!(pauses, [0, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    assert_eq!(told, pauses[1..]);
}

#[test]
fn what_is_no_loop_has_no_pause() {
    // Who has lived; who has done its work; who was killed from outside or told to leave.
    for (exit, lives_ns) in [
        (CRASH, 6 * S),
        (Exit::Code(0), S),
        (Exit::Signal(9), S),
        (Exit::Signal(15), S),
        (Exit::Code(1), 60 * S),
    ] {
        let (pauses, told) = loop_of(1, exit, lives_ns, 9);
        assert_eq!((pauses, told), (vec![0; 9], vec![]), "{exit:?} {lives_ns}");
    }
}

#[test]
fn all_that_die_at_once_are_one_round() {
    let mut fleet = fleet_of(4, 0);
    ready(&mut fleet, 100..104, S);
    for round in 0..3 {
        let now_ns = (10 * round + 2) * S;
        let first = 100 * (round as i32 + 1);
        let mut told = Vec::new();
        for pid in first..first + 4 {
            told.extend(fleet.on_exited(pid, CRASH, now_ns));
        }
        let told = told.iter().filter(|it| matches!(it, Action::BackOff { .. })).count();
        assert_eq!(told, usize::from(round > 0), "one line");
        let now_ns = now_ns + 8 * S;
        assert_eq!(fleet.balance(now_ns), vec![Action::Spawn; 4]);
        fork_all(&mut fleet, 4, first + 100, now_ns);
        ready(&mut fleet, first + 100..first + 104, now_ns + S);
    }
}

#[test]
fn one_that_lives_ends_the_loop_and_healthy_siblings_do_not() {
    let mut fleet = fleet_of(2, 0);
    ready(&mut fleet, 100..102, S);
    let mut now_ns = 2 * S;
    for pid in [101, 200, 201] {
        ready(&mut fleet, 100..101, now_ns);
        fleet.on_exited(pid, CRASH, now_ns);
        now_ns += 4 * S;
        assert_eq!(fleet.balance(now_ns), vec![Action::Spawn]);
        let next = if pid == 101 { 200 } else { pid + 1 };
        fork_all(&mut fleet, 1, next, now_ns);
        ready(&mut fleet, next..next + 1, now_ns);
    }
    // 202 lives on.
    now_ns += 5 * S;
    ready(&mut fleet, 202..203, now_ns);
    fleet.on_exited(100, CRASH, now_ns);
    assert_eq!(fleet.balance(now_ns), vec![Action::Spawn], "at once, and the loop is forgotten");
    fork_all(&mut fleet, 1, 300, now_ns);
    ready(&mut fleet, 300..301, now_ns);
    let actions = fleet.on_exited(300, CRASH, now_ns + S);
    assert!(!actions.iter().any(|it| matches!(it, Action::BackOff { .. })), "{actions:?}");
}

#[test]
fn a_reload_ends_the_pauses() {
    let mut fleet = fleet_of(1, 0);
    for (pid, now_ns) in [(100, 2 * S), (101, 4 * S), (102, 6 * S), (103, 8 * S)] {
        fleet.on_exited(pid, Exit::Code(9), now_ns);
        assert!(pid < 102 || fleet.balance(now_ns).is_empty());
        fork_all(&mut fleet, usize::from(pid < 103), pid + 1, now_ns);
    }
    fleet.on_reload(Strategy::Forked, 8 * S);
    assert!(fleet.balance(8 * S).contains(&Action::Spawn));
}

#[test]
fn what_the_master_ended_itself_is_no_crash() {
    let mut fleet = fleet_of(1, 0);
    let mut now_ns = 0;
    for pid in 100..110 {
        ready(&mut fleet, pid..pid + 1, now_ns);
        fleet.on_tick(now_ns + 31 * S, &[(pid, now_ns)]);
        now_ns += 31 * S;
        fleet.on_exited(pid, Exit::Code(1), now_ns);
        assert_eq!(fleet.balance(now_ns), vec![Action::Spawn]);
        fork_all(&mut fleet, 1, pid + 1, now_ns);
    }
}

#[test]
fn no_room_for_a_worker_ends_no_server_that_has_booted() {
    let mut fleet = fleet_of(2, 0);
    assert_eq!(fleet.on_spawn_failed(true, S), vec![], "it boots for the first time");
    assert!(!fleet.is_established());
    ready(&mut fleet, 100..102, S);
    assert!(fleet.is_established());
    assert_eq!(fleet.on_spawn_failed(false, 2 * S), vec![], "it is not the machine");
    for (victim, longest_ms) in [(100, 32_000), (101, 8000)] {
        let (mut now_ns, mut pauses) = (100 * S, Vec::new());
        fleet.on_exited(victim, Exit::Signal(11), now_ns);
        for _ in 0..9 {
            assert!(fleet.balance(now_ns).contains(&Action::Spawn));
            let [Action::NoRoom { pause_ns }] = fleet.on_spawn_failed(true, now_ns)[..] else {
                panic!("no answer")
            };
            pauses.push(pause_ns / 1_000_000);
            now_ns += pause_ns;
            assert!(pause_ns == 0 || fleet.balance(now_ns - 1).is_empty());
        }
        assert_eq!(pauses[..4], [0, 500, 1000, 2000]);
        assert_eq!(pauses[8], longest_ms);
        // The one that is forked at last ends it.
        fork_all(&mut fleet, 1, victim + 100, now_ns);
        ready(&mut fleet, victim + 100..victim + 101, now_ns + S);
        fleet.on_exited(victim + 100, Exit::Code(0), now_ns + 2 * S);
    }
}
