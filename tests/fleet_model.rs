//! Model test of the fleet: whatever happens, and in whatever order, no more workers serve than
//! were asked for, nobody is sent the same signal twice, and nobody is lost.
//!
//! The model is a toy machine: processes that live until they are killed or decide to end, and a
//! caller that performs the actions to the letter.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rgunicorn::fleet::{Action, Duty, Exit, Fleet, Limits, Sig, Stop};

const SECOND_NS: u64 = 1_000_000_000;
const LIMITS: Limits = Limits { timeout_ns: 3 * SECOND_NS, graceful_ns: 2 * SECOND_NS };

#[derive(Clone, Debug)]
enum Event {
    /// Time passes; the master looks at heartbeats and balances.
    Turn {
        pass_ns: u64,
    },
    Target(usize),
    Reload,
    /// The n-th living process ends by itself or by the signals it got.
    End {
        nth: usize,
        exit: Exit,
    },
    /// The n-th living process beats its heart.
    Beat {
        nth: usize,
    },
    Orphan {
        pid: i32,
    },
    Stop(Stop),
}

fn event() -> impl Strategy<Value = Event> {
    let exit = prop_oneof![
        6 => Just(Exit::Code(0)),
        2 => Just(Exit::Code(255)),
        1 => Just(Exit::Code(3)),
        1 => Just(Exit::Code(4)),
        2 => (1..65_i32).prop_map(Exit::Signal),
    ];
    prop_oneof![
        8 => (0..2 * SECOND_NS).prop_map(|pass_ns| Event::Turn { pass_ns }),
        1 => (4 * SECOND_NS..100 * SECOND_NS).prop_map(|pass_ns| Event::Turn { pass_ns }),
        3 => (0..8_usize).prop_map(Event::Target),
        2 => Just(Event::Reload),
        6 => (0..16_usize, exit).prop_map(|(nth, exit)| Event::End { nth, exit }),
        6 => (0..16_usize).prop_map(|nth| Event::Beat { nth }),
        1 => (1..1000_i32).prop_map(|pid| Event::Orphan { pid }),
        1 => prop_oneof![Just(Stop::Graceful), Just(Stop::Quick)].prop_map(Event::Stop),
    ]
}

#[derive(Default)]
struct Process {
    slot: usize,
    beat_ns: Option<u64>,
    received: Vec<Sig>,
}

struct Machine {
    fleet: Fleet,
    now_ns: u64,
    target: usize,
    next_pid: i32,
    last_age: u64,
    alive: BTreeMap<i32, Process>,
    halts: usize,
    stopping: bool,
}

impl Machine {
    fn new() -> Self {
        let mut fleet = Fleet::new();
        fleet.set_limits(LIMITS);
        Self {
            fleet,
            now_ns: SECOND_NS,
            target: 0,
            next_pid: 1000,
            last_age: 0,
            alive: BTreeMap::new(),
            halts: 0,
            stopping: false,
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Turn { pass_ns } => self.turn(pass_ns),
            Event::Target(target) => {
                self.target = target;
                self.fleet.set_target(target);
            }
            Event::Reload => self.fleet.on_reload(),
            Event::End { nth, exit } => {
                if let Some(pid) = self.nth_pid(nth) {
                    self.end(pid, exit);
                }
            }
            Event::Beat { nth } => {
                if let Some(pid) = self.nth_pid(nth) {
                    self.alive.get_mut(&pid).unwrap().beat_ns = Some(self.now_ns);
                }
            }
            Event::Orphan { pid } => {
                let actions = self.fleet.on_exited(pid, Exit::Code(3), self.now_ns);
                assert_eq!(actions, vec![Action::Unknown { pid }]);
            }
            Event::Stop(stop) => {
                self.stopping = true;
                let actions = self.fleet.on_stop(stop, self.now_ns);
                self.perform(actions);
            }
        }
        self.check();
    }

    fn turn(&mut self, pass_ns: u64) {
        self.now_ns += pass_ns;
        let beats: Vec<(i32, u64)> =
            self.alive.iter().filter_map(|(pid, process)| Some((*pid, process.beat_ns?))).collect();
        let actions = self.fleet.on_tick(self.now_ns, &beats);
        self.perform(actions);
        let actions = self.fleet.balance(self.now_ns);
        self.perform(actions);
    }

    fn end(&mut self, pid: i32, exit: Exit) {
        self.alive.remove(&pid);
        let actions = self.fleet.on_exited(pid, exit, self.now_ns);
        let boot_failure = matches!(exit, Exit::Code(3 | 4));
        assert_eq!(
            actions.contains(&Action::ChildExit { pid }),
            !boot_failure,
            "child_exit runs once for every worker that did not fail to boot"
        );
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Spawn => self.spawn(),
                Action::Kill { pid, sig } => self.signal(pid, sig),
                Action::Halt { .. } => self.halts += 1,
                Action::Unknown { pid } => panic!("{pid} was known"),
                Action::ReportCode { .. }
                | Action::ReportSignal { .. }
                | Action::ReportTimeout { .. }
                | Action::ChildExit { .. } => {}
            }
        }
    }

    fn spawn(&mut self) {
        assert!(!self.stopping && self.halts == 0, "spawned while ending");
        let id = self.fleet.next_child();
        assert!(id.age > self.last_age, "ages grow");
        assert!(self.alive.values().all(|process| process.slot != id.slot), "slot shared");
        assert!(id.slot <= self.alive.len(), "a lower slot was free");
        self.last_age = id.age;
        self.next_pid += 1;
        self.fleet.on_spawned(self.next_pid, id, self.now_ns);
        self.alive.insert(self.next_pid, Process { slot: id.slot, ..Process::default() });
    }

    fn signal(&mut self, pid: i32, sig: Sig) {
        let process = self.alive.get_mut(&pid).expect("a signal for a process that is gone");
        assert!(!process.received.contains(&Sig::Kill), "{sig:?} after SIGKILL");
        assert!(!process.received.contains(&sig), "{sig:?} twice");
        process.received.push(sig);
    }

    fn check(&self) {
        let mut known: Vec<i32> = self.fleet.pids().collect();
        known.sort_unstable();
        assert_eq!(known, self.alive.keys().copied().collect::<Vec<_>>(), "lost or invented");
        assert!(self.halts <= 1, "halted twice");
        assert!(self.fleet.sleep_ns(self.now_ns) <= SECOND_NS, "the master sleeps too long");
    }

    fn nth_pid(&self, nth: usize) -> Option<i32> {
        self.alive.keys().nth(nth).copied()
    }

    /// After a quiet while the fleet is what was asked for and the deadlines have done their work.
    fn settle(&mut self) {
        for _ in 0..8 {
            for process in self.alive.values_mut() {
                process.beat_ns = Some(self.now_ns + SECOND_NS);
            }
            self.turn(SECOND_NS);
            let killed: Vec<i32> = self
                .alive
                .iter()
                .filter(|(_, process)| process.received.contains(&Sig::Kill))
                .map(|(pid, _)| *pid)
                .collect();
            for pid in killed {
                self.end(pid, Exit::Signal(9));
            }
            self.check();
        }
        if self.stopping {
            assert!(self.alive.is_empty(), "a stop leaves nobody");
            assert!(self.fleet.is_settled(self.now_ns));
        } else if self.halts == 0 {
            assert_eq!(self.alive.len(), self.target, "neither more nor fewer than asked for");
            assert_eq!(self.fleet.count(Duty::Serving), self.target);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_breaks_the_fleet(events in prop::collection::vec(event(), 0..80)) {
        let mut machine = Machine::new();
        for event in events {
            machine.apply(event);
        }
        machine.settle();
    }

    #[test]
    fn serving_never_exceeds_the_target_after_a_turn(
        events in prop::collection::vec(event(), 0..80),
    ) {
        let mut machine = Machine::new();
        for event in events {
            let turned = matches!(event, Event::Turn { .. });
            machine.apply(event);
            if turned && !machine.stopping && machine.halts == 0 {
                prop_assert!(machine.fleet.count(Duty::Serving) <= machine.target);
            }
        }
    }
}
