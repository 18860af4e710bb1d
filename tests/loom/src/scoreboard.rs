//! The scoreboard: who counts, who gives a slot to the next worker, and what others see meanwhile.

use std::iter;

use loom::sync::Arc;
use loom::thread;

use crate::model;
use crate::sync::{AtomicU64, Ordering, channel, fence};

mod turn {
    use super::{AtomicU64, Ordering, fence};

    include!(concat!(env!("OUT_DIR"), "/turn.rs"));

    pub(super) fn turn() -> Turn {
        Turn(AtomicU64::new(0))
    }
}

mod owed {
    use super::{AtomicU64, Ordering};

    include!(concat!(env!("OUT_DIR"), "/owed.rs"));

    pub(super) fn owed() -> Owed {
        Owed(AtomicU64::new(0))
    }
}

mod work {
    use super::{AtomicU64, Ordering};

    include!(concat!(env!("OUT_DIR"), "/work.rs"));

    pub(super) const UNIT_NS: u64 = 1 << UNIT_BITS;

    pub(super) fn work() -> WorkCells {
        WorkCells { running: AtomicU64::new(0), done_ns: AtomicU64::new(0) }
    }
}

mod tally {
    use super::{AtomicU64, Ordering};

    include!(concat!(env!("OUT_DIR"), "/tally.rs"));

    fn cells<const N: usize>() -> [AtomicU64; N] {
        std::array::from_fn(|_| AtomicU64::new(0))
    }

    fn histogram() -> HistogramCells {
        HistogramCells { sum_ns: AtomicU64::new(0), buckets: cells() }
    }

    pub(super) fn tally() -> TallyCells {
        TallyCells {
            responses: cells(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            _line: AtomicU64::new(0),
            events: cells(),
            queue: histogram(),
            app: histogram(),
            write: histogram(),
            whole: histogram(),
        }
    }

    impl TallyCells {
        /// One number of all that `read_with` reads, which would be too many orders.
        pub(super) fn count_of(&self, other: &Self, event: Event) -> u64 {
            let one = std::array::from_ref(&self.events[event as usize]);
            let two = std::array::from_ref(&other.events[event as usize]);
            load_both(one, two)[0]
        }
    }

    pub(super) fn connections() -> ConnectionCells {
        ConnectionCells(cells())
    }
}

mod till {
    use super::Slot;
    use super::tally::{Event, Outcome, TallyCells, add_alone, add_beside_others};

    include!(concat!(env!("OUT_DIR"), "/till.rs"));
}

mod course {
    use super::{Ordering, Scoreboard, Slot};

    include!(concat!(env!("OUT_DIR"), "/course.rs"));
}
use course::Course;
use tally::{Connections, Event, Outcome, Tally};

const MAGIC: u64 = 77;
const VERSION: u64 = 10;
const SLOT_SIZE: usize = 2048;
const SLOTS: usize = 2;

#[derive(Debug)]
struct Header {
    magic: AtomicU64,
    version: AtomicU64,
    slot_size: AtomicU64,
    slots: AtomicU64,
    taken: AtomicU64,
    course: AtomicU64,
    stops_until_ns: AtomicU64,
    transit: AtomicU64,
}

/// What `Slot::clear` writes, and what there is to count.
#[derive(Debug)]
struct Cells {
    pid: AtomicU64,
    age: AtomicU64,
    state: AtomicU64,
    heartbeat_ns: AtomicU64,
    owed: owed::Owed,
    waiting: AtomicU64,
    booted_ns: AtomicU64,
    wish: AtomicU64,
    turn: turn::Turn,
    heirless: AtomicU64,
    queued: AtomicU64,
    claimed_ns: AtomicU64,
    claimed_at_ns: AtomicU64,
    room: AtomicU64,
    requests_before: AtomicU64,
    respawns: AtomicU64,
    work: work::WorkCells,
    connections: tally::ConnectionCells,
    own: tally::TallyCells,
    aside: tally::TallyCells,
}

#[derive(Clone, Copy, Debug)]
struct Scoreboard {
    header: &'static Header,
    slots: &'static [Cells],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    cells: &'static Cells,
    board: Scoreboard,
}

impl Slot {
    fn tell_nothing_of_its_own(self) {}
}

impl Cells {
    fn tally(&self) -> Tally {
        self.own.read_with(&self.aside)
    }
}

fn monotonic_ns() -> u64 {
    1
}

fn realtime_ns() -> u64 {
    1
}

include!(concat!(env!("OUT_DIR"), "/slot.rs"));

/// As a fresh mapping: all zeros. Mapped as long as the process.
fn board(workers: usize) -> Scoreboard {
    let zero = || AtomicU64::new(0);
    let cells = || Cells {
        pid: zero(),
        age: zero(),
        state: zero(),
        heartbeat_ns: zero(),
        owed: owed::owed(),
        waiting: zero(),
        booted_ns: zero(),
        wish: zero(),
        turn: turn::turn(),
        heirless: zero(),
        queued: zero(),
        claimed_ns: zero(),
        claimed_at_ns: zero(),
        room: zero(),
        requests_before: zero(),
        respawns: zero(),
        work: work::work(),
        connections: tally::connections(),
        own: tally::tally(),
        aside: tally::tally(),
    };
    let header = Header {
        magic: zero(),
        version: zero(),
        slot_size: zero(),
        slots: zero(),
        taken: AtomicU64::new(workers as u64),
        course: zero(),
        stops_until_ns: zero(),
        transit: zero(),
    };
    let slots = iter::repeat_with(cells).take(workers).collect::<Vec<_>>();
    Scoreboard { header: Box::leak(Box::new(header)), slots: Box::leak(slots.into_boxed_slice()) }
}

fn slot(board: Scoreboard, index: usize) -> Slot {
    Slot { cells: &board.slots[index], board }
}

/// The master gives a slot to the next worker, and again, while the status process reads it.
#[test]
fn what_is_read_of_a_slot_is_of_one_worker() {
    model(3, || {
        let slot = Arc::new((turn::turn(), AtomicU64::new(0), AtomicU64::new(0)));
        let other = slot.clone();
        let master = thread::spawn(move || {
            for age in 1..=2 {
                other.0.pass(|| {
                    other.1.store(age, Ordering::Relaxed);
                    other.2.store(age, Ordering::Relaxed);
                });
            }
        });
        let look = || (slot.1.load(Ordering::Relaxed), slot.2.load(Ordering::Relaxed));
        let ((one, two), whole) = slot.0.read(look);
        assert!(!whole || one == two);
        master.join().unwrap();
        assert_eq!(slot.0.read(look), ((2, 2), true));
    });
}

/// A slot that was given back and is taken again shows siblings nothing of the worker before.
#[test]
fn a_worker_that_is_gone_does_not_wait() {
    model(2, || {
        let board = board(2);
        let gone = slot(board, 1);
        gone.claim(1);
        gone.cells.waiting.store(1, Ordering::Relaxed);
        assert!(slot(board, 0).sibling_waits());
        gone.release();
        let master = thread::spawn(move || slot(board, 1).claim(2));
        assert!(!slot(board, 0).sibling_waits());
        master.join().unwrap();
        assert!(!slot(board, 0).is_alone());
    });
}

/// There is always a request that somebody waits for; the master looks whether there is none.
#[test]
fn a_worker_with_a_request_that_is_waited_for_is_never_lost() {
    model(3, || {
        let owed = Arc::new(owed::owed());
        owed.begin();
        owed.begin();
        let others = [owed.clone(), owed.clone()];
        let [late, new] = others;
        let late = thread::spawn(move || {
            late.note_overdue(false);
            late.note_overdue(true);
            late.end();
        });
        let new = thread::spawn(move || {
            new.begin();
            new.end();
        });
        assert!(!owed.is_lost());
        late.join().unwrap();
        new.join().unwrap();
        owed.note_overdue(false);
        assert!(owed.is_lost());
    });
}

/// The engine counts, goes to another thread, which counts on; a third thread counts beside it.
#[test]
fn nothing_that_is_counted_is_lost() {
    model(2, || {
        let slot = slot(board(1), 0);
        let (giving, taking) = channel();
        let outcome = Outcome { status: 200, whole_ns: 3, ..Outcome::default() };
        let first = thread::spawn(move || {
            let mut till = slot.till();
            till.count_event(Event::Accepted, 1);
            till.count_times(&outcome);
            giving.try_send(till).unwrap();
        });
        let aside = thread::spawn(move || {
            slot.count_event(Event::Accepted, 1);
            slot.count_request(&outcome);
        });
        let mut till = taking.recv().unwrap();
        till.count_event(Event::Accepted, 1);
        till.count_times(&outcome);
        first.join().unwrap();
        aside.join().unwrap();
        let tally = slot.cells.tally();
        assert_eq!((tally.count(Event::Accepted), tally.requests()), (3, 1));
        assert_eq!((tally.whole.count(), tally.whole.sum_ns), (3, 9));
    });
}

/// What that model is good for: two who believe that they count alone.
#[test]
#[should_panic(expected = "a count is lost")]
fn two_tills_lose_what_they_count_at_the_same_moment() {
    model(2, || {
        let slot = slot(board(1), 0);
        let other = thread::spawn(move || slot.till().count_event(Event::Shed, 1));
        slot.till().count_event(Event::Shed, 1);
        other.join().unwrap();
        assert_eq!(slot.cells.tally().count(Event::Shed), 2, "a count is lost");
    });
}

/// Counters as Prometheus wants them: whoever reads twice never sees less the second time.
#[test]
fn counters_never_go_back() {
    model(2, || {
        let slot = slot(board(1), 0);
        let engine = thread::spawn(move || {
            let mut till = slot.till();
            till.count_event(Event::Static, 1);
            till.count_event(Event::Static, 1);
        });
        let aside = thread::spawn(move || slot.count_event(Event::Static, 1));
        let look = || slot.cells.own.count_of(&slot.cells.aside, Event::Static);
        let (before, after) = (look(), look());
        assert!(before <= after && after <= 3);
        engine.join().unwrap();
        aside.join().unwrap();
        assert_eq!(look(), 3);
    });
}

#[test]
fn no_reader_sees_a_running_request_without_its_time() {
    model(3, || {
        let work = Arc::new(work::work());
        let runs = |begun: u64| {
            let work = work.clone();
            thread::spawn(move || {
                work.begin(begun * work::UNIT_NS);
                work.end(begun * work::UNIT_NS, 9 * work::UNIT_NS);
            })
        };
        let threads = [runs(1), runs(3)];
        let seen = work.read(9 * work::UNIT_NS);
        let units = seen.running_ns / work::UNIT_NS;
        assert!(matches!((seen.running, units), (0, 0) | (1, 8 | 6) | (2, 14)), "{seen:?}");
        for thread in threads {
            thread.join().unwrap();
        }
        let done = work.read(20 * work::UNIT_NS);
        assert_eq!((done.running, done.busy_ns), (0, 14 * work::UNIT_NS));
    });
}

#[test]
fn who_sees_a_stop_sees_until_when() {
    model(3, || {
        let board = board(1);
        let master = thread::spawn(move || board.set_course(Course::Closing, 77));
        let slot = slot(board, 0);
        if slot.course() == Course::Closing {
            assert_eq!(slot.stops_until_ns(), Some(77));
            assert!(slot.server_parts());
        }
        master.join().unwrap();
    });
}

#[test]
fn a_board_has_its_version_or_no_name() {
    model(3, || {
        let board = board(1);
        let master = thread::spawn(move || board.header.entitle());
        assert!(matches!(board.header.version(), (None, false) | (Some(VERSION), true)));
        master.join().unwrap();
        assert_eq!(board.header.version(), (Some(VERSION), true));
    });
}

/// Two workers give a request each to the queue, a third takes them and finds it empty in between:
/// the count may be too low for a moment, but is never too high for good, nor below nothing.
#[test]
fn the_line_between_workers_is_empty_when_the_queue_is() {
    model(3, || {
        let slot = slot(board(1), 0);
        let giver = thread::spawn(move || slot.enter_transit());
        let finder = thread::spawn(move || slot.clear_transit());
        slot.enter_transit();
        assert!(slot.in_transit() <= 2);
        giver.join().unwrap();
        slot.leave_transit();
        slot.leave_transit();
        finder.join().unwrap();
        assert_eq!(slot.in_transit(), 0);
    });
}
