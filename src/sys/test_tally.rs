//! Tests of `tally.rs`, `till.rs` and `connections.rs`.

use crate::sys::connections::Connections;
use crate::sys::scoreboard::Scoreboard;

use super::*;

#[test]
fn what_is_counted_is_read() {
    let board = Scoreboard::new(None).unwrap();
    let slot = board.claim(0, 1).unwrap();
    slot.count_request(&Outcome { status: 200, whole_ns: 50_000, ..Outcome::default() });
    slot.count_request(&Outcome {
        status: 503,
        queue_ns: Some(50_001),
        app_ns: Some(1),
        write_ns: Some(u64::MAX / 2),
        whole_ns: 60_000_000_001,
    });
    // Nonsense is counted somewhere: the sum is what happened.
    slot.count_request(&Outcome { status: 0, ..Outcome::default() });
    slot.count_request(&Outcome { status: 65_535, ..Outcome::default() });
    slot.count_event(Event::Shed, 2);
    slot.add_bytes(3, 4);
    slot.add_bytes(0, 1);
    slot.count_response_alone(302);
    let mut till = slot.till();
    till.count_times(&Outcome { app_ns: Some(2), whole_ns: 3, ..Outcome::default() });
    till.count_event(Event::Shed, 1);
    till.add_bytes(10, 20);
    let now = Connections { reading: 1, waiting: 2, running: 3, writing: 4, idle: 5 };
    slot.set_connection_states(now);
    let tally = board.tally(0).unwrap();
    assert_eq!(tally.responses, [1, 1, 1, 0, 2]);
    assert_eq!(tally.requests(), 5);
    assert_eq!((tally.bytes_in, tally.bytes_out), (13, 25));
    assert_eq!(tally.count(Event::Shed), 3);
    assert_eq!((tally.whole.count(), tally.whole.sum_ns), (5, 60_000_050_004));
    assert_eq!((tally.whole.buckets[0], tally.whole.buckets[BUCKETS - 1]), (4, 1));
    assert_eq!((tally.queue.buckets[1], tally.queue.count()), (1, 1));
    assert_eq!((tally.app.count(), tally.write.count()), (2, 1));
    slot.release();
    let again = board.claim(0, 2).unwrap();
    again.count_request(&Outcome { status: 404, ..Outcome::default() });
    assert_eq!(board.tally(0).unwrap().requests(), 6);
    let worker = board.snapshot(0).workers.remove(0);
    assert_eq!((worker.tally.requests(), worker.own_requests()), (6, 1));
    assert_eq!(worker.connections, Connections::default());
}
