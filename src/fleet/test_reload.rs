//! Reloads that wait for the new generation to be ready.

use super::tests::{S, fleet_of, fork_all, kill};
use super::*;

pub(super) fn booted(at_ns: u64) -> Signs {
    Signs { booted_ns: Some(at_ns), beat_ns: Some(at_ns), wish: None }
}

/// These workers are ready.
pub(super) fn ready(fleet: &mut Fleet, pids: std::ops::Range<i32>, now_ns: u64) {
    let signs: Vec<_> = pids.map(|pid| (pid, booted(now_ns))).collect();
    fleet.on_signs(&signs, now_ns);
}

/// `n` workers with pids from 100 that are ready, and a reload that has forked worker 200.
fn reloading(n: usize) -> Fleet {
    let mut fleet = fleet_of(n, 0);
    ready(&mut fleet, 100..100 + n as i32, S);
    assert_eq!(fleet.on_reload(Strategy::Ready, 2 * S), vec![]);
    assert_eq!(fleet.balance(2 * S), vec![Action::Spawn], "one proves that the code boots");
    fork_all(&mut fleet, 1, 200, 2 * S);
    assert_eq!(fleet.balance(2 * S), vec![]);
    fleet
}

#[test]
fn one_goes_ahead_the_others_follow_the_old_ones_leave_last() {
    let mut fleet = reloading(3);
    assert!(fleet.sleep_ns(2 * S) < S / 10, "it looks often");
    ready(&mut fleet, 200..201, 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![Action::Spawn; 2]);
    fork_all(&mut fleet, 2, 201, 3 * S);
    ready(&mut fleet, 200..202, 4 * S);
    assert_eq!(fleet.balance(4 * S), vec![]);
    ready(&mut fleet, 200..203, 5 * S);
    let mut expected = vec![Action::Reloaded];
    expected.extend((100..103).map(|pid| kill(pid, Sig::Term)));
    assert_eq!(fleet.balance(5 * S), expected);
    assert_eq!(fleet.sleep_ns(5 * S), TICK_NS);
}

#[test]
fn one_that_ends_before_it_is_ready_ends_the_reload() {
    for exit in [Exit::Code(3), Exit::Code(4), Exit::Code(0), Exit::Code(255), Exit::Signal(11)] {
        let mut fleet = reloading(2);
        ready(&mut fleet, 200..201, 3 * S);
        fleet.balance(3 * S);
        fork_all(&mut fleet, 1, 201, 3 * S);
        let actions = fleet.on_exited(201, exit, 4 * S);
        let end = [
            Action::ReloadFailed { pid: Some(201), stay: 0 },
            kill(200, Sig::Term),
            Action::ChildExit { pid: 201 },
        ];
        assert!(actions.ends_with(&end), "{exit:?}: {actions:?}");
        assert_eq!(fleet.count(Duty::Serving), 2);
        assert_eq!(fleet.balance(4 * S), vec![], "nothing is missing");
        // The next one counts again.
        fleet.on_reload(Strategy::Ready, 5 * S);
        assert_eq!(fleet.balance(5 * S), vec![Action::Spawn]);
    }
}

#[test]
fn one_that_ends_after_it_was_ready_is_replaced() {
    let mut fleet = reloading(2);
    ready(&mut fleet, 200..201, 3 * S);
    assert_eq!(fleet.on_exited(200, Exit::Code(0), 9 * S), vec![Action::ChildExit { pid: 200 }]);
    assert_eq!(fleet.balance(9 * S), vec![Action::Spawn; 2]);
}

#[test]
fn one_that_asks_for_a_halt_ends_the_reload_even_when_it_was_ready() {
    let mut fleet = reloading(2);
    ready(&mut fleet, 200..201, 3 * S);
    let actions = fleet.on_exited(200, Exit::Code(3), 4 * S);
    assert!(actions.contains(&Action::ReloadFailed { pid: Some(200), stay: 0 }), "{actions:?}");
}

#[test]
fn old_ones_that_end_meanwhile_have_successors_at_once() {
    let mut fleet = reloading(3);
    fleet.on_exited(100, Exit::Signal(9), 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![], "the one that goes ahead takes its place");
    fleet.on_exited(101, Exit::Code(3), 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![Action::Spawn]);
    fork_all(&mut fleet, 1, 201, 3 * S);
    fleet.on_exited(102, Exit::Code(0), 3 * S);
    assert_eq!(fleet.balance(3 * S), vec![Action::Spawn]);
}

#[test]
fn a_reload_that_fails_with_nobody_left_forks_the_old_ones_and_may_halt() {
    let mut fleet = reloading(1);
    fleet.on_exited(100, Exit::Signal(9), 3 * S);
    fleet.on_exited(200, Exit::Code(3), 4 * S);
    assert_eq!(fleet.balance(4 * S), vec![Action::Spawn], "no pause while nobody serves");
    fork_all(&mut fleet, 1, 201, 4 * S);
    let actions = fleet.on_exited(201, Exit::Code(3), 5 * S);
    assert!(matches!(actions[..], [_, Action::Halt { code: 3, .. }]), "{actions:?}");
}

#[test]
fn the_latest_reload_counts_and_processes_do_not_pile_up() {
    let mut fleet = reloading(2);
    for pid in 201..203 {
        assert_eq!(fleet.on_reload(Strategy::Ready, 3 * S), vec![kill(pid - 1, Sig::Term)]);
        // A place is taken as long as somebody imports in it.
        let spawns = fleet.balance(3 * S);
        assert_eq!(spawns.len(), usize::from(pid == 201));
        fork_all(&mut fleet, spawns.len(), pid, 3 * S);
    }
    fleet.on_exited(200, Exit::Code(0), 4 * S);
    assert_eq!(fleet.balance(4 * S), vec![Action::Spawn]);
}

#[test]
fn patience_has_an_end() {
    let mut fleet = reloading(2);
    assert_eq!(fleet.on_tick(601 * S, &[]), vec![]);
    let actions = fleet.on_tick(602 * S, &[]);
    assert_eq!(actions, vec![Action::ReloadFailed { pid: None, stay: 0 }, kill(200, Sig::Term)]);
}

#[test]
fn a_fork_that_fails_ends_a_reload_and_nothing_else() {
    assert_eq!(fleet_of(1, 0).on_spawn_failed(false, S), vec![]);
    let mut fleet = reloading(1);
    assert_eq!(fleet.on_spawn_failed(false, 3 * S)[0], Action::ReloadFailed { pid: None, stay: 0 });
}

#[test]
fn a_new_one_that_somebody_else_waited_for_ends_the_reload() {
    let mut fleet = reloading(1);
    assert_eq!(fleet.on_vanished(100, 3 * S), vec![]);
    assert_eq!(
        fleet.on_vanished(200, 3 * S),
        vec![Action::ReloadFailed { pid: Some(200), stay: 0 }]
    );
}

#[test]
pub(super) fn ready_is_who_beats_after_it_has_booted() {
    let is_ready = |signs: Signs, now_ns: u64| {
        let mut fleet = reloading(1);
        fleet.on_signs(&[(200, signs)], 2 * S);
        fleet.on_signs(&[(200, signs)], now_ns);
        fleet.balance(now_ns).contains(&Action::Reloaded)
    };
    let at = |booted, beat| Signs { booted_ns: booted, beat_ns: beat, wish: None };
    assert!(!is_ready(at(None, None), 500 * S));
    assert!(is_ready(at(Some(3 * S), Some(3 * S)), 3 * S));
    assert!(!is_ready(at(Some(3 * S), Some(2 * S)), 3 * S), "it beat while it was booting");
    assert!(!is_ready(at(Some(3 * S), None), 302 * S), "no loop yet, or none that beats");
    assert!(is_ready(at(Some(3 * S), None), 303 * S));
    assert!(!is_ready(at(None, Some(2 * S)), 6 * S));
    assert!(is_ready(at(None, Some(2 * S)), 7 * S), "a class that never says that it has booted");
}

#[test]
fn old_ones_keep_their_own_timeout() {
    let mut fleet = fleet_of(1, 0);
    fleet.set_limits(Limits { timeout_ns: S, graceful_ns: S, boot_ns: 0 });
    for second in 1..=30 {
        assert_eq!(fleet.on_tick(second * S, &[(100, 0)]), vec![], "{second}");
    }
    assert!(!fleet.on_tick(31 * S, &[(100, 0)]).is_empty());
}

#[test]
fn boot_failures_halt_only_while_the_server_boots_or_when_nobody_serves() {
    let mut fleet = fleet_of(2, 0);
    ready(&mut fleet, 100..101, S);
    assert!(
        matches!(fleet.on_exited(101, Exit::Code(4), S)[..], [_, Action::Halt { code: 4, .. }]),
        "not all of the first were ready"
    );

    let mut fleet = fleet_of(2, 0);
    ready(&mut fleet, 100..102, S);
    fleet.on_exited(101, Exit::Code(0), 5 * S);
    let (mut now_ns, mut pauses) = (5 * S, Vec::new());
    for pid in 200..207 {
        assert_eq!(fleet.balance(now_ns), vec![Action::Spawn]);
        fork_all(&mut fleet, 1, pid, now_ns);
        let actions = fleet.on_exited(pid, Exit::Code(3), now_ns);
        let [_, Action::RetryBoot { pause_ns, .. }, Action::ChildExit { .. }] = actions[..] else {
            panic!("{actions:?}")
        };
        assert_eq!(fleet.balance(now_ns + pause_ns - 1), vec![]);
        pauses.push(pause_ns / S);
        now_ns += pause_ns;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32]);
    fleet.on_exited(100, Exit::Signal(11), now_ns);
    assert_eq!(fleet.balance(now_ns).len(), 2, "no pause when nobody serves");
    fork_all(&mut fleet, 2, 300, now_ns);
    let actions = fleet.on_exited(300, Exit::Code(3), now_ns);
    assert!(matches!(actions[..], [_, Action::Halt { code: 3, .. }]), "{actions:?}");
}

#[test]
fn a_worker_that_is_ready_ends_the_pauses() {
    let mut fleet = fleet_of(2, 0);
    ready(&mut fleet, 100..102, S);
    fleet.on_exited(101, Exit::Code(0), 5 * S);
    fleet.balance(5 * S);
    fork_all(&mut fleet, 1, 200, 5 * S);
    fleet.on_exited(200, Exit::Code(3), 5 * S);
    fleet.set_target(3);
    assert_eq!(fleet.balance(6 * S), vec![Action::Spawn; 2]);
    fork_all(&mut fleet, 1, 201, 6 * S);
    ready(&mut fleet, 201..202, 6 * S);
    let actions = fleet.on_exited(201, Exit::Code(3), 7 * S);
    assert!(actions.contains(&Action::RetryBoot { pid: 201, pause_ns: S }), "{actions:?}");
}
