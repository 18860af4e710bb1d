//! Everything in supervision that depends on time: when a silent worker is stuck, when the whole
//! machine slept instead, and when a crashing worker may be replaced.

/// How often the master looks at its workers when nothing happens.
pub const TICK_NS: u64 = 1_000_000_000;

/// A gap between two looks this much longer than a tick means that the master did not run.
const SUSPEND_NS: u64 = 3 * TICK_NS;

/// A serving worker that ends sooner than this did hardly any work.
const INFANT_NS: u64 = TICK_NS;
/// Pause before the next fork after such a death. Gunicorn has no back-off; its random pause of
/// 0 to 0.1 s after each fork is what keeps its crash loop off the CPU, and this is its mean.
const RESPAWN_NS: u64 = 50_000_000;

/// Pause after a first worker that failed to boot while others serve; doubled with each further
/// one, up to [`LAST_RETRY_NS`].
const FIRST_RETRY_NS: u64 = TICK_NS;
/// The longest such pause.
const LAST_RETRY_NS: u64 = 32 * TICK_NS;

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

    /// What a worker with this last heartbeat deserves. SIGKILL follows SIGABRT after one full
    /// tick, so that the worker has that long to say where it is stuck.
    pub(super) fn verdict(
        &self,
        now_ns: u64,
        beat_ns: u64,
        timeout_ns: u64,
        aborted_ns: Option<u64>,
    ) -> Verdict {
        if now_ns.saturating_sub(beat_ns.max(self.resumed_ns)) <= timeout_ns {
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

/// Keeps a worker that dies at birth from eating the CPU with forks, and code that does not boot
/// from filling the log.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    not_before_ns: u64,
    /// Workers in a row that failed to boot.
    boot_failures: u32,
    retry_ns: u64,
}

impl Pacing {
    /// A serving worker ended after `lived_ns`.
    pub(super) fn on_death(&mut self, lived_ns: u64, now_ns: u64) {
        if lived_ns < INFANT_NS {
            self.not_before_ns = now_ns.saturating_add(RESPAWN_NS);
        }
    }

    /// A worker failed to boot while others serve. Returns the pause before the next try.
    pub(super) fn on_boot_failure(&mut self, now_ns: u64) -> u64 {
        let pause_ns = FIRST_RETRY_NS
            .checked_shl(self.boot_failures)
            .unwrap_or(LAST_RETRY_NS)
            .clamp(FIRST_RETRY_NS, LAST_RETRY_NS);
        self.boot_failures = self.boot_failures.saturating_add(1).min(16);
        self.retry_ns = now_ns.saturating_add(pause_ns);
        pause_ns
    }

    /// A worker is ready: the code boots.
    pub(super) fn on_ready(&mut self) {
        self.boot_failures = 0;
        self.retry_ns = 0;
    }

    /// New code deserves an immediate try.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// May a worker be forked now? With nobody `serving` only the short pause counts.
    pub(super) fn allows(&self, serving: bool, now_ns: u64) -> bool {
        now_ns >= self.due_ns(serving)
    }

    /// When forking is allowed again, if it is not now.
    pub(super) fn held_until_ns(&self, serving: bool, now_ns: u64) -> Option<u64> {
        (!self.allows(serving, now_ns)).then_some(self.due_ns(serving))
    }

    fn due_ns(&self, serving: bool) -> u64 {
        if serving { self.not_before_ns.max(self.retry_ns) } else { self.not_before_ns }
    }
}
