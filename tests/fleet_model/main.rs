//! Model test of the fleet: whatever happens, and in whatever order, no more workers serve than
//! were asked for, nobody is sent the same signal twice, and nobody is lost. A pending reload
//! touches nobody of the old generation, forks no more than the old and the new number together,
//! and ends. A worker that wants to be replaced, and each of a rolling reload, leaves when as many
//! others are ready as there should be, and costs one process more.
//!
//! The model is a toy machine: processes that live until they are killed or decide to end, and a
//! caller that performs the actions to the letter.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod events;
mod machine;
mod process;
mod replacement;

use std::collections::BTreeSet;

use events::{Event, event};
use machine::{Machine, SECOND_NS};
use proptest::prelude::*;
use rgunicorn::fleet::{Duty, Exit, Strategy as When};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_breaks_the_fleet(events in prop::collection::vec(event(), 0..80)) {
        let mut machine = Machine::new();
        for event in events {
            machine.apply(event);
        }
        machine.settle();
    }

    #[test]
    fn code_that_does_not_boot_costs_nobody(
        target in 1..5_usize,
        events in prop::collection::vec(
            prop_oneof![
                2 => Just(None),
                2 => (0..2 * SECOND_NS).prop_map(|ns| Some((ns, Exit::Code(0), 0))),
                6 => (
                    prop_oneof![
                        Just(Exit::Code(3)), Just(Exit::Code(4)), Just(Exit::Code(0)),
                        Just(Exit::Code(255)), Just(Exit::Signal(11)),
                    ],
                    0..8_usize,
                ).prop_map(|(exit, nth)| Some((0, exit, nth + 1))),
            ],
            0..60,
        ),
    ) {
        let mut machine = Machine::serving(target);
        let first: BTreeSet<i32> = machine.alive.keys().copied().collect();
        for event in events {
            for pid in &first {
                machine.alive.get_mut(pid).unwrap().beat_ns = Some(machine.now_ns + 4 * SECOND_NS);
            }
            match event {
                None => machine.apply(Event::Reload(When::Ready)),
                Some((pass_ns, _, 0)) => machine.turn(pass_ns),
                Some((_, exit, nth)) => {
                    let new = machine.alive.keys().copied().filter(|pid| !first.contains(pid));
                    if let Some(pid) = new.into_iter().nth(nth - 1) {
                        machine.end(pid, exit);
                    }
                }
            }
            machine.check();
        }
        prop_assert_eq!(machine.halts, 0);
        for pid in &first {
            let process = machine.alive.get(pid);
            prop_assert!(process.is_some_and(|it| it.received.is_empty()), "{} has left", pid);
        }
        let ready = machine.fleet.count(Duty::Serving) + machine.fleet.count(Duty::Outgoing);
        prop_assert!(ready >= target);
    }

    #[test]
    fn serving_never_exceeds_the_target_by_more_than_a_successor(
        events in prop::collection::vec(event(), 0..80),
    ) {
        let mut machine = Machine::new();
        for event in events {
            let turned = matches!(event, Event::Turn { .. });
            machine.apply(event);
            if turned && !machine.stopping && machine.halts == 0 {
                prop_assert!(machine.fleet.count(Duty::Serving) <= machine.target + 1);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn a_reload_whose_workers_hang_ends(target in 1..5_usize, boots in 0..5_usize) {
        let mut machine = Machine::serving(target);
        let first: Vec<i32> = machine.alive.keys().copied().collect();
        machine.apply(Event::Reload(When::Ready));
        for second in 0..1300 {
            if second == 5 {
                let new = machine.alive.iter_mut().filter(|(pid, _)| !first.contains(pid));
                for (_, process) in new.take(boots) {
                    process.booted_ns = Some(machine.now_ns);
                    process.beat_ns = Some(machine.now_ns);
                }
            }
            for process in machine.alive.values_mut().filter(|process| process.booted_ns.is_some())
            {
                process.beat_ns = Some(machine.now_ns + SECOND_NS);
            }
            machine.turn(SECOND_NS);
        }
        prop_assert!(machine.old.is_none(), "still pending");
        let done = boots > 0 && target == 1;
        prop_assert_eq!(machine.failed_reloads, usize::from(!done));
    }
}
