//! The number of workers under load, in a simulation ([`Site`]), and who is dismissed.

use proptest::prelude::*;

use super::scale::{Gauge, Range, Scaler};
use super::test_site::{RANGE, SECOND_NS, Site};
use super::{Action, Fleet, Limits, Sig, Signs};

#[test]
fn a_steady_load_finds_its_number_and_stays_there() {
    let mut site = Site::new(RANGE, 3, true);
    site.run(600, |_| 20.0);
    // 20 threads are 60 % of 33.
    assert!((7..=9).contains(&site.target), "{}", site.target);
    assert!(site.ups <= 3 && site.downs == 0, "{} {}", site.ups, site.downs);
    assert_eq!(site.waiting, 0);
    let (ups, downs) = (site.ups, site.downs);
    site.run(3600, |second| 20.0 + (second % 3) as f64 - 1.0);
    assert_eq!((site.ups, site.downs), (ups, downs));
}

#[test]
fn people_who_wait_are_answered_within_seconds() {
    for tells in [true, false] {
        let mut site = Site::new(RANGE, 2, tells);
        site.run(300, |_| 1.0);
        assert_eq!(site.target, RANGE.min);
        site.run(60, |_| 50.0);
        assert_eq!(site.waiting, 0);
        // Three steps from 2 to 16, each with its boot; unseen waiting takes a window more.
        assert!(site.longest_s <= if tells { 13 } else { 22 }, "{tells} {}", site.longest_s);
    }
}

#[test]
fn a_crowd_beyond_all_measure_stays_within_the_range() {
    let mut site = Site::new(RANGE, 2, true);
    site.run(300, |_| 100_000.0);
    assert_eq!(site.target, RANGE.max);
    assert_eq!(site.ups, 3);
}

#[test]
fn a_night_brings_it_down_one_by_one() {
    let mut site = Site::new(RANGE, 2, true);
    site.run(120, |_| 50.0);
    assert_eq!(site.target, RANGE.max);
    let before = site.target;
    site.run(25, |_| 0.5);
    assert_eq!(site.target, before);
    site.run(60 * 60, |_| 0.5);
    assert_eq!((site.target, site.downs), (RANGE.min, RANGE.max - RANGE.min));
    // And it stays down.
    let ups = site.ups;
    site.run(8 * 3600, |second| if second % 60 == 0 { 2.0 } else { 0.1 });
    assert_eq!((site.target, site.ups), (RANGE.min, ups));
}

#[test]
fn bursts_keep_what_they_need() {
    let mut site = Site::new(RANGE, 2, true);
    // Three seconds of each twenty.
    let wanted = |second: u64| if second % 20 < 3 { 30.0 } else { 1.0 };
    site.run(400, wanted);
    let (ups, downs) = (site.ups, site.downs);
    site.run(4000, wanted);
    assert_eq!((site.ups, site.downs), (ups, downs));
}

#[test]
fn a_sawtooth_tires_it() {
    let mut site = Site::new(RANGE, 2, true);
    // Two minutes up, two minutes down.
    let wanted = |second: u64| if second % 240 < 120 { 30.0 } else { 1.0 };
    site.run(3600, wanted);
    let early = site.ups + site.downs;
    site.run(3600, wanted);
    let late = site.ups + site.downs - early;
    assert!(late <= 2, "{early} changes in the first hour, {late} in the second");
}

#[test]
fn a_load_around_one_worker_does_not_flap_at_the_minimum() {
    let range = Range { min: 1, max: 4, threads: 1, ..RANGE };
    let mut site = Site::new(range, 2, true);
    let wanted = |second: u64| if second % 90 < 10 { 0.9 } else { 0.2 };
    site.run(2 * 3600, wanted);
    let before = site.ups + site.downs;
    site.run(2 * 3600, wanted);
    let changes = site.ups + site.downs - before;
    assert!(changes <= 2, "{changes}");
}

#[test]
fn workers_that_boot_for_long_are_waited_for() {
    let mut site = Site::new(RANGE, 60, true);
    site.run(59, |_| 9.0);
    assert_eq!((site.ups, site.target), (1, 4));
    site.run(300, |_| 9.0);
    assert_eq!(site.ups, 1);
}

#[test]
fn successors_do_not_count_backwards() {
    let mut site = Site::new(RANGE, 0, true);
    for _ in 0..300 {
        site.second(4.8);
        // The oldest is replaced: its successor begins at 0.
        site.workers.remove(0);
        site.spawn();
    }
    assert_eq!((site.ups, site.downs), (0, 0));
}

#[test]
fn a_worker_in_a_long_request_stays() {
    let mut site = Site::new(RANGE, 0, true);
    site.run(120, |_| 20.0);
    let many = site.target;
    site.workers[0].endless = true;
    site.workers[2].endless = true;
    site.run(3600, |_| 0.0);
    assert_eq!(site.target, RANGE.min);
    assert!(site.workers.iter().all(|it| it.endless), "the wrong ones left of {many}");
    // When all are in one, none leaves.
    let mut site = Site::new(RANGE, 0, true);
    site.run(120, |_| 20.0);
    let many = site.target;
    site.workers.iter_mut().for_each(|it| it.endless = true);
    site.run(3600, |_| 0.0);
    assert_eq!(site.target, many);
}

#[test]
fn a_number_set_by_hand_is_where_it_goes_on_from() {
    let mut site = Site::new(RANGE, 0, true);
    site.run(60, |_| 1.0);
    site.target = 5;
    site.spawn();
    site.run(29, |_| 1.0);
    assert_eq!(site.target, 5);
    site.run(10, |_| 1.0);
    assert_eq!(site.target, 4);
}

#[test]
fn a_machine_that_slept_proves_nothing() {
    let mut site = Site::new(RANGE, 0, true);
    site.run(120, |_| 20.0);
    let many = site.target;
    site.now_s += 8 * 3600;
    site.run(29, |_| 0.0);
    assert_eq!(site.target, many);
}

#[test]
fn reasons_are_the_end_of_a_log_line() {
    let mut site = Site::new(RANGE, 0, true);
    let said: Vec<_> = (0..200)
        .filter_map(|second| site.second(if second < 20 { 12.0 } else { 1.0 }))
        .map(|change| format!("{} {}", change.target, change.reason))
        .collect();
    assert_eq!(
        said,
        [
            "4 8.0 of 8 threads busy, 4 connections waiting",
            "3 at most 4.7 of 16 threads busy for 30 s",
            "2 at most 1.0 of 12 threads busy for 30 s",
        ]
    );
}

#[test]
fn without_a_word_of_waiting_the_reason_is_shorter() {
    let mut site = Site::new(RANGE, 0, false);
    let change = (0..9).find_map(|_| site.second(12.0)).unwrap();
    assert_eq!(change.reason.to_string(), "8.0 of 8 threads busy");
}

fn pattern() -> impl Strategy<Value = Vec<(u64, f64)>> {
    proptest::collection::vec((1..200_u64, 0.0..100.0_f64), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    /// The range is kept (`Site::second` checks each step), what is asked for is given in the end,
    /// and in the end nothing moves.
    #[test]
    fn whatever_comes(
        pattern in pattern(),
        (boot_s, tells, threads) in (0..20_u64, any::<bool>(), 1..9_usize),
        (min, more) in (1..5_usize, 0..12_usize),
        last in 0.0..40.0_f64,
    ) {
        let calm_ns = 5 * SECOND_NS;
        let range = Range { min, max: min + more, threads, calm_ns, ..RANGE };
        let mut site = Site::new(range, boot_s, tells);
        for (seconds, wanted) in pattern {
            site.run(seconds, |_| wanted);
        }
        site.run(2400, |_| last);
        let (ups, downs) = (site.ups, site.downs);
        site.run(600, |_| last);
        prop_assert_eq!((ups, downs), (site.ups, site.downs));
        let room = (site.target * threads) as f64;
        prop_assert!(last <= 0.76 * room || site.target == range.max, "{} of {}", last, room);
        prop_assert!(
            site.target == range.min || last > 0.49 * (room - threads as f64),
            "{last} of {room}"
        );
    }
}

#[test]
fn who_is_dismissed_leaves_and_has_no_successor() {
    let mut fleet = Fleet::new();
    fleet.set_limits(Limits { graceful_ns: 30 * SECOND_NS, ..Limits::default() });
    fleet.set_target(3);
    let mut now_ns = SECOND_NS;
    for pid in 1..=3 {
        let id = fleet.next_child();
        fleet.on_spawned(pid, id, now_ns);
    }
    let booted = Signs { booted_ns: Some(now_ns), beat_ns: Some(now_ns), wish: None };
    fleet.on_signs(&[(1, booted), (2, booted)], now_ns);
    assert_eq!(fleet.roster().collect::<Vec<_>>(), [(1, 1, true), (2, 2, true), (3, 3, false)]);
    fleet.set_target(2);
    assert_eq!(fleet.dismiss(2, now_ns), [Action::Kill { pid: 2, sig: Sig::Term }]);
    assert_eq!(fleet.dismiss(2, now_ns), []);
    assert_eq!(fleet.dismiss(99, now_ns), []);
    now_ns += SECOND_NS;
    assert_eq!(fleet.balance(now_ns), []);
    assert_eq!(fleet.roster().count(), 2);
}

fn idle(age: u64, ready: bool) -> Gauge {
    Gauge { pid: age as i32, age, ready, running: 0, running_ns: 0, busy_ns: 0 }
}

#[test]
fn samples_come_at_their_interval_and_never_twice_at_once() {
    let mut scaler = Scaler::new(RANGE);
    assert!(scaler.is_due(0));
    for now_ns in [5, 5] {
        assert!(scaler.observe(now_ns, 2, &[idle(1, true), idle(2, true)], 0).is_none());
    }
    assert!(!scaler.is_due(5 + SECOND_NS - 1));
    assert!(scaler.is_due(5 + SECOND_NS));
}

/// Nobody serves yet, or not all that should: the number says nothing, whoever waits.
#[test]
fn a_server_that_boots_or_lacks_somebody_stays_as_it_is() {
    for gauges in [vec![idle(1, false), idle(2, false)], vec![idle(1, true)]] {
        let mut scaler = Scaler::new(RANGE);
        for second in 0..300 {
            let waiting = if gauges.iter().any(|it| it.ready) { 0 } else { 9 };
            assert!(scaler.observe(second * SECOND_NS, 4, &gauges, waiting).is_none());
        }
    }
}

#[test]
fn a_server_that_stops_dismisses_nobody() {
    let mut fleet = Fleet::new();
    fleet.set_target(1);
    let id = fleet.next_child();
    fleet.on_spawned(7, id, 0);
    fleet.on_stop(super::Stop::Graceful, 0);
    assert!(fleet.dismiss(7, 0).is_empty());
}
