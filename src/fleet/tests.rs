use super::*;

pub(super) const S: u64 = 1_000_000_000;
const LIMITS: Limits = Limits { timeout_ns: 30 * S, graceful_ns: 10 * S, boot_ns: 0 };

/// A fleet of `n` serving workers with pids 100, 101 …, all forked at `now_ns`.
pub(super) fn fleet_of(n: usize, now_ns: u64) -> Fleet {
    let mut fleet = Fleet::default();
    fleet.set_limits(LIMITS);
    fleet.set_target(n);
    let spawns = fleet.balance(now_ns);
    assert_eq!(spawns, vec![Action::Spawn; n]);
    fork_all(&mut fleet, n, 100, now_ns);
    fleet
}

pub(super) fn fork_all(fleet: &mut Fleet, n: usize, first_pid: i32, now_ns: u64) {
    for pid in (first_pid..).take(n) {
        let id = fleet.next_child();
        fleet.on_spawned(pid, id, now_ns);
    }
}

pub(super) fn kill(pid: i32, sig: Sig) -> Action {
    Action::Kill { pid, sig }
}

#[test]
fn ages_grow_and_slots_are_reused_lowest_first() {
    let mut fleet = fleet_of(3, 0);
    assert_eq!(fleet.next_child(), Identity { age: 4, slot: 3 });
    fleet.on_exited(101, Exit::Code(0), 60 * S);
    assert_eq!(fleet.next_child(), Identity { age: 4, slot: 1 });
    fleet.on_exited(100, Exit::Code(0), 60 * S);
    assert_eq!(fleet.next_child(), Identity { age: 4, slot: 0 });
}

#[test]
fn exits_are_reported_as_gunicorn_reports_them() {
    for (exit, expected) in [
        (Exit::Code(0), vec![Action::ChildExit { pid: 100 }]),
        (
            Exit::Code(9),
            vec![Action::ReportCode { pid: 100, code: 9 }, Action::ChildExit { pid: 100 }],
        ),
        (
            Exit::Signal(9),
            vec![Action::ReportSignal { pid: 100, signal: 9 }, Action::ChildExit { pid: 100 }],
        ),
        (
            Exit::Code(3),
            vec![
                Action::ReportCode { pid: 100, code: 3 },
                Action::Halt { reason: "Worker failed to boot.", code: 3 },
            ],
        ),
        (
            Exit::Code(4),
            vec![
                Action::ReportCode { pid: 100, code: 4 },
                Action::Halt { reason: "App failed to load.", code: 4 },
            ],
        ),
    ] {
        assert_eq!(fleet_of(1, 0).on_exited(100, exit, 60 * S), expected, "{exit:?}");
    }
    assert_eq!(
        fleet_of(1, 0).on_exited(7, Exit::Code(3), 0),
        vec![Action::Unknown { pid: 7 }],
        "an orphan's exit code 3 means nothing to us"
    );
}

#[test]
fn several_boot_failures_halt_once() {
    let mut fleet = fleet_of(3, 0);
    assert!(matches!(fleet.on_exited(100, Exit::Code(3), 0)[..], [_, Action::Halt { .. }]));
    assert_eq!(
        fleet.on_exited(101, Exit::Code(3), 0),
        vec![Action::ReportCode { pid: 101, code: 3 }]
    );
    assert_eq!(fleet.balance(S), vec![], "nothing is spawned on the way out");
    assert_eq!(fleet.on_stop(Stop::Graceful, S), vec![kill(102, Sig::Term)]);
    assert_eq!(
        fleet.on_exited(102, Exit::Code(4), S),
        vec![Action::ReportCode { pid: 102, code: 4 }]
    );
    assert!(fleet.is_settled(S));
}

#[test]
fn oldest_is_retired_first_told_once_and_killed_at_its_deadline() {
    let mut fleet = fleet_of(3, 0);
    fleet.set_target(2);
    assert_eq!(fleet.balance(S), vec![kill(100, Sig::Term)]);
    assert_eq!(fleet.balance(2 * S), vec![], "no second SIGTERM");
    assert_eq!(fleet.on_tick(11 * S - 1, &[]), vec![]);
    assert_eq!(fleet.on_tick(11 * S, &[]), vec![kill(100, Sig::Kill)]);
    assert_eq!(fleet.on_tick(12 * S, &[]), vec![], "no second SIGKILL");
}

#[test]
fn retiring_workers_are_replaced_when_the_target_rises_again() {
    let mut fleet = fleet_of(2, 0);
    fleet.set_target(1);
    fleet.balance(S);
    fleet.set_target(2);
    assert_eq!(fleet.balance(S), vec![Action::Spawn]);
}

#[test]
fn reload_forks_the_new_generation_before_it_retires_the_old_one() {
    let mut fleet = fleet_of(2, 0);
    fleet.set_target(3);
    fleet.on_reload(Strategy::Forked, S);
    let actions = fleet.balance(S);
    assert_eq!(
        actions,
        vec![
            Action::Spawn,
            Action::Spawn,
            Action::Spawn,
            Action::Reloaded,
            kill(100, Sig::Term),
            kill(101, Sig::Term)
        ]
    );
    fork_all(&mut fleet, 3, 200, S);
    assert_eq!(fleet.balance(S), vec![]);
    assert_eq!(fleet.count(Duty::Serving), 3);
    assert_eq!(
        fleet.on_tick(11 * S, &[]),
        vec![kill(100, Sig::Kill), kill(101, Sig::Kill)],
        "an old worker that outlives graceful_timeout is killed"
    );
}

#[test]
fn reload_keeps_a_new_worker_that_dies_from_being_counted_as_old() {
    let mut fleet = fleet_of(1, 0);
    fleet.on_reload(Strategy::Forked, S);
    fleet.balance(S);
    fork_all(&mut fleet, 1, 200, S);
    fleet.on_exited(200, Exit::Code(1), 20 * S);
    assert_eq!(fleet.balance(20 * S), vec![Action::Spawn]);
}

#[test]
fn stopped_heartbeat_is_aborted_then_killed_one_tick_later() {
    let mut fleet = fleet_of(1, 0);
    let mut at = |tenths: u64, beat: u64| fleet.on_tick(tenths * S / 10, &[(100, beat)]);
    for second in 0..=30 {
        assert_eq!(at(second * 10, 0), vec![], "{second}");
    }
    assert_eq!(at(310, 0), vec![Action::ReportTimeout { pid: 100 }, kill(100, Sig::Abrt)]);
    assert_eq!(at(311, 0), vec![], "a SIGCHLD wakes the master; the worker still has its second");
    assert_eq!(at(320, 0), vec![kill(100, Sig::Kill)]);
    assert_eq!(at(330, 0), vec![]);
}

#[test]
fn worker_without_a_heartbeat_is_not_timed_out() {
    let mut fleet = fleet_of(1, 0);
    for second in 0..100 {
        assert_eq!(fleet.on_tick(second * S, &[]), vec![]);
        assert_eq!(fleet.on_tick(second * S, &[(100, u64::MAX)]), vec![], "not booted yet");
    }
}

#[test]
fn timeout_zero_never_times_out() {
    let mut fleet = Fleet::new();
    fleet.set_target(1);
    fork_all(&mut fleet, 1, 100, 0);
    // Whoever lives already keeps its own.
    fleet.set_limits(LIMITS);
    for second in 0..100 {
        assert_eq!(fleet.on_tick(second * S, &[(100, 0)]), vec![]);
    }
}

#[test]
fn workers_are_forgiven_the_time_in_which_the_machine_slept() {
    let mut fleet = fleet_of(1, 0);
    fleet.on_tick(S, &[(100, 0)]);
    assert_eq!(fleet.on_tick(100 * S, &[(100, 0)]), vec![], "the master slept as well");
    for second in 101..=130 {
        assert_eq!(fleet.on_tick(second * S, &[(100, 0)]), vec![], "{second}");
    }
    assert!(!fleet.on_tick(131 * S, &[(100, 0)]).is_empty(), "its own whole timeout, not more");
}

#[test]
fn sleep_right_after_the_start_is_forgiven_too() {
    let mut fleet = fleet_of(1, S);
    assert_eq!(fleet.on_tick(100 * S, &[(100, S)]), vec![]);
}

#[test]
fn slow_master_still_judges() {
    let mut fleet = fleet_of(1, 0);
    assert_eq!(fleet.on_tick(0, &[(100, 0)]), vec![]);
    assert_eq!(fleet.on_tick(15 * S, &[(100, 0)]), vec![]);
    assert_eq!(fleet.on_tick(30 * S, &[(100, 0)]), vec![]);
    assert!(!fleet.on_tick(45 * S, &[(100, 0)]).is_empty());
}

#[test]
fn graceful_stop_turns_quick_on_demand() {
    let mut fleet = fleet_of(2, 0);
    assert_eq!(fleet.on_stop(Stop::Graceful, 0), vec![kill(100, Sig::Term), kill(101, Sig::Term)]);
    assert_eq!(fleet.on_stop(Stop::Graceful, S), vec![]);
    assert_eq!(fleet.on_stop(Stop::Quick, S), vec![kill(100, Sig::Quit), kill(101, Sig::Quit)]);
    assert_eq!(fleet.on_stop(Stop::Graceful, S), vec![]);
    assert_eq!(fleet.on_tick(3 * S - 1, &[]), vec![]);
    assert_eq!(fleet.on_tick(3 * S, &[]), vec![kill(100, Sig::Kill), kill(101, Sig::Kill)]);
    assert!(!fleet.is_settled(4 * S), "the kernel has not reported them yet");
    assert!(fleet.is_settled(5 * S), "nor will it: stuck in the kernel");
}

#[test]
fn a_quick_stop_asked_for_again_waits_for_nobody() {
    let mut fleet = fleet_of(1, 0);
    assert_eq!(fleet.on_stop(Stop::Quick, 0), vec![kill(100, Sig::Quit)]);
    assert_eq!(fleet.on_tick(S, &[]), vec![]);
    assert_eq!(fleet.on_stop(Stop::Quick, S), vec![]);
    assert_eq!(fleet.on_tick(S, &[]), vec![kill(100, Sig::Kill)]);
}

#[test]
fn stop_does_not_tell_a_retiring_worker_again() {
    let mut fleet = fleet_of(2, 0);
    fleet.set_target(1);
    fleet.balance(0);
    assert_eq!(fleet.on_stop(Stop::Graceful, S), vec![kill(101, Sig::Term)]);
}

#[test]
fn worker_that_dies_at_birth_is_replaced_after_a_short_pause() {
    let mut fleet = fleet_of(1, 0);
    fleet.on_exited(100, Exit::Code(9), S / 10);
    assert_eq!(fleet.balance(S / 10), vec![]);
    let pause = fleet.sleep_ns(S / 10);
    assert!(pause > 0 && pause < S / 10, "{pause}");
    assert_eq!(fleet.balance(S / 10 + pause), vec![Action::Spawn]);
}

#[test]
fn worker_that_lived_is_replaced_at_once() {
    let mut fleet = fleet_of(1, 0);
    fleet.on_exited(100, Exit::Signal(11), 5 * S);
    assert_eq!(fleet.balance(5 * S), vec![Action::Spawn]);
}

#[test]
fn reload_waits_for_held_back_forks_before_it_retires_anybody() {
    let mut fleet = fleet_of(2, 0);
    fleet.on_reload(Strategy::Forked, S);
    fleet.on_exited(100, Exit::Code(9), S / 10);
    assert_eq!(fleet.balance(S / 10).len(), 4, "an outgoing worker's death holds nothing back");
    let mut fleet = fleet_of(1, 0);
    fleet.on_reload(Strategy::Forked, S);
    fork_all(&mut fleet, 1, 200, S);
    fleet.set_target(2);
    fleet.on_exited(200, Exit::Code(9), S);
    assert_eq!(fleet.balance(S), vec![], "the old worker serves on meanwhile");
    assert_eq!(
        fleet.balance(2 * S),
        vec![Action::Spawn, Action::Spawn, Action::Reloaded, kill(100, Sig::Term)]
    );
}

#[test]
fn vanished_children_are_forgotten() {
    let mut fleet = fleet_of(1, 0);
    assert_eq!(fleet.on_vanished(100, 0), vec![]);
    assert_eq!(fleet.pids().count(), 0);
    assert_eq!(fleet.on_vanished(100, 0), vec![]);
    assert_eq!(fleet.balance(S), vec![Action::Spawn]);
}

#[test]
fn sleep_is_one_tick_or_the_next_deadline() {
    let mut fleet = fleet_of(1, 0);
    assert_eq!(fleet.sleep_ns(0), TICK_NS);
    fleet.set_limits(Limits { graceful_ns: S / 4, ..LIMITS });
    fleet.on_stop(Stop::Graceful, 0);
    assert_eq!(fleet.sleep_ns(0), S / 4);
    assert_eq!(fleet.sleep_ns(S), 0);
    fleet.on_tick(S, &[]);
    assert_eq!(fleet.sleep_ns(S), TICK_NS, "a killed worker is only waited for");
}

#[test]
fn the_fleet_knows_why_it_told_a_worker_to_leave() {
    let mut fleet = fleet_of(2, 0);
    assert_eq!((fleet.cause(100), fleet.cause(7)), (None, None));
    fleet.set_target(1);
    fleet.balance(S);
    assert_eq!(fleet.cause(100), Some(Cause::Surplus));
}

#[test]
fn workers_that_end_at_once_are_held_back() {
    let mut fleet = fleet_of(1, 0);
    assert!(!fleet.holds_back(0));
    let mut now_ns = 0;
    for pid in 100..120 {
        now_ns += 1;
        fleet.on_exited(pid, Exit::Code(1), now_ns);
        if fleet.holds_back(now_ns) {
            break;
        }
        fork_all(&mut fleet, 1, pid + 1, now_ns);
    }
    assert!(fleet.holds_back(now_ns));
    assert!(fleet.balance(now_ns).is_empty());
    assert!(!fleet.holds_back(now_ns + 3600 * S));
}

#[test]
fn what_fails_while_the_server_stops_changes_nothing() {
    let mut fleet = fleet_of(1, 0);
    fleet.on_reload(Strategy::Ready, S);
    fleet.balance(S);
    fork_all(&mut fleet, 1, 200, S);
    fleet.on_stop(Stop::Graceful, 2 * S);
    assert!(fleet.on_vanished(200, 3 * S).is_empty());
    assert!(fleet.on_spawn_failed(false, 3 * S).is_empty());
}
