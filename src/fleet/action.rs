//! What the fleet tells its caller to do.

/// The signals that policy sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sig {
    /// Leave after the current request.
    Term,
    /// Leave now.
    Quit,
    /// Report where you are stuck and leave.
    Abrt,
    /// The end.
    Kill,
}

/// What the caller has to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Fork one worker as [`Fleet::next_child`] says.
    Spawn,
    /// Send the signal.
    Kill {
        /// To whom.
        pid: i32,
        /// Which.
        sig: Sig,
    },
    /// Log that the worker exited with a code other than 0.
    ReportCode {
        /// Who ended.
        pid: i32,
        /// Its exit code.
        code: i32,
    },
    /// Log that a signal ended the worker.
    ReportSignal {
        /// Who ended.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
    /// Log that the worker's heartbeat has stopped; the signal follows as its own action.
    ReportTimeout {
        /// Who is stuck.
        pid: i32,
    },
    /// Log that the worker takes too long to be ready, and where it hangs; the signal follows.
    ReportHang {
        /// Who hangs.
        pid: i32,
    },
    /// A process ended that the fleet never forked (orphans come to PID 1).
    Unknown {
        /// Who ended.
        pid: i32,
    },
    /// Run the `child_exit` hook. Gunicorn skips it for workers that failed to boot.
    ChildExit {
        /// Who ended.
        pid: i32,
    },
    /// Log that the worker failed to boot, and that another try follows because others serve.
    RetryBoot {
        /// Who ended.
        pid: i32,
        /// Until the next try.
        pause_ns: u64,
    },
    /// Log that a successor could not be forked; another try follows.
    RetryFork {
        /// Until the next try.
        pause_ns: u64,
    },
    /// Log that the machine has no room for a worker that is missing; another try follows.
    NoRoom {
        /// Until the next try.
        pause_ns: u64,
    },
    /// Log that workers die soon after they were forked, and that the next fork waits.
    BackOff {
        /// Who ended.
        pid: i32,
        /// Until the next fork.
        pause_ns: u64,
    },
    /// The reload is done: what only the old generation needed can go.
    Reloaded,
    /// The reload is given up: bring the old configuration back, and say so.
    ReloadFailed {
        /// The new worker that ended before it was ready; `None` when they took too long.
        pid: Option<i32>,
        /// How many new workers serve already, until ones with the old configuration are ready.
        stay: usize,
    },
    /// End the master.
    Halt {
        /// For the log.
        reason: &'static str,
        /// Exit status of the master.
        code: i32,
    },
}
