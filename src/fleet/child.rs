//! One worker process as the fleet remembers it: its name, its duty, what it has been told.

use super::action::{Action, Sig};
use super::{Cause, Limits, TICK_NS};

/// A worker that has booted but does not beat its heart is believed to serve after this.
const SILENT_NS: u64 = 300_000_000_000;
/// A worker that beats its heart but never says that it has booted is believed after this.
const UNMARKED_NS: u64 = 5_000_000_000;

#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: i32,
    pub(super) id: Identity,
    pub(super) duty: Duty,
    /// Why it was told to leave.
    pub(super) cause: Option<Cause>,
    pub(super) spawned_ns: u64,
    /// The `timeout` it was forked with: it beats its heart accordingly.
    pub(super) timeout_ns: u64,
    /// How long it may take to be ready; 0 for any time.
    pub(super) boot_ns: u64,
    /// It took longer than that.
    pub(super) hung: bool,
    /// It was seen to serve.
    pub(super) ready: bool,
    /// When it was first seen to beat its heart.
    first_beat_ns: Option<u64>,
    /// When it was first seen to have booted, or to beat its heart.
    pub(super) shown_ns: Option<u64>,
    /// What it asks for.
    pub(super) wish: Option<Wish>,
    /// When it gets SIGKILL if it still lives; set with [`Duty::Retiring`], only ever moved
    /// forward in urgency.
    pub(super) deadline_ns: Option<u64>,
    /// When it got SIGABRT for a stopped heartbeat.
    pub(super) aborted_ns: Option<u64>,
    /// It has not beaten its heart since that.
    pub(super) stuck: bool,
    /// When it got SIGKILL. Nothing is sent after that.
    pub(super) killed_ns: Option<u64>,
    /// SIGTERM or SIGQUIT was sent: a second one of the same is noise to us and a forced exit to
    /// uvicorn's workers.
    termed: bool,
    quit: bool,
}

impl Child {
    pub(super) fn new(pid: i32, id: Identity, limits: &Limits, now_ns: u64) -> Self {
        Self {
            pid,
            id,
            duty: Duty::Serving,
            cause: None,
            spawned_ns: now_ns,
            timeout_ns: limits.timeout_ns,
            boot_ns: limits.boot_ns,
            hung: false,
            ready: false,
            first_beat_ns: None,
            shown_ns: None,
            wish: None,
            deadline_ns: None,
            aborted_ns: None,
            stuck: false,
            killed_ns: None,
            termed: false,
            quit: false,
        }
    }

    /// Looks at what the worker says of itself. True when this is what makes it ready.
    ///
    /// Ready is who has booted and beat its heart after that: `booted` alone comes before the
    /// loop of a worker class begins, and a loop may have something to boot of its own
    /// (uvicorn's lifespan). A class that shows one of the two signs only is believed after a
    /// while.
    pub(super) fn note(&mut self, signs: Signs, now_ns: u64) -> bool {
        self.stuck &= signs.beat_ns <= self.aborted_ns;
        self.wish = self.wish.max(signs.wish);
        if signs.booted_ns.or(signs.beat_ns).is_some() {
            self.shown_ns.get_or_insert(now_ns);
        }
        if self.ready {
            return false;
        }
        if signs.beat_ns.is_some() {
            self.first_beat_ns.get_or_insert(now_ns);
        }
        self.ready = match (signs.booted_ns, signs.beat_ns, self.first_beat_ns) {
            (Some(booted_ns), Some(beat_ns), _) if beat_ns >= booted_ns => true,
            (Some(booted_ns), _, _) => now_ns.saturating_sub(booted_ns) >= SILENT_NS,
            (None, _, Some(first_ns)) => now_ns.saturating_sub(first_ns) >= UNMARKED_NS,
            (None, _, None) => false,
        };
        self.ready
    }

    /// It is ready and has not been told to leave, in whatever words.
    pub(super) fn serves(&self) -> bool {
        self.ready && !self.stuck && self.killed_ns.is_none() && self.duty != Duty::Retiring
    }

    /// It has not shown yet that its code boots, and there is a limit for that.
    pub(super) fn is_booting(&self) -> bool {
        self.shown_ns.is_none() && self.boot_ns > 0 && self.duty != Duty::Retiring
    }

    /// It has taken too long to boot. It has a tick to say where it hangs.
    pub(super) fn end_hang(&mut self, now_ns: u64, actions: &mut Vec<Action>) {
        self.hung = true;
        match self.aborted_ns {
            None => {
                self.aborted_ns = Some(now_ns);
                self.stuck = true;
                actions.push(Action::ReportHang { pid: self.pid });
                self.tell(Sig::Abrt, actions);
            }
            Some(aborted_ns) if now_ns.saturating_sub(aborted_ns) < TICK_NS => {}
            Some(_) => self.kill(now_ns, actions),
        }
    }

    /// Its end is our doing, although nobody had told it to leave.
    pub(super) fn was_ended(&self) -> bool {
        self.aborted_ns.is_some() || self.killed_ns.is_some()
    }

    pub(super) fn retire(&mut self, cause: Cause, deadline_ns: u64) {
        self.cause.get_or_insert(cause);
        self.duty = Duty::Retiring;
        self.deadline_ns = Some(self.deadline_ns.map_or(deadline_ns, |old| old.min(deadline_ns)));
    }

    pub(super) fn kill(&mut self, now_ns: u64, actions: &mut Vec<Action>) {
        self.tell(Sig::Kill, actions);
        self.killed_ns.get_or_insert(now_ns);
    }

    pub(super) fn tell(&mut self, sig: Sig, actions: &mut Vec<Action>) {
        let told = match sig {
            Sig::Term => std::mem::replace(&mut self.termed, true),
            Sig::Quit => std::mem::replace(&mut self.quit, true),
            Sig::Abrt | Sig::Kill => false,
        };
        if !told && self.killed_ns.is_none() {
            actions.push(Action::Kill { pid: self.pid, sig });
        }
    }
}

/// What a worker says of itself in shared memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signs {
    /// When it set `booted`; `None` before.
    pub booted_ns: Option<u64>,
    /// Its last heartbeat; `None` before the first.
    pub beat_ns: Option<u64>,
    /// That it wants to be replaced. It is not taken back.
    pub wish: Option<Wish>,
}

/// How a worker wants to be replaced, the more urgent the greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Wish {
    /// It serves until its successor is ready.
    Successor,
    /// It leaves now, and a successor is forked now.
    Departure,
}

/// What a child is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Serial number of the fork, from 1.
    pub age: u64,
    /// Place among the living, from 0; reused.
    pub slot: usize,
}

/// What a child is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Duty {
    /// Counts towards the target.
    Serving,
    /// Serves with the old configuration until its successors are there.
    Outgoing,
    /// Was told to leave and has a deadline.
    Retiring,
}
