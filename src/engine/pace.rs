//! How long the application's calls last: short ones are run by the thread that leads the engine,
//! long ones by others.

use std::time::Duration;

use crate::sys::clock::Clock;
use crate::sys::thread;

/// Every so many calls the thread's CPU time is asked for too; that is a system call. Not while calls are so
/// short that none of them can have waited for long.
const SAMPLE_EVERY: u32 = 16;
/// Calls that wait longer than this for something else than the CPU are worth a second thread.
const WAITS_UP_TO: Duration = Duration::from_micros(50);
/// One call that lasted counts for no more than this, so that the next ones can outvote it.
const COUNTS_UP_TO_NS: u64 = 10_000_000;

/// Calls of a lone thread that seem to take longer are looked at: another process may have had the CPU.
/// Hardly ever for as long as [`COUNTS_UP_TO_NS`].
const LOOKED_AT_FROM_NS: u64 = 500_000;

/// One call, measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lap {
    /// From start to end, nanoseconds; as far as that is known, without the time in which others had
    /// the CPU.
    pub took_ns: u64,
    /// The part of it in which the thread did not compute, when that was measured, or can not be much.
    pub waited_ns: Option<u64>,
}

/// Measures calls of one thread.
#[derive(Debug)]
pub struct Stopwatch {
    /// Whether waiting is of interest: where there is a second thread.
    samples: bool,
    /// While a call runs.
    begun_ns: Option<u64>,
    begun_cpu_ns: Option<u64>,
    calls: u32,
    /// How long calls take, as a moving average.
    usual_ns: u64,
    /// For how long the thread had no CPU, when that was last asked.
    off_cpu_ns: u64,
}

impl Stopwatch {
    /// One that has not been started, for the calling thread. `samples`: measures now and then how long
    /// a call waits.
    pub fn new(samples: bool) -> Self {
        let off_cpu_ns = if samples { 0 } else { thread::off_cpu_ns().unwrap_or(0) };
        // The first ones are measured.
        let usual_ns = COUNTS_UP_TO_NS;
        Self { samples, begun_ns: None, begun_cpu_ns: None, calls: 0, usual_ns, off_cpu_ns }
    }

    /// A call begins; the clock has just been read.
    pub fn start(&mut self, clock: &Clock) {
        self.begun_ns = Some(clock.now_ns());
        self.calls = self.calls.wrapping_add(1);
        let is_due = self.is_due() && can_wait_long(self.usual_ns);
        self.begun_cpu_ns = is_due.then(thread::cpu_ns);
    }

    /// It has ended; the clock has just been read. `None`: there was no call.
    pub fn stop(&mut self, clock: &Clock) -> Option<Lap> {
        let mut took_ns = clock.now_ns().saturating_sub(self.begun_ns.take()?);
        if (LOOKED_AT_FROM_NS..COUNTS_UP_TO_NS).contains(&took_ns) && !self.samples {
            took_ns = took_ns.saturating_sub(self.take_off_cpu_ns());
        }
        let waited_ns = match self.begun_cpu_ns {
            Some(begun_ns) => {
                Some(took_ns.saturating_sub(thread::cpu_ns().saturating_sub(begun_ns)))
            }
            None => (self.is_due() && !can_wait_long(took_ns)).then_some(0),
        };
        self.usual_ns = (self.usual_ns * 7 + took_ns.min(COUNTS_UP_TO_NS)) / 8;
        Some(Lap { took_ns, waited_ns })
    }

    /// Whether of this call it is of interest how long it waits.
    fn is_due(&self) -> bool {
        self.samples && self.calls % SAMPLE_EVERY == 1
    }

    /// For how long the thread had no CPU since this was last asked, which may be some calls ago. The
    /// first of several long calls may thus be taken for a short one, the second is not.
    fn take_off_cpu_ns(&mut self) -> u64 {
        let now_ns = thread::off_cpu_ns().unwrap_or(self.off_cpu_ns);
        now_ns.saturating_sub(std::mem::replace(&mut self.off_cpu_ns, now_ns))
    }
}

/// Whether a call that takes so long can have waited for long enough to count as one that does.
fn can_wait_long(took_ns: u64) -> bool {
    u128::from(took_ns) > WAITS_UP_TO.as_nanos()
}

/// Moving averages over the calls of one worker.
#[derive(Debug, Default)]
pub struct Pace {
    took_ns: u64,
    waited_ns: u64,
}

impl Pace {
    /// Takes one call into account.
    pub fn note(&mut self, lap: Lap) {
        let took_ns = lap.took_ns.min(COUNTS_UP_TO_NS);
        self.took_ns = (self.took_ns * 7 + took_ns) / 8;
        if let Some(waited_ns) = lap.waited_ns {
            self.waited_ns = (self.waited_ns * 3 + waited_ns.min(COUNTS_UP_TO_NS)) / 4;
        }
    }

    /// Whether calls are worth the way to another thread: they take longer than `inline_up_to`,
    /// or wait for something while another call could compute.
    pub fn is_long(&self, inline_up_to: Duration) -> bool {
        u128::from(self.took_ns) > inline_up_to.as_nanos()
            || u128::from(self.waited_ns) > WAITS_UP_TO.as_nanos()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(1);

    fn lap(took_ns: u64, waited_ns: Option<u64>) -> Lap {
        Lap { took_ns, waited_ns }
    }

    #[test]
    fn one_call_that_lasts_is_soon_outvoted() {
        let mut pace = Pace::default();
        assert!(!pace.is_long(LIMIT));
        pace.note(lap(30_000_000_000, None));
        assert!(pace.is_long(LIMIT));
        for _ in 0..3 {
            pace.note(lap(5_000, None));
        }
        assert!(!pace.is_long(LIMIT));
    }

    #[test]
    fn calls_that_wait_are_long_even_when_they_are_short() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            pace.note(lap(300_000, Some(250_000)));
        }
        assert!(pace.is_long(LIMIT));
        for _ in 0..20 {
            pace.note(lap(300_000, Some(1_000)));
        }
        assert!(!pace.is_long(LIMIT));
    }

    fn measured(watch: &mut Stopwatch, call: impl FnOnce()) -> (u64, Lap) {
        let mut clock = Clock::new();
        let begun_ns = clock.now_ns();
        watch.start(&clock);
        call();
        clock.tick();
        (clock.now_ns() - begun_ns, watch.stop(&clock).unwrap())
    }

    #[test]
    fn calls_that_wait_are_long_after_two_of_them() {
        let (mut watch, mut pace) = (Stopwatch::new(false), Pace::default());
        for _ in 0..2 {
            let call = || std::thread::sleep(Duration::from_millis(10));
            pace.note(measured(&mut watch, call).1);
        }
        assert!(pace.is_long(LIMIT));
    }

    #[test]
    fn time_in_which_others_have_the_cpu_is_not_the_calls_own() {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 * std::thread::available_parallelism().unwrap().get() {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let was_off_cpu = |_| {
                let mut watch = Stopwatch::new(false);
                let cpu_ns = thread::cpu_ns();
                let call = || while thread::cpu_ns() < cpu_ns + 2 * LOOKED_AT_FROM_NS {};
                let (wall_ns, lap) = measured(&mut watch, call);
                lap.took_ns < wall_ns
            };
            let seen = (0..10_000).any(was_off_cpu);
            over.store(true, Ordering::Relaxed);
            assert!(seen);
        });
    }

    #[test]
    fn the_first_call_and_then_some_are_sampled() {
        let (mut watch, mut clock) = (Stopwatch::new(true), Clock::new());
        let mut samples = 0;
        for _ in 0..2 * SAMPLE_EVERY {
            clock.tick();
            watch.start(&clock);
            clock.tick();
            samples += u32::from(watch.stop(&clock).unwrap().waited_ns.is_some());
        }
        assert!(watch.stop(&clock).is_none());
        assert_eq!(samples, 2);
    }

    #[test]
    fn short_calls_are_known_not_to_wait() {
        let (mut watch, mut clock) = (Stopwatch::new(true), Clock::new());
        let mut run = |took_ns| {
            let (mut asked, mut known) = (0, 0);
            for _ in 0..4 * SAMPLE_EVERY {
                watch.start(&clock);
                asked += u32::from(watch.begun_cpu_ns.is_some());
                clock.advance(clock.now_ns() + took_ns);
                known += u32::from(watch.stop(&clock).unwrap().waited_ns.is_some());
            }
            (asked, known)
        };
        run(5_000);
        assert_eq!(run(5_000), (0, 4));
        // The first of them is not expected to be long.
        assert_eq!(run(300_000), (3, 3));
    }
}
