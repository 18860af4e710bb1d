//! When a silent worker is stuck, and when the whole machine slept instead.

/// How often the master looks at its workers when nothing happens.
pub const TICK_NS: u64 = 1_000_000_000;

/// A gap between two looks this much longer than a tick means that the master did not run.
const SUSPEND_NS: u64 = 3 * TICK_NS;

/// Judges heartbeats, and forgives the time during which the master itself was stopped.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last_tick_ns: Option<u64>,
    /// Heartbeats older than this count as if they had come at this time.
    resumed_ns: u64,
}

impl Clock {
    /// There is somebody to judge: a gap before the first tick counts as well.
    pub(super) fn start(&mut self, now_ns: u64) {
        self.last_tick_ns.get_or_insert(now_ns);
    }

    /// Notices that the master did not run between two ticks (SIGSTOP, a frozen cgroup, a
    /// laptop that slept): its workers did not run either and get their whole timeout again.
    ///
    /// An idle worker beats every half timeout at the latest, so a gap shorter than that half
    /// cannot make a healthy worker look stuck, and a master that is merely slow keeps judging.
    pub(super) fn on_tick(&mut self, now_ns: u64, timeout_ns: u64) {
        if let Some(last_ns) = self.last_tick_ns {
            if now_ns.saturating_sub(last_ns) > SUSPEND_NS.max(timeout_ns / 2) {
                self.resumed_ns = now_ns;
            }
        }
        self.last_tick_ns = Some(now_ns);
    }

    /// For how long the machine has run since `then_ns`, at least.
    pub(super) fn since_ns(&self, then_ns: u64, now_ns: u64) -> u64 {
        now_ns.saturating_sub(then_ns.max(self.resumed_ns))
    }

    /// What a worker with this last heartbeat deserves. SIGKILL follows SIGABRT after one full
    /// tick, so that the worker has that long to say where it is stuck.
    pub(super) fn verdict(
        &self,
        now_ns: u64,
        beat_ns: u64,
        timeout_ns: u64,
        aborted_ns: Option<u64>,
    ) -> Verdict {
        if self.since_ns(beat_ns, now_ns) <= timeout_ns {
            return Verdict::Alive;
        }
        match aborted_ns {
            None => Verdict::Abort,
            Some(aborted_ns) if now_ns.saturating_sub(aborted_ns) < TICK_NS => Verdict::Alive,
            Some(_) => Verdict::Kill,
        }
    }
}

/// What becomes of a worker at one look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Alive,
    Abort,
    Kill,
}
