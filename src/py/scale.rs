//! The number of workers that follows the load, for the master's loop: `rgunicorn.autoscale`.

use pyo3::prelude::*;

use super::arbiter::{Fleet, nanoseconds};
use super::scoreboard::Slot;
use crate::fleet::{Gauge, Range, Scaler as Policy};

/// Decides how many workers there should be. Times are `time.monotonic_ns()`.
#[pyclass(module = "rgunicorn._core")]
pub(crate) struct Scaler {
    policy: Policy,
}

#[pymethods]
impl Scaler {
    /// Fewest and most workers, threads of each; seconds between two samples, and seconds of calm
    /// before one worker leaves.
    #[new]
    fn new(min: usize, max: usize, threads: usize, interval: f64, calm: f64) -> Self {
        let (interval_ns, calm_ns) = (nanoseconds(interval), nanoseconds(calm));
        let range = Range { min: min.max(1), max, threads: threads.max(1), interval_ns, calm_ns };
        Self { policy: Policy::new(range) }
    }

    /// Whether it is time for the next sample.
    fn is_due(&self, now_ns: u64) -> bool {
        self.policy.is_due(now_ns)
    }

    /// Forgets the load.
    fn start_over(&mut self) {
        self.policy.start_over();
    }

    /// Looks at the workers of `fleet`, whose slots `slots` has by pid. `waiting`: connections that
    /// nobody has accepted.
    ///
    /// Returns None, or how many workers there are to be, the pid of the one that is to leave, and
    /// the reason as the end of a log line.
    fn observe(
        &mut self,
        fleet: &Fleet,
        target: usize,
        slots: Vec<(i32, PyRef<'_, Slot>)>,
        waiting: u64,
        now_ns: u64,
    ) -> Option<(usize, Option<i32>, String)> {
        let gauges: Vec<_> = fleet
            .fleet
            .roster()
            .filter_map(|(pid, age, ready)| {
                let (_, slot) = slots.iter().find(|(it, _)| *it == pid)?;
                let work = slot.handle().work().read(now_ns);
                let (running, running_ns) = (work.running, work.running_ns);
                Some(Gauge { pid, age, ready, running, running_ns, busy_ns: work.busy_ns })
            })
            .collect();
        // With `max_queue` or `max_queue_time` workers let in whom they can't serve yet.
        let transit = slots.first().map_or(0, |(_, slot)| slot.handle().in_transit());
        let lines: u64 = slots.iter().map(|(_, slot)| slot.handle().queued()).sum();
        let waiting = waiting.saturating_add(transit).saturating_add(lines);
        let change = self.policy.observe(now_ns, target, &gauges, waiting)?;
        Some((change.target, change.dismiss, change.reason.to_string()))
    }
}
