//! One worker is replaced by another while it serves, the new one first.
//!
//! A worker may ask for it ([`Wish`]), and a rolling reload asks for all of an old generation. One
//! is replaced at a time: a worker more than the target is forked, and when as many others are
//! ready as there should be, the one that asked is told to leave. The next one's turn comes when
//! it is gone, so that there is never more than one process too many. Whoever has to leave at once
//! does not wait for any of that.

use super::action::{Action, Sig};
use super::child::Child;
use super::{Cause, Duty, Fleet, Strategy, Wish};

impl Fleet {
    /// Whoever has to leave at once is told so; `balance` forks in its place. If that is everybody,
    /// again and again, their number has an end: as many as there should be workers may be on their
    /// way out.
    pub(super) fn let_go(&mut self, now_ns: u64, actions: &mut Vec<Action>) {
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        let leaves = |it: &Child| it.wish == Some(Wish::Departure);
        let leaving = self.children.iter().filter(|it| it.duty == Duty::Retiring && leaves(it));
        let room = self.target.max(1).saturating_sub(leaving.count());
        let wishing = self.children.iter_mut().filter(|it| it.duty != Duty::Retiring && leaves(it));
        for child in wishing.take(room) {
            child.retire(Cause::Wish, deadline_ns);
            child.tell(Sig::Term, actions);
        }
    }

    /// Chooses who is to be replaced next, when nobody is, nothing is missing, and nobody is on the
    /// way out. Those that SIGKILL does not end, as they are stuck in the kernel, hold up nobody.
    pub(super) fn choose_leaver(&mut self) {
        let alive = self.children.iter().filter(|it| it.killed_ns.is_none());
        let leaving = alive.clone().any(|it| it.duty == Duty::Retiring);
        self.leaver = alive.map(|it| it.pid).find(|pid| Some(*pid) == self.leaver);
        if self.leaver.is_some() || leaving || self.on_duty() != self.target {
            return;
        }
        let rolling = self.is_rolling();
        if self.reload.is_some() && !rolling {
            // Everybody is going to be replaced.
            return;
        }
        let outgoing = self.children.iter().find(|it| rolling && it.duty == Duty::Outgoing);
        let wishing = || self.children.iter().find(|it| self.is_on_duty(it) && it.wish.is_some());
        self.leaver = outgoing.or_else(wishing).map(|it| it.pid);
    }

    /// The one to be replaced is told to leave, once there are enough others.
    pub(super) fn relieve(&mut self, now_ns: u64, actions: &mut Vec<Action>) {
        if self.awaited() == 0 {
            return;
        }
        let others = self.children.iter().filter(|it| self.is_on_duty(it) && it.serves());
        if others.filter(|it| Some(it.pid) != self.leaver).count() < self.target {
            return;
        }
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        let leaver = self.leaver;
        for child in self.children.iter_mut().filter(|it| Some(it.pid) == leaver) {
            child.retire(child.cause_of_relief(), deadline_ns);
            child.tell(Sig::Term, actions);
        }
    }

    /// Whoever is too many is told to leave: first who is dying already, then who asked for it, then
    /// the oldest. While workers are replaced, those that are not ready go before those that serve.
    pub(super) fn retire_excess(&mut self, now_ns: u64, actions: &mut Vec<Action>) {
        let deadline_ns = now_ns.saturating_add(self.limits.graceful_ns);
        let excess = self.on_duty().saturating_sub(self.target + self.awaited());
        let (rolling, replacing) = (self.is_rolling(), self.leaver.is_some() || self.is_rolling());
        for _ in 0..excess {
            let on_duty = self.children.iter_mut().filter(|it| is_on_duty(it, rolling));
            let first = on_duty.min_by_key(|it| {
                let asks = it.wish.is_some() || it.duty == Duty::Outgoing;
                (it.killed_ns.is_none(), replacing && it.ready, !asks)
            });
            let Some(child) = first else { return };
            let asks = child.duty == Duty::Outgoing || child.wish.is_some();
            let cause = if asks { child.cause_of_relief() } else { Cause::Surplus };
            child.retire(cause, deadline_ns);
            child.tell(Sig::Term, actions);
        }
    }

    /// How many are to serve beyond the target: the successor of one that still serves.
    pub(super) fn awaited(&self) -> usize {
        let leaver = self.children.iter().find(|it| Some(it.pid) == self.leaver);
        usize::from(leaver.is_some_and(|it| self.is_on_duty(it)))
    }

    /// Whether a successor is on its way that is worth looking at often.
    pub(super) fn expects_somebody(&self) -> bool {
        (self.awaited() > 0 || self.is_rolling())
            && self.children.iter().any(|it| it.duty == Duty::Serving && !it.ready)
    }

    /// How many count towards the target.
    pub(super) fn on_duty(&self) -> usize {
        self.children.iter().filter(|it| self.is_on_duty(it)).count()
    }

    fn is_on_duty(&self, child: &Child) -> bool {
        is_on_duty(child, self.is_rolling())
    }

    pub(super) fn is_rolling(&self) -> bool {
        self.reload.as_ref().is_some_and(|it| it.strategy == Strategy::Rolling)
    }
}

impl Child {
    /// Why it is replaced by another one.
    fn cause_of_relief(&self) -> Cause {
        if self.duty == Duty::Outgoing { Cause::Reload } else { Cause::Wish }
    }
}

/// A rolling reload replaces the old generation by the new one, every other puts the new one beside
/// the old.
fn is_on_duty(child: &Child, rolling: bool) -> bool {
    match child.duty {
        Duty::Serving => true,
        Duty::Outgoing => rolling,
        Duty::Retiring => false,
    }
}
