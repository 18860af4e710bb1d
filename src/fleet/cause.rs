//! Why a worker was told to leave.

use super::{Duty, Fleet};

/// Why a worker was told to leave. The first reason counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It belongs to another generation than the one that is to serve.
    Reload,
    /// There are more than there should be.
    Surplus,
    /// It has asked for it.
    Wish,
    /// The server stops.
    Stop,
}

impl Fleet {
    /// Why `pid` was told to leave; `None` when it was not.
    pub fn cause(&self, pid: i32) -> Option<Cause> {
        self.children.iter().find(|it| it.pid == pid)?.cause
    }

    /// Whether workers are missing and none is forked, because they end too early or do not boot.
    pub fn holds_back(&self, now_ns: u64) -> bool {
        let missing = self.count(Duty::Serving) < self.target && self.missing() > 0;
        missing && !self.pacing.allows(self.is_anybody_ready(), now_ns)
    }
}
