//! Model test of the fleet: whatever happens, and in whatever order, no more workers serve than
//! were asked for, nobody is sent the same signal twice, and nobody is lost. A pending reload
//! touches nobody of the old generation, forks no more than the old and the new number together,
//! and ends. A worker that wants to be replaced, and each of a rolling reload, leaves when as many
//! others are ready as there should be, and costs one process more.
//!
//! The model is a toy machine: processes that live until they are killed or decide to end, and a
//! caller that performs the actions to the letter.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rgunicorn::fleet::{
    Action, Duty, Exit, Fleet, Limits, Sig, Signs, Stop, Strategy as When, Wish,
};

const SECOND_NS: u64 = 1_000_000_000;
const LIMITS: Limits =
    Limits { timeout_ns: 3 * SECOND_NS, graceful_ns: 2 * SECOND_NS, boot_ns: 90 * SECOND_NS };

#[derive(Clone, Debug)]
enum Event {
    /// Time passes; the master looks at heartbeats and balances.
    Turn {
        pass_ns: u64,
    },
    Target(usize),
    Reload(When),
    /// The n-th living process says that it has booted.
    Boot {
        nth: usize,
    },
    /// The n-th living process ends by itself or by the signals it got.
    End {
        nth: usize,
        exit: Exit,
    },
    /// The n-th living process beats its heart.
    Beat {
        nth: usize,
    },
    /// The n-th living process asks to be replaced.
    Wish {
        nth: usize,
        wish: Wish,
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
        2 => Just(Event::Reload(When::Ready)),
        1 => Just(Event::Reload(When::Rolling)),
        1 => Just(Event::Reload(When::Forked)),
        3 => (0..16_usize).prop_map(|nth| Event::Wish { nth, wish: Wish::Successor }),
        1 => (0..16_usize).prop_map(|nth| Event::Wish { nth, wish: Wish::Departure }),
        8 => (0..16_usize).prop_map(|nth| Event::Boot { nth }),
        6 => (0..16_usize, exit).prop_map(|(nth, exit)| Event::End { nth, exit }),
        6 => (0..16_usize).prop_map(|nth| Event::Beat { nth }),
        1 => (1..1000_i32).prop_map(|pid| Event::Orphan { pid }),
        1 => prop_oneof![Just(Stop::Graceful), Just(Stop::Quick)].prop_map(Event::Stop),
    ]
}

#[derive(Default)]
struct Process {
    slot: usize,
    booted_ns: Option<u64>,
    beat_ns: Option<u64>,
    aborted_ns: Option<u64>,
    received: Vec<Sig>,
    wish: Option<Wish>,
}

impl Process {
    fn is_ready(&self) -> bool {
        self.booted_ns.is_some() && self.beat_ns >= self.booted_ns
    }

    /// Whether the fleet may take it for ready: one sign alone is believed after a while.
    fn seems_ready(&self) -> bool {
        self.booted_ns.is_some() || self.beat_ns.is_some()
    }

    fn was_told_to_leave(&self) -> bool {
        self.received.iter().any(|sig| *sig != Sig::Abrt)
    }

    /// To leave; or it was aborted and has not beaten its heart since.
    fn was_told(&self) -> bool {
        let stuck = self.aborted_ns.is_some() && self.beat_ns <= self.aborted_ns;
        stuck || self.received.iter().any(|sig| *sig != Sig::Abrt)
    }
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
    /// The old generation of a pending reload, as long as it lives.
    old: Option<BTreeSet<i32>>,
    failed_reloads: usize,
    /// As many were ready as asked for.
    booted: bool,
    /// The old generation of a pending rolling reload.
    rolling: Option<BTreeSet<i32>>,
    /// What is being done is about generations as a whole.
    generations: bool,
    /// A reload after Gunicorn's manner is pending.
    forked: bool,
    /// There were to be fewer workers once.
    shrunk: bool,
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
            old: None,
            failed_reloads: 0,
            booted: false,
            rolling: None,
            generations: false,
            forked: false,
            shrunk: false,
        }
    }

    /// With `target` workers that serve.
    fn serving(target: usize) -> Self {
        let mut machine = Self::new();
        machine.apply(Event::Target(target));
        machine.turn(SECOND_NS);
        machine.boot_all();
        machine.turn(SECOND_NS);
        machine
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Turn { pass_ns } => self.turn(pass_ns),
            Event::Target(target) => {
                self.shrunk |= target < self.target;
                self.target = target;
                self.fleet.set_target(target);
            }
            Event::Reload(when) => self.reload(when),
            Event::Boot { nth } => {
                if let Some(pid) = self.nth_pid(nth) {
                    let process = self.alive.get_mut(&pid).unwrap();
                    process.booted_ns.get_or_insert(self.now_ns);
                }
            }
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
            Event::Wish { nth, wish } => {
                if let Some(pid) = self.nth_pid(nth) {
                    let process = self.alive.get_mut(&pid).unwrap();
                    process.wish = process.wish.max(Some(wish));
                }
            }
            Event::Orphan { pid } => {
                let actions = self.fleet.on_exited(pid, Exit::Code(3), self.now_ns);
                assert_eq!(actions, vec![Action::Unknown { pid }]);
            }
            Event::Stop(stop) => {
                self.stopping = true;
                self.old = None;
                self.rolling = None;
                let actions = self.fleet.on_stop(stop, self.now_ns);
                self.perform(actions);
            }
        }
        self.check();
    }

    fn reload(&mut self, when: When) {
        let ending = self.stopping || self.halts > 0;
        let actions = self.fleet.on_reload(when, self.now_ns);
        let on_duty = || {
            // What the reload itself tells to leave is not of the old generation.
            let told = |pid: &i32| {
                actions
                    .iter()
                    .any(|it| matches!(it, Action::Kill { pid: other, .. } if other == pid))
            };
            let alive = self.alive.iter();
            let serving = alive.filter(|(pid, process)| {
                let received = &process.received;
                !received.contains(&Sig::Term) && !received.contains(&Sig::Quit) && !told(pid)
            });
            serving.map(|(pid, _)| *pid).collect::<BTreeSet<i32>>()
        };
        self.forked &= ending;
        match when {
            _ if ending => {}
            When::Ready if self.old.is_none() => {
                self.old = Some(on_duty());
                self.rolling = None;
            }
            When::Ready => {}
            When::Rolling => {
                self.rolling = Some(on_duty());
                self.old = None;
            }
            When::Forked => {
                self.forked = true;
                self.old = None;
                self.rolling = None;
            }
        }
        self.generations = true;
        self.perform(actions);
    }

    fn boot_all(&mut self) {
        for process in self.alive.values_mut() {
            process.booted_ns.get_or_insert(self.now_ns);
            process.beat_ns = Some(self.now_ns + SECOND_NS);
        }
    }

    fn report_signs(&mut self) {
        let signs: Vec<(i32, Signs)> = self
            .alive
            .iter()
            .map(|(pid, process)| {
                let Process { booted_ns, beat_ns, wish, .. } = *process;
                (*pid, Signs { booted_ns, beat_ns, wish })
            })
            .collect();
        self.fleet.on_signs(&signs, self.now_ns);
        let ready = self.alive.values().filter(|process| process.is_ready()).count();
        self.booted |= self.target > 0 && ready >= self.target;
    }

    fn turn(&mut self, pass_ns: u64) {
        self.now_ns += pass_ns;
        self.report_signs();
        let beats: Vec<(i32, u64)> =
            self.alive.iter().filter_map(|(pid, process)| Some((*pid, process.beat_ns?))).collect();
        let actions = self.fleet.on_tick(self.now_ns, &beats);
        self.perform(actions);
        let actions = self.fleet.balance(self.now_ns);
        self.perform(actions);
    }

    fn end(&mut self, pid: i32, exit: Exit) {
        self.report_signs();
        self.alive.remove(&pid);
        for old in [&mut self.old, &mut self.rolling].into_iter().flatten() {
            old.remove(&pid);
        }
        let ending = self.stopping || self.halts > 0;
        let actions = self.fleet.on_exited(pid, exit, self.now_ns);
        let halts = actions.iter().any(|action| matches!(action, Action::Halt { .. }));
        let boot_failure = matches!(exit, Exit::Code(3 | 4));
        assert_eq!(
            actions.contains(&Action::ChildExit { pid }),
            !boot_failure || !ending && !halts,
            "child_exit runs for every worker, except those whose failure ends the server"
        );
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Spawn => self.spawn(),
                Action::Kill { pid, sig } => self.signal(pid, sig),
                Action::Halt { .. } => {
                    self.halts += 1;
                    let serves = |process: &Process| process.is_ready() && !process.was_told();
                    assert!(
                        !self.booted || !self.alive.values().any(serves),
                        "halted while somebody serves"
                    );
                }
                Action::Reloaded => {
                    self.generations = true;
                    self.forked = false;
                    if let Some(old) = self.rolling.take() {
                        let left = old.iter().filter(|pid| !self.alive[pid].was_told()).count();
                        assert_eq!(left, 0, "old ones are left");
                    }
                    if let Some(old) = self.old.take() {
                        let new = self.alive.iter().filter(|(pid, process)| {
                            !old.contains(pid) && process.seems_ready() && !process.was_told()
                        });
                        assert!(new.count() >= self.target, "successors are missing");
                    }
                }
                Action::ReloadFailed { .. } => {
                    self.generations = true;
                    self.failed_reloads += 1;
                    let pending = self.old.take().or_else(|| self.rolling.take());
                    assert!(pending.is_some(), "no reload was pending");
                }
                Action::Unknown { pid } => panic!("{pid} was known"),
                Action::ReportCode { .. }
                | Action::ReportSignal { .. }
                | Action::ReportTimeout { .. }
                | Action::ReportHang { .. }
                | Action::RetryBoot { .. }
                | Action::RetryFork { .. }
                | Action::BackOff { .. }
                | Action::ChildExit { .. } => {}
            }
        }
        self.generations = false;
    }

    fn spawn(&mut self) {
        assert!(!self.stopping && self.halts == 0, "spawned while ending");
        let id = self.fleet.next_child();
        assert!(id.age > self.last_age, "ages grow");
        assert!(self.alive.values().all(|process| process.slot != id.slot), "slot shared");
        assert!(id.slot <= self.alive.len(), "a lower slot was free");
        if let Some(old) = &self.old {
            // Those that were ready and are on their way out have been workers of a reload that
            // was superseded; how long they take is up to their requests.
            let young = self.alive.iter().filter(|(pid, process)| {
                !old.contains(pid) && (!process.seems_ready() || !process.was_told())
            });
            assert!(young.count() < self.target, "too many processes");
        } else if !self.forked {
            let on_duty = self.alive.values().filter(|it| !it.was_told_to_leave()).count();
            let leaver = self.alive.iter().any(|(pid, it)| {
                let old = self.rolling.as_ref().is_some_and(|old| old.contains(pid));
                !it.was_told_to_leave() && (old || it.wish.is_some() || self.failed_reloads > 0)
            });
            assert!(on_duty < self.target + usize::from(leaver), "too many processes");
        }
        self.last_age = id.age;
        self.next_pid += 1;
        self.fleet.on_spawned(self.next_pid, id, self.now_ns);
        self.alive.insert(self.next_pid, Process { slot: id.slot, ..Process::default() });
    }

    fn signal(&mut self, pid: i32, sig: Sig) {
        let process = self.alive.get(&pid).expect("a signal for a process that is gone");
        assert!(!process.received.contains(&Sig::Kill), "{sig:?} after SIGKILL");
        assert!(!process.received.contains(&sig), "{sig:?} twice");
        if matches!(sig, Sig::Term | Sig::Quit) {
            let old = self.old.as_ref().is_some_and(|old| old.contains(&pid));
            let urgent = process.wish == Some(Wish::Departure);
            assert!(!old || urgent, "the old generation serves until the reload is done");
            let wishes = process.wish == Some(Wish::Successor)
                || self.rolling.as_ref().is_some_and(|old| old.contains(&pid));
            if wishes && !urgent && !self.stopping && self.old.is_none() && !self.generations {
                let others = |test: fn(&Process) -> bool| {
                    let alive = self.alive.iter();
                    alive.filter(|(other, it)| **other != pid && test(it)).count()
                };
                let excess = others(|it| !it.was_told_to_leave()) >= self.target;
                let ready = others(|it| it.seems_ready() && !it.was_told()) >= self.target;
                let missed = self.failed_reloads > 0 || self.shrunk;
                let idle = !process.is_ready();
                assert!(excess && (idle || ready || missed), "it left too early");
            }
        }
        let process = self.alive.get_mut(&pid).unwrap();
        process.received.push(sig);
        if sig == Sig::Abrt {
            process.aborted_ns = Some(self.now_ns);
        }
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
        // Past the longest pause after workers that failed to boot.
        self.boot_all();
        self.turn(40 * SECOND_NS);
        // One is replaced after the other, each with its deadline.
        for round in 0..100 {
            let idle = self.old.is_none() && self.rolling.is_none();
            let asks = |it: &Process| it.wish.is_some() || it.was_told();
            let settled = self.stopping || idle && !self.alive.values().any(asks);
            if round > 8 && (self.halts > 0 || settled) {
                break;
            }
            self.boot_all();
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
            assert!(self.old.is_none() && self.rolling.is_none(), "the reload is still pending");
            assert_eq!(self.alive.len(), self.target, "neither more nor fewer than asked for");
            assert_eq!(self.fleet.count(Duty::Serving), self.target);
        }
    }
}

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
