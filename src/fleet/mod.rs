//! Floor 0: supervision policy, events to actions.
//!
//! [`Fleet`] knows which workers exist, what each one is for and what it has already been told.
//! It never forks, kills, reads a clock or writes a log line: the caller reports what happened
//! (`on_*`) and performs the [`Action`]s it gets back, in order. Times are nanoseconds of one
//! monotonic clock.
//!
//! A worker is counted against the target only while it is [`Duty::Serving`]. One that was told
//! to leave keeps its slot until the kernel has reported its end, so no worker is ever forgotten,
//! and is killed at its deadline, so none stays for ever. How one generation follows another is
//! in `reload.rs`, how one worker follows another in `relief.rs`.

mod action;
mod cause;
mod child;
mod ends;
mod lapse;
mod pacing;
mod relief;
mod reload;
mod scale;

pub use action::{Action, Sig};
pub use cause::Cause;
use child::Child;
pub use child::{Duty, Identity, Signs, Wish};
pub use lapse::TICK_NS;
use lapse::{Clock, Verdict};
use pacing::Pacing;
use reload::Reload;
pub use reload::Strategy;
pub use scale::{Change, Gauge, Range, Reason, Scaler};

/// Exit code of a worker that failed before it was ready (Gunicorn's `WORKER_BOOT_ERROR`).
pub const WORKER_BOOT_ERROR: i32 = 3;
/// Exit code of a worker whose application could not be imported (`APP_LOAD_ERROR`).
pub const APP_LOAD_ERROR: i32 = 4;

/// How long after a quick stop was asked for during a graceful one the rest is killed.
const QUICK_STOP_NS: u64 = 2_000_000_000;
/// How long a stop waits for the kernel to report children that were sent SIGKILL.
const BURIAL_NS: u64 = 2_000_000_000;

/// Supervision policy of one master: target, children, phase.
#[derive(Debug)]
pub struct Fleet {
    limits: Limits,
    target: usize,
    phase: Phase,
    /// Ordered by age: oldest first. Slots are pairwise different.
    children: Vec<Child>,
    /// Age of the youngest child ever named; ages are never reused.
    last_age: u64,
    clock: Clock,
    pacing: Pacing,
    /// Set while two generations live side by side.
    reload: Option<Reload>,
    /// Who is being replaced, until it is gone.
    leaver: Option<i32>,
    /// How many workers were ever ready.
    ready_ever: usize,
    /// That were once as many as asked for: the server has booted.
    established: bool,
}

impl Fleet {
    /// An empty fleet with target 0.
    pub fn new() -> Self {
        Self {
            limits: Limits::default(),
            target: 0,
            phase: Phase::Running,
            children: Vec::new(),
            last_age: 0,
            clock: Clock::default(),
            pacing: Pacing::default(),
            reload: None,
            leaver: None,
            ready_ever: 0,
            established: false,
        }
    }

    /// Takes over the time limits of a configuration. Deadlines already given stay, and who lives
    /// already keeps its `timeout`.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Sets how many workers are to serve. [`Fleet::balance`] acts on it.
    pub fn set_target(&mut self, target: usize) {
        self.target = target;
    }

    /// Age and slot the next child will have. The caller forks under this name and confirms it
    /// with [`Fleet::on_spawned`]; a name that is not confirmed costs nothing.
    ///
    /// The slot is the lowest number that no living child has, so numbers stay below the
    /// number of workers except while a reload lets two generations overlap.
    pub fn next_child(&self) -> Identity {
        let mut taken: Vec<usize> = self.children.iter().map(|child| child.id.slot).collect();
        taken.sort_unstable();
        let slot = taken.iter().enumerate().take_while(|(index, slot)| index == *slot).count();
        Identity { age: self.last_age + 1, slot }
    }

    /// A child was forked as `id`.
    pub fn on_spawned(&mut self, pid: i32, id: Identity, now_ns: u64) {
        self.last_age = self.last_age.max(id.age);
        self.clock.start(now_ns);
        self.children.push(Child::new(pid, id, &self.limits, now_ns));
    }

    /// What the workers say of themselves.
    pub fn on_signs(&mut self, signs: &[(i32, Signs)], now_ns: u64) {
        for child in &mut self.children {
            let Some((_, signs)) = signs.iter().find(|(pid, _)| *pid == child.pid) else {
                continue;
            };
            let is_news = child.note(*signs, now_ns);
            self.pacing.on_sign_of_life(child, now_ns);
            if !is_news {
                continue;
            }
            self.ready_ever = self.ready_ever.saturating_add(1);
            self.pacing.on_ready(child);
            if let (Duty::Serving, Some(reload)) = (child.duty, &mut self.reload) {
                reload.on_ready(now_ns);
            }
        }
        self.established |= self.ready_ever >= self.target.max(1);
    }

    /// Brings the number of serving workers to the target: forks what is missing, and retires
    /// the oldest of what is too many. Who wants to be replaced is, see `relief.rs`. The old
    /// generation of a reload is retired as soon as the new one is complete.
    pub fn balance(&mut self, now_ns: u64) -> Vec<Action> {
        if self.phase != Phase::Running {
            return Vec::new();
        }
        let mut actions = Vec::new();
        self.let_go(now_ns, &mut actions);
        self.relieve(now_ns, &mut actions);
        self.choose_leaver();
        let missing = self.missing();
        let allowed = self.pacing.allows(self.is_anybody_ready(), now_ns);
        if allowed {
            actions.extend((0..missing).map(|_| Action::Spawn));
        }
        let complete = match &self.reload {
            None => false,
            Some(reload) if reload.strategy == Strategy::Forked => allowed || missing == 0,
            Some(_) => {
                let outgoing = self.is_rolling() && self.count(Duty::Outgoing) > 0;
                !outgoing && self.on_duty() <= self.target && self.ready() >= self.target
            }
        };
        if complete {
            self.reload = None;
            actions.push(Action::Reloaded);
            let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
            for child in self.children.iter_mut().filter(|it| it.duty == Duty::Outgoing) {
                child.retire(Cause::Reload, deadline_ns);
                child.tell(Sig::Term, &mut actions);
            }
        }
        self.retire_excess(now_ns, &mut actions);
        actions
    }

    /// One turn of the master's loop: workers past a deadline, and workers whose heartbeat has
    /// stopped. `beats` holds the last heartbeat of each worker that has one, on the same clock
    /// as `now_ns`; a worker without an entry is not timed out.
    pub fn on_tick(&mut self, now_ns: u64, beats: &[(i32, u64)]) -> Vec<Action> {
        self.clock.on_tick(now_ns, self.limits.timeout_ns);
        let mut actions = Vec::new();
        if self.phase == Phase::Running && self.is_overdue(now_ns) {
            let new = self.children.iter_mut().filter(|it| it.duty == Duty::Serving);
            for child in new.filter(|it| it.is_booting()) {
                child.end_hang(now_ns, &mut actions);
            }
            self.give_up(None, now_ns, &mut actions);
        }
        for child in &mut self.children {
            if child.deadline_ns.is_some_and(|deadline_ns| deadline_ns <= now_ns) {
                child.kill(now_ns, &mut actions);
                continue;
            }
            if child.is_booting() && self.phase == Phase::Running {
                if self.clock.since_ns(child.spawned_ns, now_ns) >= child.boot_ns {
                    child.end_hang(now_ns, &mut actions);
                }
                continue;
            }
            if self.phase != Phase::Running || child.timeout_ns == 0 {
                continue;
            }
            let Some(&(pid, beat_ns)) = beats.iter().find(|(pid, _)| *pid == child.pid) else {
                continue;
            };
            match self.clock.verdict(now_ns, beat_ns, child.timeout_ns, child.aborted_ns) {
                Verdict::Alive => {}
                Verdict::Abort => {
                    child.aborted_ns = Some(now_ns);
                    child.stuck = true;
                    actions.push(Action::ReportTimeout { pid });
                    child.tell(Sig::Abrt, &mut actions);
                }
                Verdict::Kill => child.kill(now_ns, &mut actions),
            }
        }
        actions
    }

    /// The master is to end: nothing is spawned from here on, everyone is told to leave and
    /// has the graceful limit to do so.
    ///
    /// [`Stop::Quick`] during a graceful stop shortens that to two seconds, during a quick one to
    /// nothing; anything else during a stop changes nothing.
    pub fn on_stop(&mut self, stop: Stop, now_ns: u64) -> Vec<Action> {
        let limit_ns = match (self.phase, stop) {
            (Phase::Stopping(Stop::Graceful), Stop::Quick) => QUICK_STOP_NS,
            (Phase::Stopping(Stop::Quick), Stop::Quick) => 0,
            (Phase::Stopping(_), _) => return Vec::new(),
            _ => self.limits.graceful_ns,
        };
        self.phase = Phase::Stopping(stop);
        let sig = match stop {
            Stop::Graceful => Sig::Term,
            Stop::Quick => Sig::Quit,
        };
        self.reload = None;
        self.leaver = None;
        let mut actions = Vec::new();
        for child in &mut self.children {
            child.retire(Cause::Stop, now_ns.saturating_add(limit_ns));
            child.tell(sig, &mut actions);
        }
        actions
    }

    /// True when a stop has nothing left to wait for: no children, or only such as do not even
    /// leave after SIGKILL (stuck in the kernel).
    pub fn is_settled(&self, now_ns: u64) -> bool {
        self.children.iter().all(|child| {
            child.killed_ns.is_some_and(|killed_ns| now_ns >= killed_ns.saturating_add(BURIAL_NS))
        })
    }

    /// How long the master may sleep, in nanoseconds, when no signal comes: at most one tick,
    /// less when a deadline or a held-back spawn comes first, or new workers are to be ready.
    pub fn sleep_ns(&self, now_ns: u64) -> u64 {
        let deadlines = self.children.iter().filter(|child| child.killed_ns.is_none());
        deadlines
            .filter_map(|child| child.deadline_ns)
            .chain(self.pacing.held_until_ns(self.is_anybody_ready(), now_ns))
            .chain(self.is_watching().then(|| now_ns.saturating_add(reload::POLL_NS)))
            .map(|due_ns| due_ns.saturating_sub(now_ns))
            .fold(TICK_NS, u64::min)
    }

    /// Process ids of all children not yet reported dead, oldest first.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.children.iter().map(|child| child.pid)
    }

    /// How many children have the duty.
    pub fn count(&self, duty: Duty) -> usize {
        self.children.iter().filter(|child| child.duty == duty).count()
    }

    /// Whether there were once as many ready workers as asked for: the code boots, or did.
    pub fn is_established(&self) -> bool {
        self.established
    }

    fn is_anybody_ready(&self) -> bool {
        self.children.iter().any(Child::serves)
    }

    /// How many of those that count towards the target are ready.
    pub fn ready(&self) -> usize {
        self.children.iter().filter(|it| it.duty == Duty::Serving && it.serves()).count()
    }

    fn remove(&mut self, pid: i32) -> Option<Child> {
        let index = self.children.iter().position(|child| child.pid == pid)?;
        Some(self.children.remove(index))
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new()
    }
}

/// Time limits of the configuration in force.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// `timeout`: a heartbeat older than this means a stuck worker; 0 turns the check off.
    pub timeout_ns: u64,
    /// `graceful_timeout`: how long a worker that was told to leave may take.
    pub graceful_ns: u64,
    /// How long a worker may take to be ready; 0 for any time. Whoever beats its heart is judged by
    /// that.
    pub boot_ns: u64,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// How the master is to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Requests in flight are finished (SIGTERM).
    Graceful,
    /// Requests in flight are dropped (SIGINT, SIGQUIT).
    Quick,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Running,
    /// A halt was ordered; the stop that follows has not begun.
    Halting,
    Stopping(Stop),
}

#[cfg(test)]
mod test_pacing;
#[cfg(test)]
mod test_relief;
#[cfg(test)]
mod test_reload;
#[cfg(test)]
mod test_scale;
#[cfg(test)]
mod test_site;
#[cfg(test)]
mod tests;
