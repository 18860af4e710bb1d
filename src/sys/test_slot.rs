//! Tests of `slot.rs`, and of where everything lies on the scoreboard.

use super::*;
use crate::sys::work::Work;

#[test]
fn slots_say_what_their_worker_wrote() {
    let board = Scoreboard::new(None).unwrap();
    let slot = board.slot(3).unwrap();
    assert!(slot.is_free());
    slot.claim(7);
    slot.set_pid(42);
    assert_eq!((slot.is_free(), slot.age(), slot.pid()), (false, 7, 42));
    assert_eq!(slot.heartbeat_ns(), None);
    slot.beat(5);
    assert_eq!(slot.heartbeat_ns(), Some(5));
    assert_eq!(slot.booted_ns(), None);
    slot.set_booted(Some(4));
    assert_eq!(slot.booted_ns(), Some(4));
    assert_eq!(slot.wish(), None);
    slot.set_wish(Wish::Rss);
    slot.set_wish(Wish::MaxRequests);
    assert_eq!(slot.wish(), Some(Wish::Rss));
    slot.begin_request();
    assert!(!slot.is_lost());
    slot.note_overdue(false);
    assert!(slot.is_lost());
    slot.begin_request();
    assert!(!slot.is_lost());
    slot.end_request();
    slot.note_overdue(true);
    assert!(!slot.is_lost());
    slot.end_request();
    slot.work().begin(0);
    assert!(board.slot(2).unwrap().is_free() && board.slot(4).unwrap().is_free());
    slot.release();
    slot.claim(8);
    assert_eq!((slot.heartbeat_ns(), slot.booted_ns(), slot.wish()), (None, None, None));
    assert_eq!(slot.work().read(9), Work::default());
}

#[test]
fn a_sibling_that_waits_is_seen_until_it_is_gone() {
    let board = Scoreboard::new(None).unwrap();
    let mine = board.claim(0, 1).unwrap();
    mine.set_waiting(true);
    assert!(!mine.sibling_waits());
    let theirs = board.claim(2, 2).unwrap();
    assert!(!mine.sibling_waits());
    theirs.set_waiting(true);
    assert!(mine.sibling_waits());
    theirs.release();
    assert!(!mine.sibling_waits());
    board.claim(2, 3).unwrap();
    assert!(!mine.sibling_waits());
}

/// Where each field of layout 10 lies. Whoever has to change this test raises `header::VERSION`.
#[test]
fn the_layout_is_the_one_of_its_version() {
    use std::mem::offset_of;

    use crate::sys::header::{Header, VERSION};
    use crate::sys::scoreboard::SLOTS;
    use crate::sys::tally::{BUCKETS, CLASSES, EVENTS};

    assert_eq!(VERSION, 10);
    assert_eq!((SLOTS, SLOT_SIZE, CLASSES, EVENTS, BUCKETS), (4096, 2048, 5, 8, 20));
    let header = [
        offset_of!(Header, magic),
        offset_of!(Header, taken),
        offset_of!(Header, course),
        offset_of!(Header, stops_until_ns),
        offset_of!(Header, transit),
        offset_of!(Header, facts),
        offset_of!(Header, ends),
    ];
    assert_eq!(header, [0, 32, 40, 48, 56, 64, 184]);
    let cells = [
        offset_of!(Cells, pid),
        offset_of!(Cells, age),
        offset_of!(Cells, state),
        offset_of!(Cells, heartbeat_ns),
        offset_of!(Cells, owed),
        offset_of!(Cells, waiting),
        offset_of!(Cells, booted_ns),
        offset_of!(Cells, wish),
        offset_of!(Cells, turn),
        offset_of!(Cells, heirless),
        offset_of!(Cells, queued),
        offset_of!(Cells, claimed_ns),
        offset_of!(Cells, claimed_at_ns),
        offset_of!(Cells, room),
        offset_of!(Cells, requests_before),
        offset_of!(Cells, respawns),
        offset_of!(Cells, tells),
        offset_of!(Cells, work),
        offset_of!(Cells, connections),
        offset_of!(Cells, own),
        offset_of!(Cells, aside),
    ];
    let words = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 24, 136];
    assert_eq!(cells, words.map(|word| word * 8));
    let tally = TallyCells::OFFSETS;
    assert_eq!(tally, [0, 40, 48, 64, 128, 320, 512, 704, 8]);
}
