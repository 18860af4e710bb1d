//! The toy machine.

use std::collections::{BTreeMap, BTreeSet};

use rgunicorn::fleet::{Action, Duty, Exit, Fleet, Limits, Sig, Signs, Strategy as When, Wish};

use crate::events::Event;
use crate::process::Process;

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
pub(crate) const LIMITS: Limits =
    Limits { timeout_ns: 3 * SECOND_NS, graceful_ns: 2 * SECOND_NS, boot_ns: 90 * SECOND_NS };

pub(crate) struct Machine {
    pub(crate) fleet: Fleet,
    pub(crate) now_ns: u64,
    pub(crate) target: usize,
    pub(crate) next_pid: i32,
    pub(crate) last_age: u64,
    pub(crate) alive: BTreeMap<i32, Process>,
    pub(crate) halts: usize,
    pub(crate) stopping: bool,
    /// The old generation of a pending reload, as long as it lives.
    pub(crate) old: Option<BTreeSet<i32>>,
    pub(crate) failed_reloads: usize,
    /// As many were ready as asked for.
    pub(crate) booted: bool,
    /// The old generation of a pending rolling reload.
    pub(crate) rolling: Option<BTreeSet<i32>>,
    /// What is being done is about generations as a whole.
    pub(crate) generations: bool,
    /// A reload after Gunicorn's manner is pending.
    pub(crate) forked: bool,
    /// There were to be fewer workers once.
    pub(crate) shrunk: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
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
    pub(crate) fn serving(target: usize) -> Self {
        let mut machine = Self::new();
        machine.apply(Event::Target(target));
        machine.turn(SECOND_NS);
        machine.boot_all();
        machine.turn(SECOND_NS);
        machine
    }

    pub(crate) fn apply(&mut self, event: Event) {
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

    pub(crate) fn reload(&mut self, when: When) {
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

    pub(crate) fn boot_all(&mut self) {
        for process in self.alive.values_mut() {
            process.booted_ns.get_or_insert(self.now_ns);
            process.beat_ns = Some(self.now_ns + SECOND_NS);
        }
    }

    pub(crate) fn report_signs(&mut self) {
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

    pub(crate) fn turn(&mut self, pass_ns: u64) {
        self.now_ns += pass_ns;
        self.report_signs();
        let beats: Vec<(i32, u64)> =
            self.alive.iter().filter_map(|(pid, process)| Some((*pid, process.beat_ns?))).collect();
        let actions = self.fleet.on_tick(self.now_ns, &beats);
        self.perform(actions);
        let actions = self.fleet.balance(self.now_ns);
        self.perform(actions);
    }

    pub(crate) fn end(&mut self, pid: i32, exit: Exit) {
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

    pub(crate) fn perform(&mut self, actions: Vec<Action>) {
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
                | Action::NoRoom { .. }
                | Action::BackOff { .. }
                | Action::ChildExit { .. } => {}
            }
        }
        self.generations = false;
    }

    pub(crate) fn spawn(&mut self) {
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

    pub(crate) fn signal(&mut self, pid: i32, sig: Sig) {
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

    pub(crate) fn check(&self) {
        let mut known: Vec<i32> = self.fleet.pids().collect();
        known.sort_unstable();
        assert_eq!(known, self.alive.keys().copied().collect::<Vec<_>>(), "lost or invented");
        assert!(self.halts <= 1, "halted twice");
        assert!(self.fleet.sleep_ns(self.now_ns) <= SECOND_NS, "the master sleeps too long");
    }

    pub(crate) fn nth_pid(&self, nth: usize) -> Option<i32> {
        self.alive.keys().nth(nth).copied()
    }

    /// After a quiet while the fleet is what was asked for and the deadlines have done their work.
    pub(crate) fn settle(&mut self) {
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
