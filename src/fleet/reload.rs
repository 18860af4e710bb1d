//! A reload on its way: a new generation proves itself beside the old one.
//!
//! First one worker of the new generation is forked: code that does not boot costs one process and
//! one traceback. When it is ready the rest follows; when all are ready the old generation is told
//! to leave. If one dies before that, the new generation leaves and the old one stays.

use super::action::{Action, Sig};
use super::{Duty, Fleet, Phase};

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

    /// The old generation serves until the new one is ready.
    pub(super) fn is_gated(&self) -> bool {
        self.strategy == Strategy::Ready
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
        if self.proven || !self.is_gated() {
            return target;
        }
        target.min(self.old.saturating_sub(left).max(1))
    }

    /// It has taken too long.
    pub(super) fn is_overdue(&self, now_ns: u64) -> bool {
        self.is_gated() && now_ns.saturating_sub(self.since_ns) >= PATIENCE_NS
    }
}

/// Generations.
impl Fleet {
    /// A new configuration is in force: everyone now serving belongs to the old generation and is
    /// to be replaced. The next [`Fleet::balance`] begins with the new generation.
    ///
    /// The new generation of a reload that is still pending is told to leave: the latest
    /// configuration counts, and the old generation is still the one that serves.
    pub fn on_reload(&mut self, strategy: Strategy, now_ns: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        let superseded = self.is_gated();
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        for child in self.children.iter_mut().filter(|child| child.duty == Duty::Serving) {
            if superseded {
                child.retire(deadline_ns);
                child.tell(Sig::Term, &mut actions);
            } else {
                child.duty = Duty::Outgoing;
            }
        }
        let pending = self.reload.take().filter(|_| superseded);
        let old = pending.map_or_else(|| self.count(Duty::Outgoing), |pending| pending.old);
        self.reload = Some(Reload::new(strategy, old, now_ns));
        self.pacing.reset();
        actions
    }

    /// No worker could be forked. With an answer the reload is given up; without one there is
    /// nothing that policy can do about it.
    pub fn on_spawn_failed(&mut self, now_ns: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.is_gated() && self.phase == Phase::Running {
            self.give_up(None, now_ns, &mut actions);
        }
        actions
    }

    /// How many workers [`Fleet::balance`] may fork.
    pub(super) fn missing(&self, serving: usize) -> usize {
        let Some(reload) = &self.reload else {
            return self.target.saturating_sub(serving);
        };
        let wanted = reload.wanted(self.target, self.count(Duty::Outgoing));
        // Those of an earlier reload that still import have a place until they are gone:
        // reloads in a row do not pile up processes.
        let leaving = self.children.iter().filter(|it| it.duty == Duty::Retiring && !it.ready);
        let leaving = if reload.is_gated() { leaving.count() } else { 0 };
        wanted.saturating_sub(serving).min(self.target.saturating_sub(serving + leaving))
    }

    /// The new generation leaves, the old one stays.
    pub(super) fn give_up(&mut self, pid: Option<i32>, now_ns: u64, actions: &mut Vec<Action>) {
        self.reload = None;
        actions.push(Action::ReloadFailed { pid });
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        for child in &mut self.children {
            match child.duty {
                Duty::Outgoing => child.duty = Duty::Serving,
                Duty::Serving => {
                    child.retire(deadline_ns);
                    child.tell(Sig::Term, actions);
                }
                Duty::Retiring => {}
            }
        }
    }

    pub(super) fn is_gated(&self) -> bool {
        self.reload.as_ref().is_some_and(Reload::is_gated)
    }
}
