//! The pauses before a fork. Workers that die as soon as they live must not eat the CPU with forks
//! nor fill the log; one that dies by chance is replaced at once.

use super::child::Child;
use super::{Exit, TICK_NS};

/// Pause after the first worker that failed to boot while others serve; doubled with each further
/// one, up to [`LONGEST_NS`].
const FIRST_RETRY_NS: u64 = TICK_NS;
/// The same for deaths, from the second on.
const FIRST_PAUSE_NS: u64 = TICK_NS / 2;
/// The longest pause while somebody serves.
const LONGEST_NS: u64 = 32 * TICK_NS;
/// The longest after a death while nobody serves: every second of it is an outage.
const LONGEST_ALONE_NS: u64 = 8 * TICK_NS;

/// A worker that ends sooner than this hardly did any work.
const INFANT_NS: u64 = TICK_NS;
/// Pause before the next fork after such an end. Gunicorn has no back-off; its random pause of
/// 0 to 0.1 s after each fork is what keeps its crash loop off the CPU, and this is its mean.
const RESPAWN_NS: u64 = 50_000_000;
/// Who has served for so long has lived. Crashes that are rarer than this cost little, and a pause
/// would make a request that kills a worker worth more to whoever sends it.
const YOUTH_NS: u64 = 5 * TICK_NS;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// When a worker may be forked.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// The short pause that always counts.
    not_before_ns: u64,
    /// Workers in a row that failed to boot.
    boot_failures: u32,
    retry_ns: u64,
    /// Deaths before a worker was ready, and soon after.
    births: Streak,
    youths: Streak,
}

impl Pacing {
    /// A serving worker ended. Returns the pause when it is to be told of: not for the first in a
    /// row.
    pub(super) fn on_death(
        &mut self,
        child: &Child,
        exit: Exit,
        others_serve: bool,
        now_ns: u64,
    ) -> Option<u64> {
        if now_ns.saturating_sub(child.spawned_ns) < INFANT_NS {
            self.not_before_ns = now_ns.saturating_add(RESPAWN_NS);
        }
        let streak = match age_at_death(child, exit, now_ns) {
            Age::Unborn => &mut self.births,
            Age::Young => &mut self.youths,
            Age::Grown => return None,
        };
        let pause_ns = streak.count(child.spawned_ns, now_ns)?;
        Some(if others_serve { pause_ns } else { pause_ns.min(LONGEST_ALONE_NS) })
    }

    /// Whether this end of a worker is one of those that a pause may follow.
    pub(super) fn is_early(child: &Child, exit: Exit, now_ns: u64) -> bool {
        !matches!(age_at_death(child, exit, now_ns), Age::Grown)
    }

    /// A worker failed to boot while others serve. Returns the pause before the next try.
    pub(super) fn on_boot_failure(&mut self, now_ns: u64) -> u64 {
        let pause_ns = doubled(FIRST_RETRY_NS, self.boot_failures);
        self.boot_failures = self.boot_failures.saturating_add(1).min(16);
        self.retry_ns = now_ns.saturating_add(pause_ns);
        pause_ns
    }

    /// A missing worker could not be forked. Returns the pause before the next try.
    pub(super) fn on_no_room(&mut self, others_serve: bool, now_ns: u64) -> u64 {
        let pause_ns = self.births.count(now_ns, now_ns).unwrap_or(0);
        if others_serve { pause_ns } else { pause_ns.min(LONGEST_ALONE_NS) }
    }

    /// A worker is ready: the code boots.
    pub(super) fn on_ready(&mut self, child: &Child) {
        self.boot_failures = 0;
        self.retry_ns = 0;
        self.births.end_with(child);
    }

    /// A worker serves. Healthy siblings say nothing of those that are forked after them.
    pub(super) fn on_sign_of_life(&mut self, child: &Child, now_ns: u64) {
        if child.shown_ns.is_some_and(|shown_ns| now_ns.saturating_sub(shown_ns) >= YOUTH_NS) {
            self.youths.end_with(child);
        }
    }

    /// New code deserves an immediate try.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// May a worker be forked now? With nobody `serving` the pauses are shorter.
    pub(super) fn allows(&self, serving: bool, now_ns: u64) -> bool {
        now_ns >= self.due_ns(serving)
    }

    /// When forking is allowed again, if it is not now.
    pub(super) fn held_until_ns(&self, serving: bool, now_ns: u64) -> Option<u64> {
        (!self.allows(serving, now_ns)).then_some(self.due_ns(serving))
    }

    fn due_ns(&self, serving: bool) -> u64 {
        let longest_ns = if serving { LONGEST_NS } else { LONGEST_ALONE_NS };
        let retry_ns = if serving { self.retry_ns } else { 0 };
        let births_ns = self.births.due_ns(longest_ns);
        self.not_before_ns.max(retry_ns).max(births_ns).max(self.youths.due_ns(longest_ns))
    }
}

/// Rounds of deaths in a row. All that die of one round of forks are one round: it is a loop when
/// their successors die as well.
#[derive(Debug, Default)]
struct Streak {
    rounds: u32,
    last_ns: u64,
}

impl Streak {
    /// Counts a death; the pause that follows, if this is what begins it.
    fn count(&mut self, spawned_ns: u64, now_ns: u64) -> Option<u64> {
        if self.rounds > 0 && spawned_ns < self.last_ns {
            return None;
        }
        self.rounds = self.rounds.saturating_add(1).min(16);
        self.last_ns = now_ns;
        Some(self.pause_ns()).filter(|pause_ns| *pause_ns > 0)
    }

    fn end_with(&mut self, child: &Child) {
        if child.spawned_ns >= self.last_ns {
            *self = Self::default();
        }
    }

    fn due_ns(&self, longest_ns: u64) -> u64 {
        self.last_ns.saturating_add(self.pause_ns().min(longest_ns))
    }

    fn pause_ns(&self) -> u64 {
        self.rounds.checked_sub(2).map_or(0, |doublings| doubled(FIRST_PAUSE_NS, doublings))
    }
}

fn doubled(first_ns: u64, times: u32) -> u64 {
    first_ns.saturating_mul(1 << times.min(16)).min(LONGEST_NS)
}

enum Age {
    /// It has never shown that it lives.
    Unborn,
    /// It crashed soon after that.
    Young,
    Grown,
}

/// How old a worker was that ended by itself, as far as its end speaks against it.
///
/// One that leaves with code 0 has done what it was to do, as with `max_requests`. SIGKILL and
/// SIGTERM come from others; where the kernel kills for want of memory, the loop is as slow as
/// memory fills. What the master has ended itself, it has waited for.
fn age_at_death(child: &Child, exit: Exit, now_ns: u64) -> Age {
    if child.was_ended() {
        return Age::Grown;
    }
    let by_itself = !matches!(exit, Exit::Code(0) | Exit::Signal(SIGKILL | SIGTERM));
    match child.shown_ns {
        None => Age::Unborn,
        Some(_) if by_itself && !child.ready => Age::Unborn,
        Some(shown_ns) if by_itself && now_ns.saturating_sub(shown_ns) < YOUTH_NS => Age::Young,
        Some(_) => Age::Grown,
    }
}
