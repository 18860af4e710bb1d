//! Workers that end, or never begin.

use super::action::Action;
use super::pacing::Pacing;
use super::{APP_LOAD_ERROR, Duty, Exit, Fleet, Phase, WORKER_BOOT_ERROR};

impl Fleet {
    /// The kernel reported the end of `pid`. The caller has reported its last signs before.
    pub fn on_exited(&mut self, pid: i32, exit: Exit, now_ns: u64) -> Vec<Action> {
        let Some(child) = self.remove(pid) else {
            return vec![Action::Unknown { pid }];
        };
        let mut actions = match exit {
            Exit::Code(0) => Vec::new(),
            Exit::Code(code) => vec![Action::ReportCode { pid, code }],
            Exit::Signal(signal) => vec![Action::ReportSignal { pid, signal }],
        };
        let failure = match exit {
            // What it says when it was aborted says nothing of the code.
            _ if child.hung => None,
            Exit::Code(code @ WORKER_BOOT_ERROR) => Some((code, "Worker failed to boot.")),
            Exit::Code(code @ APP_LOAD_ERROR) => Some((code, "App failed to load.")),
            _ => None,
        };
        if self.phase != Phase::Running {
            // Gunicorn raises a second HaltServer out of its own shutdown when several workers
            // fail at once, and so loses exit status and shutdown lines: one halt is enough.
            if failure.is_none() {
                actions.push(Action::ChildExit { pid });
            }
            return actions;
        }
        // Nobody waits for one that is to leave, or whose successors are on their way.
        if child.duty == Duty::Serving {
            // One at a time, a generation that dies in service would take its predecessors along.
            let dies = self.is_rolling() && Pacing::is_early(&child, exit, now_ns);
            if self.is_gated() && (failure.is_some() || !child.ready || dies) {
                self.pacing.on_boot_failure(now_ns);
                self.give_up(Some(pid), now_ns, &mut actions);
            } else if let Some((code, reason)) = failure {
                if !self.established || !self.is_anybody_ready() {
                    self.phase = Phase::Halting;
                    actions.push(Action::Halt { reason, code });
                    return actions;
                }
                let pause_ns = self.pacing.on_boot_failure(now_ns);
                actions.push(Action::RetryBoot { pid, pause_ns });
            } else {
                let others_serve = self.is_anybody_ready();
                let pause_ns = self.pacing.on_death(&child, exit, others_serve, now_ns);
                actions.extend(pause_ns.map(|pause_ns| Action::BackOff { pid, pause_ns }));
            }
        }
        actions.push(Action::ChildExit { pid });
        actions
    }

    /// `pid` does not exist any more although no exit was reported (somebody else waited for it).
    pub fn on_vanished(&mut self, pid: i32, now_ns: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        let candidate = self.remove(pid).is_some_and(|it| it.duty == Duty::Serving && !it.ready);
        if candidate && self.is_gated() && self.phase == Phase::Running {
            self.give_up(Some(pid), now_ns, &mut actions);
        }
        actions
    }

    /// No worker could be forked. Without an answer there is nothing that policy can do about it;
    /// else a reload is given up, or a worker stays until its successor can be forked, or there is
    /// another try. `scarce`: the machine has no room for it at the moment, which may pass.
    pub fn on_spawn_failed(&mut self, scarce: bool, now_ns: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.phase != Phase::Running {
            return actions;
        }
        if self.is_gated() {
            self.give_up(None, now_ns, &mut actions);
        } else if self.awaited() > 0 && self.on_duty() >= self.target {
            let pause_ns = self.pacing.on_boot_failure(now_ns);
            actions.push(Action::RetryFork { pause_ns });
        } else if scarce && self.established {
            let pause_ns = self.pacing.on_no_room(self.is_anybody_ready(), now_ns);
            actions.push(Action::NoRoom { pause_ns });
        }
        actions
    }
}
