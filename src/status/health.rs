//! Whether the server can take requests: decisions on a snapshot. No clock, no process.

use std::fmt::Write;

use super::stall::Stall;
use crate::sys::course::Course;
use crate::sys::snapshot::{Snapshot, WorkerView};

const SECOND_NS: u64 = 1_000_000_000;

/// Where a server stops being ready.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `timeout`: a worker without a heartbeat for so long does not count. 0 for no limit.
    pub timeout_ns: u64,
    /// All threads of all workers have been at the same requests for so long.
    pub stuck_ns: u64,
    /// `max_queue`: with so many requests in line the next one is refused. 0 for no limit.
    pub max_queue: u64,
}

/// One of the things that must be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it is.
    pub passed: bool,
    /// How it is, for people.
    pub text: String,
}

/// All of them. `now_ns` is CLOCK_MONOTONIC.
pub fn checks(snapshot: &Snapshot, stall: &Stall, limits: &Limits, now_ns: u64) -> [Check; 4] {
    [
        course(snapshot.server.course),
        workers(snapshot, limits, now_ns),
        queue(snapshot, limits),
        threads(snapshot, stall, limits, now_ns),
    ]
}

/// The page: one line for the verdict, and one for each check.
pub fn page(checks: &[Check]) -> String {
    let ready = checks.iter().all(|check| check.passed);
    let mut text = String::from(if ready { "ready\n" } else { "not ready\n" });
    for Check { name, passed, text: how } in checks {
        let verdict = if *passed { "ok" } else { "FAILED" };
        // A String takes everything.
        let _ = writeln!(text, "{name}: {verdict}, {how}");
    }
    text
}

fn course(course: Course) -> Check {
    let text = match course {
        Course::Serving => "it serves",
        Course::Parting => "it is about to stop (shutdown_delay); requests are served still",
        Course::Leaving | Course::Closing | Course::Quitting => "it is stopping",
    };
    Check { name: "server", passed: course == Course::Serving, text: text.into() }
}

fn workers(snapshot: &Snapshot, limits: &Limits, now_ns: u64) -> Check {
    let all = alive(snapshot).count();
    let booted = alive(snapshot).filter(|worker| worker.booted_ns.is_some()).count();
    let beating = serving(snapshot, limits, now_ns).count();
    let text = match (booted, beating) {
        _ if all == 0 => "there is none".into(),
        (0, _) => format!("none of {all} has booted"),
        (_, 0) => format!(
            "none of the {booted} that have booted has given a sign of life for {} s (timeout)",
            limits.timeout_ns / SECOND_NS
        ),
        _ => format!("{beating} of {all} can take requests"),
    };
    Check { name: "workers", passed: beating > 0, text }
}

fn queue(snapshot: &Snapshot, limits: &Limits) -> Check {
    let waiting = alive(snapshot).map(|worker| worker.queued).sum::<u64>();
    let waiting = waiting.saturating_add(snapshot.server.in_transit);
    let text = match limits.max_queue {
        0 => format!("{waiting} wait, and there is no limit (max_queue)"),
        most => format!("{waiting} wait, and {most} may (max_queue)"),
    };
    Check { name: "queue", passed: limits.max_queue == 0 || waiting < limits.max_queue, text }
}

/// Fails when there is no thread that could come free for what we know: each of them has been at the
/// same request for too long. One worker that does not say is enough to pass.
fn threads(snapshot: &Snapshot, stall: &Stall, limits: &Limits, now_ns: u64) -> Check {
    let (mut room, mut running, mut shortest) = (0, 0, u64::MAX);
    for worker in serving(snapshot, limits, now_ns) {
        room += worker.room;
        running += worker.work.running;
        shortest = shortest.min(stall.of(worker, now_ns).unwrap_or(0));
    }
    // With nobody there is another check that fails.
    let passed = shortest == u64::MAX || shortest < limits.stuck_ns;
    let text = match (passed, room) {
        (false, _) => format!(
            "all {room} have been at the same requests for {} s or more",
            shortest / SECOND_NS
        ),
        (true, 0) => format!("{running} are busy"),
        (true, _) => format!("{running} of {room} are busy"),
    };
    Check { name: "threads", passed, text }
}

fn alive(snapshot: &Snapshot) -> impl Iterator<Item = &WorkerView> {
    snapshot.workers.iter().filter(|worker| worker.alive)
}

/// Those that have booted and have given a sign of life lately.
fn serving<'a>(
    snapshot: &'a Snapshot,
    limits: &'a Limits,
    now_ns: u64,
) -> impl Iterator<Item = &'a WorkerView> {
    alive(snapshot).filter(move |worker| {
        let Some(booted_ns) = worker.booted_ns else { return false };
        let last_ns = worker.heartbeat_ns.unwrap_or(booted_ns);
        limits.timeout_ns == 0 || now_ns.saturating_sub(last_ns) < limits.timeout_ns
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::connections::Connections;
    use crate::sys::scoreboard::{Scoreboard, Slot};

    const LIMITS: Limits =
        Limits { timeout_ns: 30 * SECOND_NS, stuck_ns: 60 * SECOND_NS, max_queue: 5 };

    struct Scene {
        board: Scoreboard,
        stall: Stall,
    }

    impl Scene {
        fn new() -> Self {
            Self { board: Scoreboard::new(None).unwrap(), stall: Stall::default() }
        }

        fn worker(&self, index: usize) -> Slot {
            let slot = self.board.claim(index, index as u64 + 1).unwrap();
            slot.set_room(1);
            slot
        }

        /// Names of what fails at that second.
        fn fails(&mut self, second: u64, limits: &Limits) -> Vec<&'static str> {
            let now_ns = second * SECOND_NS;
            let snapshot = self.board.snapshot(now_ns);
            self.stall.look(&snapshot, now_ns);
            let checks = checks(&snapshot, &self.stall, limits, now_ns);
            assert_eq!(page(&checks).starts_with("ready\n"), checks.iter().all(|it| it.passed));
            checks.iter().filter(|check| !check.passed).map(|check| check.name).collect()
        }
    }

    #[test]
    fn somebody_must_have_booted_and_live() {
        let mut scene = Scene::new();
        assert_eq!(scene.fails(1, &LIMITS), ["workers"]);
        let slot = scene.worker(0);
        assert_eq!(scene.fails(1, &LIMITS), ["workers"]);
        slot.set_booted(Some(SECOND_NS));
        assert!(scene.fails(2, &LIMITS).is_empty());
        assert_eq!(scene.fails(31, &LIMITS), ["workers"]);
        assert!(scene.fails(31, &Limits { timeout_ns: 0, ..LIMITS }).is_empty());
        slot.beat(20 * SECOND_NS);
        assert!(scene.fails(31, &LIMITS).is_empty());
        slot.release();
        assert_eq!(scene.fails(31, &LIMITS), ["workers"]);
    }

    #[test]
    fn a_server_that_stops_is_not_ready() {
        let mut scene = Scene::new();
        scene.worker(0).set_booted(Some(SECOND_NS));
        for course in Course::ALL {
            scene.board.set_course(course, 0);
            let expected: &[&str] = if course == Course::Serving { &[] } else { &["server"] };
            assert_eq!(scene.fails(2, &LIMITS), expected);
        }
    }

    #[test]
    fn a_full_queue_takes_nobody() {
        let mut scene = Scene::new();
        let slot = scene.worker(0);
        slot.set_booted(Some(SECOND_NS));
        slot.set_connection_states(Connections { waiting: 3, ..Connections::default() });
        slot.enter_transit();
        assert!(scene.fails(2, &LIMITS).is_empty());
        slot.enter_transit();
        assert_eq!(scene.fails(2, &LIMITS), ["queue"]);
        assert!(scene.fails(2, &Limits { max_queue: 0, ..LIMITS }).is_empty());
    }

    #[test]
    fn one_thread_that_moves_is_enough() {
        let mut scene = Scene::new();
        let (one, other) = (scene.worker(0), scene.worker(1));
        for slot in [one, other] {
            slot.set_booted(Some(SECOND_NS));
            slot.work().begin(SECOND_NS);
        }
        let calm = Limits { timeout_ns: 0, ..LIMITS };
        assert!(scene.fails(2, &calm).is_empty());
        assert!(scene.fails(61, &calm).is_empty());
        assert_eq!(scene.fails(62, &calm), ["threads"]);
        other.work().end(SECOND_NS, 62 * SECOND_NS);
        assert!(scene.fails(63, &calm).is_empty());
        other.work().begin(63 * SECOND_NS);
        assert!(scene.fails(64, &calm).is_empty());
        // One that does not say how many it can run.
        let third = scene.worker(2);
        third.set_booted(Some(64 * SECOND_NS));
        third.set_room(0);
        assert!(scene.fails(200, &calm).is_empty());
    }
}
