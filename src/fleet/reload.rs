//! A reload on its way: a new generation proves itself beside the old one.
//!
//! First one worker of the new generation is forked: code that does not boot costs one process and
//! one traceback. When it is ready the rest follows; when all are ready the old generation is told
//! to leave. If one dies before that, the new generation leaves and the old one stays.
//!
//! A rolling reload replaces one worker at a time instead, as `relief.rs` does it. Given up half-way
//! it goes back the same way: the new workers serve until there are old ones in their place.

use super::action::{Action, Sig};
use super::child::Child;
use super::{Cause, Duty, Fleet, Wish};

/// How long a generation may take to become ready, and its first worker before it. A worker that
/// hangs in its imports would keep the reload pending for ever.
const PATIENCE_NS: u64 = 600_000_000_000;

/// How often the master looks whether the new workers are ready.
pub(super) const POLL_NS: u64 = 50_000_000;

/// When a reload retires the old generation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strategy {
    /// When the new one is ready.
    Ready,
    /// When the new one is forked, as Gunicorn does.
    Forked,
    /// One worker after the other, each when its successor is ready.
    Rolling,
}

/// A reload that is neither done nor given up.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) strategy: Strategy,
    /// Size of the old generation when the reload began.
    pub(super) old: usize,
    /// A worker of the new generation was ready: the code boots.
    proven: bool,
    /// Since when nothing has been proven.
    since_ns: u64,
}

impl Reload {
    pub(super) fn new(strategy: Strategy, old: usize, now_ns: u64) -> Self {
        Self { strategy, old, proven: false, since_ns: now_ns }
    }

    /// Old workers serve until new ones are ready.
    pub(super) fn is_gated(&self) -> bool {
        self.strategy != Strategy::Forked
    }

    /// A worker of the new generation is ready.
    pub(super) fn on_ready(&mut self, now_ns: u64) {
        if !self.proven {
            self.proven = true;
            self.since_ns = now_ns;
        }
    }

    /// How many workers of the new generation there should be while `left` of the old one are
    /// left: until the code is proven one, and one for each old worker that ended meanwhile, as
    /// its successor would be forked from the same code.
    pub(super) fn wanted(&self, target: usize, left: usize) -> usize {
        if self.proven {
            return target;
        }
        target.min(self.old.saturating_sub(left).max(1))
    }

    /// It has taken too long. A rolling one has its time for each worker: see `is_overdue` of
    /// the fleet.
    fn is_overdue(&self, now_ns: u64) -> bool {
        self.strategy == Strategy::Ready && now_ns.saturating_sub(self.since_ns) >= PATIENCE_NS
    }
}

/// Generations.
impl Fleet {
    /// A new configuration is in force: everyone now serving belongs to the old generation and is
    /// to be replaced. The next [`Fleet::balance`] begins with the new generation.
    ///
    /// The new generation of a reload that is still pending is told to leave: the latest
    /// configuration counts, and the old generation is still the one that serves. Of a rolling
    /// reload those stay that serve already in the place of others.
    pub fn on_reload(&mut self, strategy: Strategy, now_ns: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        let (superseded, rolling) = (self.is_gated(), self.is_rolling());
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        for child in self.children.iter_mut().filter(|child| child.duty == Duty::Serving) {
            if superseded && !(rolling && child.ready) {
                child.retire(Cause::Reload, deadline_ns);
                child.tell(Sig::Term, &mut actions);
            } else {
                child.duty = Duty::Outgoing;
            }
        }
        let pending = self.reload.take().filter(|_| superseded && !rolling);
        let old = pending.map_or_else(|| self.count(Duty::Outgoing), |pending| pending.old);
        self.reload = Some(Reload::new(strategy, old, now_ns));
        self.forget_leaver();
        self.pacing.reset();
        actions
    }

    /// How many workers [`Fleet::balance`] may fork.
    pub(super) fn missing(&self) -> usize {
        let serving = self.on_duty();
        let target = self.target + self.awaited();
        let Some(reload) = &self.reload else {
            return target.saturating_sub(serving);
        };
        let wanted = match reload.strategy {
            Strategy::Ready => reload.wanted(self.target, self.count(Duty::Outgoing)),
            Strategy::Forked | Strategy::Rolling => target,
        };
        // Those of an earlier reload that still import have a place until they are gone:
        // reloads in a row do not pile up processes.
        let leaving = self.children.iter().filter(|it| it.duty == Duty::Retiring && !it.ready);
        let leaving = if reload.is_gated() { leaving.count() } else { 0 };
        wanted.saturating_sub(serving).min(target.saturating_sub(serving + leaving))
    }

    /// Whether a pending reload has taken too long.
    pub(super) fn is_overdue(&self, now_ns: u64) -> bool {
        let hangs = |it: &Child| {
            it.duty == Duty::Serving
                && !it.ready
                && now_ns.saturating_sub(it.spawned_ns) >= PATIENCE_NS
        };
        self.reload.as_ref().is_some_and(|it| it.is_overdue(now_ns))
            || self.is_rolling() && self.children.iter().any(hangs)
    }

    /// The new generation leaves, the old one stays. What of it serves already in the place of
    /// others serves until these are back.
    pub(super) fn give_up(&mut self, pid: Option<i32>, now_ns: u64, actions: &mut Vec<Action>) {
        let rolling = self.is_rolling();
        let stays = |it: &Child| rolling && it.duty == Duty::Serving && it.ready;
        let stay = self.children.iter().filter(|it| stays(it)).count();
        self.reload = None;
        self.forget_leaver();
        actions.push(Action::ReloadFailed { pid, stay });
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        for child in &mut self.children {
            match child.duty {
                Duty::Outgoing => child.duty = Duty::Serving,
                Duty::Serving if stays(child) => {
                    child.wish = child.wish.max(Some(Wish::Successor));
                }
                Duty::Serving => {
                    child.retire(Cause::Reload, deadline_ns);
                    child.tell(Sig::Term, actions);
                }
                Duty::Retiring => {}
            }
        }
    }

    pub(super) fn is_gated(&self) -> bool {
        self.reload.as_ref().is_some_and(Reload::is_gated)
    }

    /// New workers are about to be ready.
    pub(super) fn is_watching(&self) -> bool {
        self.is_gated() && !self.is_rolling() || self.expects_somebody()
    }

    /// Who is to be replaced is chosen anew, unless it is on its way out.
    fn forget_leaver(&mut self) {
        let leaver = self.children.iter().find(|it| Some(it.pid) == self.leaver);
        self.leaver = leaver.filter(|it| it.duty == Duty::Retiring).map(|it| it.pid);
    }
}
