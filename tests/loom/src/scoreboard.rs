//! The scoreboard: who counts, who gives a slot to the next worker, and what others see meanwhile.

use loom::sync::Arc;
use loom::thread;

use super::course::Course;
use super::tally::{Event, Outcome};
use super::{VERSION, board, owed, slot, turn, work};
use crate::model;
use crate::sync::{AtomicU64, Ordering, channel};

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
