//! How many workers there should be, from how busy they are.
//!
//! [`Scaler`] is fed once in a while with what each worker has done and says when the number is to
//! change, and why. It goes up at once and in proportion, because somebody waits; it goes down late
//! and by one, because a worker too many costs memory only. Why these rules: docs/design/scaling.md.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use super::{Action, Cause, Duty, Fleet, Phase, Sig};

/// Busier than this part of its threads, over [`WINDOW`] samples, a fleet is too small …
const HIGH: f64 = 0.75;
/// … and is made so large that it is this busy.
const GOAL: f64 = 0.6;
/// It is too large when one worker less would be no busier than this. So far below [`HIGH`] that
/// taking one away is never what makes it too small.
const LOW: f64 = 0.5;
/// From here on nobody can tell how many more would be busy.
const FULL: f64 = 0.95;
/// Samples that the load is averaged over.
const WINDOW: usize = 3;
/// A fleet that was not looked at for so many intervals is looked at anew.
const STALE: u64 = 10;
/// How much longer than at first a calm must last at most, after it has gone up and down a lot.
const MOST_PATIENCE: u32 = 16;
/// So many calms without going up and down make the next one shorter again.
const RELIEF: u64 = 60;
/// A worker whose requests have run for longer than this, all together, is not sent away: one of
/// them may be one that never ends, and would be cut off at `graceful_timeout`.
const BRIEF_NS: u64 = 1_000_000_000;

/// What the number must not leave, and how often it is thought about.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Fewest workers, at least 1.
    pub min: usize,
    /// Most workers.
    pub max: usize,
    /// Requests that one worker runs at a time.
    pub threads: usize,
    /// Between two samples.
    pub interval_ns: u64,
    /// How long it must have been calm before one worker leaves.
    pub calm_ns: u64,
}

/// One worker that counts towards the target.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// Its process.
    pub pid: i32,
    /// Serial number of its fork, which tells it from any other.
    pub age: u64,
    /// Whether it serves.
    pub ready: bool,
    /// Requests in the application.
    pub running: u64,
    /// For how long these have been there, added up.
    pub running_ns: u64,
    /// Time that its threads have spent in the application since the fork, with that.
    pub busy_ns: u64,
}

/// Another number of workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// How many there are to be.
    pub target: usize,
    /// Who is to leave: [`Fleet::dismiss`].
    pub dismiss: Option<i32>,
    /// Why.
    pub reason: Reason,
}

/// Why there are to be more workers, or fewer. As text it is the end of a log line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reason {
    /// Threads in the application, on average; when it is calm the most there were.
    pub busy: f64,
    /// Threads that there are.
    pub threads: usize,
    /// Connections that nobody has accepted.
    pub waiting: u64,
    /// For how long it was no more; 0 when there are to be more workers.
    pub calm_ns: u64,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { busy, threads, waiting, calm_ns } = *self;
        if calm_ns > 0 {
            let seconds = calm_ns as f64 / 1e9;
            return write!(f, "at most {busy:.1} of {threads} threads busy for {seconds:.0} s");
        }
        write!(f, "{busy:.1} of {threads} threads busy")?;
        if waiting > 0 {
            write!(f, ", {waiting} connections waiting")?;
        }
        Ok(())
    }
}

/// A time during which the fleet was too large.
#[derive(Clone, Copy, Debug)]
struct Calm {
    since_ns: u64,
    /// The greatest load in it.
    peak: f64,
}

/// Decides how many workers there should be.
#[derive(Debug)]
pub struct Scaler {
    range: Range,
    sampled_ns: Option<u64>,
    /// What each worker had done at the last sample, by age: a successor begins at 0.
    done: HashMap<u64, u64>,
    loads: VecDeque<f64>,
    /// The target that `loads` belong to.
    target: usize,
    calm: Option<Calm>,
    went_down_ns: Option<u64>,
    /// Factor on the calm, doubled each time that it went up soon after it had gone down.
    patience: u32,
    hurried_ns: u64,
}

impl Scaler {
    /// One that has seen nothing yet.
    pub fn new(range: Range) -> Self {
        Self {
            range,
            sampled_ns: None,
            done: HashMap::new(),
            loads: VecDeque::new(),
            target: 0,
            calm: None,
            went_down_ns: None,
            patience: 1,
            hurried_ns: 0,
        }
    }

    /// Whether it is time for the next sample.
    pub fn is_due(&self, now_ns: u64) -> bool {
        self.sampled_ns.is_none_or(|then| now_ns.saturating_sub(then) >= self.range.interval_ns)
    }

    /// Forgets the load: what follows has nothing to do with what was. The patience stays.
    pub fn start_over(&mut self) {
        self.sampled_ns = None;
        self.done.clear();
        self.loads.clear();
        self.calm = None;
    }

    /// Looks at all workers that count towards `target`. `waiting`: connections that nobody has
    /// accepted, as far as that can be told.
    pub fn observe(
        &mut self,
        now_ns: u64,
        target: usize,
        gauges: &[Gauge],
        waiting: u64,
    ) -> Option<Change> {
        if target != self.target {
            // By hand, or by us.
            self.start_over();
            self.target = target;
        }
        let load = self.sample(now_ns, gauges)?;
        self.loads.push_back(load);
        if self.loads.len() > WINDOW {
            self.loads.pop_front();
        }
        let change = self
            .grow(target, gauges, load, waiting)
            .or_else(|| self.shrink(now_ns, target, gauges, waiting))?;
        self.note(now_ns, target, &change);
        Some(change)
    }

    /// Threads that were busy on average since the last sample; `None` for the first.
    fn sample(&mut self, now_ns: u64, gauges: &[Gauge]) -> Option<f64> {
        let before = self.sampled_ns.replace(now_ns);
        let done = gauges.iter().map(|gauge| (gauge.age, gauge.busy_ns)).collect();
        let done = std::mem::replace(&mut self.done, done);
        let passed_ns = now_ns.saturating_sub(before?);
        if passed_ns == 0 || passed_ns > self.range.interval_ns.saturating_mul(STALE) {
            self.loads.clear();
            self.calm = None;
            return None;
        }
        let most_ns = passed_ns.saturating_mul(self.range.threads as u64);
        let busy_ns: u64 = gauges
            .iter()
            .filter_map(|gauge| {
                let before_ns = done.get(&gauge.age)?;
                Some(gauge.busy_ns.saturating_sub(*before_ns).min(most_ns))
            })
            .sum();
        Some(busy_ns as f64 / passed_ns as f64)
    }

    fn mean(&self) -> f64 {
        self.loads.iter().sum::<f64>() / self.loads.len().max(1) as f64
    }

    fn grow(&self, target: usize, gauges: &[Gauge], load: f64, waiting: u64) -> Option<Change> {
        let Range { max, threads, .. } = self.range;
        let ready = gauges.iter().filter(|gauge| gauge.ready).count();
        if target >= max || ready == 0 {
            return None;
        }
        // Who still boots is on the way because of this very load.
        let coming = gauges.len().max(target);
        let all_there = ready >= coming;
        let full = |load: f64| all_there && load >= FULL * (ready * threads) as f64;
        let urgent = waiting > 0 && full(load);
        let busy = if urgent { load } else { self.mean() };
        let high = self.loads.len() >= WINDOW && busy > HIGH * (coming * threads) as f64;
        if !urgent && !high {
            return None;
        }
        let crowd = if urgent { waiting as f64 } else { 0.0 };
        let mut wanted = ((busy + crowd) / (GOAL * threads as f64)).ceil() as usize;
        if full(busy) {
            wanted = wanted.max(target + target.div_ceil(2));
        }
        // A crowd that is gone in a moment must not make it ten times as large.
        let wanted = wanted.min(target * 2).min(max);
        let reason = Reason { busy, threads: ready * threads, waiting, calm_ns: 0 };
        (wanted > target).then_some(Change { target: wanted, dismiss: None, reason })
    }

    fn shrink(
        &mut self,
        now_ns: u64,
        target: usize,
        gauges: &[Gauge],
        waiting: u64,
    ) -> Option<Change> {
        let Range { min, threads, calm_ns, .. } = self.range;
        let load = self.mean();
        let fits = load <= LOW * (target.saturating_sub(1) * threads) as f64;
        let settled = gauges.len() >= target && gauges.iter().all(|gauge| gauge.ready);
        if target <= min || waiting > 0 || !fits || !settled {
            self.calm = None;
            return None;
        }
        let calm = self.calm.get_or_insert(Calm { since_ns: now_ns, peak: 0.0 });
        calm.peak = calm.peak.max(load);
        let lasted_ns = now_ns.saturating_sub(calm.since_ns);
        if lasted_ns < calm_ns.saturating_mul(u64::from(self.patience)) {
            return None;
        }
        let reason =
            Reason { busy: calm.peak, threads: target * threads, waiting: 0, calm_ns: lasted_ns };
        // Nobody is sent away from the middle of a long request: then it is the next one's turn.
        let leaver = gauges
            .iter()
            .filter(|gauge| gauge.running == 0 || gauge.running_ns <= BRIEF_NS)
            .min_by_key(|gauge| (gauge.running > 0, gauge.age))?;
        Some(Change { target: target - 1, dismiss: Some(leaver.pid), reason })
    }

    fn note(&mut self, now_ns: u64, target: usize, change: &Change) {
        let calm_ns = self.range.calm_ns.saturating_mul(u64::from(self.patience));
        if change.target > target {
            let soon = self.went_down_ns.is_some_and(|then| now_ns - then <= 2 * calm_ns);
            if soon {
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
                self.hurried_ns = now_ns;
            }
        } else {
            if self.patience > 1 && now_ns.saturating_sub(self.hurried_ns) >= RELIEF * calm_ns {
                self.patience /= 2;
                self.hurried_ns = now_ns;
            }
            self.went_down_ns = Some(now_ns);
        }
    }
}

impl Fleet {
    /// The workers that count towards the target: pid, age, and whether they serve.
    pub fn roster(&self) -> impl Iterator<Item = (i32, u64, bool)> {
        let serving = self.children.iter().filter(|child| child.duty == Duty::Serving);
        serving.map(|child| (child.pid, child.id.age, child.serves()))
    }

    /// One worker fewer is to serve, and it is to be this one. Nothing happens to one that does
    /// not count: then the next [`Fleet::balance`] sends the oldest away.
    pub fn dismiss(&mut self, pid: i32, now_ns: u64) -> Vec<Action> {
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        let mut actions = Vec::new();
        if self.phase != Phase::Running {
            return actions;
        }
        let counts = |child: &&mut super::Child| child.pid == pid && child.duty == Duty::Serving;
        if let Some(child) = self.children.iter_mut().find(counts) {
            child.retire(Cause::Surplus, deadline_ns);
            child.tell(Sig::Term, &mut actions);
        }
        actions
    }
}
