//! Replacements alone, one at a time: nobody goes before a successor is ready.

use proptest::prelude::*;
use rgunicorn::fleet::{Exit, Sig, Strategy as When, Wish};

use crate::events::Event;
use crate::machine::{Machine, SECOND_NS};
use crate::process::Process;

/// Nothing but replacements: what may happen to workers that are replaced, and to their successors.
#[derive(Clone, Debug)]
enum Step {
    Turn {
        pass_ns: u64,
    },
    Wish {
        nth: usize,
    },
    Roll,
    /// The n-th that boots is ready.
    Ready {
        nth: usize,
    },
    /// The n-th that boots ends so.
    Fail {
        nth: usize,
        exit: Exit,
    },
    /// The n-th that was told to leave does.
    Leave {
        nth: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let exit = prop_oneof![
        Just(Exit::Code(3)),
        Just(Exit::Code(4)),
        Just(Exit::Code(255)),
        Just(Exit::Signal(11)),
    ];
    prop_oneof![
        6 => (0..2 * SECOND_NS).prop_map(|pass_ns| Step::Turn { pass_ns }),
        4 => (0..8_usize).prop_map(|nth| Step::Wish { nth }),
        1 => Just(Step::Roll),
        5 => (0..4_usize).prop_map(|nth| Step::Ready { nth }),
        2 => (0..4_usize, exit).prop_map(|(nth, exit)| Step::Fail { nth, exit }),
        4 => (0..4_usize).prop_map(|nth| Step::Leave { nth }),
    ]
}

impl Machine {
    /// The n-th process of those that pass the test.
    fn nth_of(&self, nth: usize, test: fn(&Process) -> bool) -> Option<i32> {
        self.alive.iter().filter(|(_, it)| test(it)).map(|(pid, _)| *pid).nth(nth)
    }

    fn step(&mut self, step: Step) {
        let boots = |it: &Process| !it.is_ready() && !it.was_told();
        match step {
            Step::Turn { pass_ns } => {
                for process in self.alive.values_mut().filter(|it| it.booted_ns.is_some()) {
                    process.beat_ns = Some(self.now_ns + pass_ns);
                }
                self.turn(pass_ns);
            }
            Step::Wish { nth } => self.apply(Event::Wish { nth, wish: Wish::Successor }),
            Step::Roll => self.apply(Event::Reload(When::Rolling)),
            Step::Ready { nth } => {
                if let Some(pid) = self.nth_of(nth, boots) {
                    let process = self.alive.get_mut(&pid).unwrap();
                    process.booted_ns = Some(self.now_ns);
                    process.beat_ns = Some(self.now_ns);
                }
            }
            Step::Fail { nth, exit } => {
                if let Some(pid) = self.nth_of(nth, boots) {
                    self.end(pid, exit);
                }
            }
            Step::Leave { nth } => {
                if let Some(pid) = self.nth_of(nth, Process::was_told) {
                    self.end(pid, Exit::Code(0));
                }
            }
        }
        self.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_replacement_costs_no_service_and_one_process(
        target in 1..5_usize,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut machine = Machine::serving(target);
        for step in steps {
            machine.step(step);
            let serving = machine.alive.values().filter(|it| it.is_ready() && !it.was_told());
            prop_assert!(serving.count() >= target, "service has shrunk");
            // Those that were killed are gone as soon as the kernel is done with them.
            let alive = machine.alive.values().filter(|it| !it.received.contains(&Sig::Kill));
            prop_assert!(alive.count() <= target + 1, "too many processes");
            prop_assert_eq!(machine.halts, 0);
        }
    }
}
