//! A server in a simulation, for the tests of `scale.rs`: how much is wanted at each moment is given,
//! workers take their time to boot, what does not fit waits.

use super::scale::{Change, Gauge, Range, Scaler};

pub(super) const SECOND_NS: u64 = 1_000_000_000;
pub(super) const RANGE: Range =
    Range { min: 2, max: 16, threads: 4, interval_ns: SECOND_NS, calm_ns: 30 * SECOND_NS };

pub(super) struct Worker {
    age: u64,
    booted_s: u64,
    busy_ns: u64,
    /// It is at a request that never ends.
    pub(super) endless: bool,
}

/// A server, one second after the other.
pub(super) struct Site {
    range: Range,
    scaler: Scaler,
    pub(super) workers: Vec<Worker>,
    pub(super) target: usize,
    pub(super) now_s: u64,
    next_age: u64,
    boot_s: u64,
    /// Whether the listeners tell how many wait.
    tells: bool,
    /// Connections that wait, now; and the longest time for which somebody did.
    pub(super) waiting: u64,
    short_s: u64,
    pub(super) longest_s: u64,
    pub(super) ups: usize,
    pub(super) downs: usize,
}

impl Site {
    pub(super) fn new(range: Range, boot_s: u64, tells: bool) -> Self {
        let mut site = Self {
            range,
            scaler: Scaler::new(range),
            workers: Vec::new(),
            target: range.min,
            now_s: 1000,
            next_age: 1,
            boot_s,
            tells,
            waiting: 0,
            short_s: 0,
            longest_s: 0,
            ups: 0,
            downs: 0,
        };
        site.spawn();
        site.now_s += boot_s;
        site
    }

    pub(super) fn spawn(&mut self) {
        while self.workers.len() < self.target {
            let (age, booted_s) = (self.next_age, self.now_s + self.boot_s);
            self.workers.push(Worker { age, booted_s, busy_ns: 0, endless: false });
            self.next_age += 1;
        }
    }

    /// One second with so many threads' worth of requests.
    pub(super) fn second(&mut self, wanted: f64) -> Option<Change> {
        self.now_s += 1;
        let threads = self.range.threads as f64;
        let ready = self.workers.iter().filter(|it| it.booted_s < self.now_s).count();
        let room = ready as f64 * threads;
        let part = (wanted.min(room) / room.max(1.0)).min(1.0);
        for worker in self.workers.iter_mut().filter(|it| it.booted_s < self.now_s) {
            worker.busy_ns += (part * threads * SECOND_NS as f64) as u64;
        }
        self.waiting = (wanted - room).max(0.0).ceil() as u64;
        self.short_s = if self.waiting > 0 { self.short_s + 1 } else { 0 };
        self.longest_s = self.longest_s.max(self.short_s);
        let gauges: Vec<_> = self.workers.iter().map(|it| gauge(it, self.now_s)).collect();
        let told = if self.tells { self.waiting } else { 0 };
        let now_ns = self.now_s * SECOND_NS;
        let change = self.scaler.observe(now_ns, self.target, &gauges, told);
        if let Some(change) = change {
            assert!((self.range.min..=self.range.max).contains(&change.target), "{change:?}");
            assert_ne!(change.target, self.target);
            if change.target > self.target {
                assert!(change.target <= self.target * 2 && change.dismiss.is_none());
                self.ups += 1;
            } else {
                assert_eq!(change.target, self.target - 1);
                let leaver = change.dismiss.unwrap();
                let gone = self.workers.iter().position(|it| it.age as i32 == leaver).unwrap();
                assert!(!self.workers[gone].endless, "cut off in its request");
                self.workers.remove(gone);
                self.downs += 1;
            }
            self.target = change.target;
            self.spawn();
        }
        change
    }

    pub(super) fn run(&mut self, seconds: u64, wanted: impl Fn(u64) -> f64) {
        for second in 0..seconds {
            self.second(wanted(second));
        }
    }
}

fn gauge(worker: &Worker, now_s: u64) -> Gauge {
    Gauge {
        pid: worker.age as i32,
        age: worker.age,
        ready: worker.booted_s < now_s,
        running: u64::from(worker.endless),
        running_ns: if worker.endless { 100 * SECOND_NS } else { 0 },
        busy_ns: worker.busy_ns,
    }
}
