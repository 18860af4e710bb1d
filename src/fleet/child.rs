//! One worker process as the fleet remembers it: its name, its duty, what it has been told.

use super::action::{Action, Sig};

#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: i32,
    pub(super) id: Identity,
    pub(super) duty: Duty,
    pub(super) spawned_ns: u64,
    /// When it gets SIGKILL if it still lives; set with [`Duty::Retiring`], only ever moved
    /// forward in urgency.
    pub(super) deadline_ns: Option<u64>,
    /// When it got SIGABRT for a stopped heartbeat.
    pub(super) aborted_ns: Option<u64>,
    /// When it got SIGKILL. Nothing is sent after that.
    pub(super) killed_ns: Option<u64>,
    /// SIGTERM or SIGQUIT was sent: a second one of the same is noise to us and a forced exit to
    /// uvicorn's workers.
    termed: bool,
    quit: bool,
}

impl Child {
    pub(super) fn new(pid: i32, id: Identity, now_ns: u64) -> Self {
        Self {
            pid,
            id,
            duty: Duty::Serving,
            spawned_ns: now_ns,
            deadline_ns: None,
            aborted_ns: None,
            killed_ns: None,
            termed: false,
            quit: false,
        }
    }

    pub(super) fn retire(&mut self, deadline_ns: u64) {
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
    /// Serves with the old configuration until its successors are forked.
    Outgoing,
    /// Was told to leave and has a deadline.
    Retiring,
}
