//! What a request costs that is counted and noted.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use rgunicorn::sys::flights::{Flights, Mark, Peer, Phase, Ticket};
use rgunicorn::sys::scoreboard::{Scoreboard, Slot};
use rgunicorn::sys::tally::{Connections, Outcome};
use rgunicorn::sys::till::Till;

/// A worker's slot on a scoreboard of its own.
pub(crate) fn slot() -> Slot {
    let board = Scoreboard::new(None).ok();
    board.and_then(|board| board.claim(0, 1)).unwrap_or_else(|| std::process::exit(1))
}

/// All that the engine writes to the scoreboard for one request on a kept connection.
pub(crate) fn count(slot: Slot, till: &mut Till, now: &mut Connections) {
    slot.work().begin_alone(1);
    (now.running, now.idle) = (1, 0);
    slot.set_connection_states(*now);
    slot.count_response(200);
    slot.work().end_alone(1, 19_000);
    till.count_times(&Outcome {
        status: 200,
        queue_ns: Some(2_000),
        app_ns: Some(9_000),
        write_ns: Some(8_000),
        whole_ns: 19_000,
    });
    till.add_bytes(80, 160);
    (now.running, now.idle) = (0, 1);
    slot.set_connection_states(*now);
}

/// The notes about a request from its beginning to its end.
pub(crate) fn fly(flights: &Flights, place: &mut usize) {
    let ticket = Ticket {
        method: b"GET",
        path: b"/hello",
        id: b"",
        peer: Peer::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        version: (1, 1),
        started_ns: 1,
        thread: (1, 1),
        reading: 0,
    };
    let Some(flight) = flights.begin(place, black_box(&ticket)) else { std::process::exit(1) };
    flight.advance_alone(Phase::Waiting, Phase::App);
    flight.advance_alone(Phase::App, Phase::Sending);
    flight.mark_alone(Mark::Counted);
    flight.mark_alone(Mark::Logged);
    flight.end();
}
