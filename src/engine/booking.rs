//! Requests that have begun to come and have no thread yet, and those that have none any more while a
//! slow client is sent the rest of the response: noted for whoever has to tell of them when the worker
//! is killed.

use std::sync::Arc;

use super::reactor::Work;
use super::{App, Conn, Engine};
use crate::sys::flights::{Flight, Flights, Mark, Peer, Phase, Ticket};
use crate::sys::listener::PeerAddr;

/// So many are noted at most; each worker has places for those beside the ones for its threads.
/// `NativeWorker.flight_room` knows the same number.
const MOST: usize = 256;

/// A request is noted as long as this lives.
#[derive(Debug)]
pub(super) struct Booking {
    flights: Arc<Flights>,
    name: (usize, u64),
}

impl Booking {
    /// Which flight it is.
    pub(super) fn name(&self) -> (usize, u64) {
        self.name
    }
}

impl Booking {
    fn of(flights: &Arc<Flights>, flight: Flight<'_>) -> Self {
        Self { flights: flights.clone(), name: flight.name() }
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        if let Some(flight) = self.flights.named(self.name) {
            flight.end();
        }
    }
}

impl<A: App> Engine<A> {
    /// Notes the request of `conn`, whose head is complete; once.
    pub(super) fn book(&self, conn: &mut Conn<A>) {
        let Some(flights) = self.shared.flights.as_ref().filter(|_| conn.booking.is_none()) else {
            return;
        };
        conn.name_request(self.shared.options.id_header.as_ref());
        let mut ticket = ticket(conn, self.clock.now_ns(), (0, 0));
        // It has not begun, and can be had; its flight is known there.
        if conn.reading.has_stray {
            ticket.reading = 0;
        }
        let flight = flights.begin_beside(MOST, &ticket, Phase::Coming);
        conn.booking = flight.map(|flight| Booking::of(flights, flight));
        // It may be held already, and go on elsewhere: it is not lost then.
        conn.note_flight(conn.booking.as_ref().map(Booking::name));
    }

    /// Notes those that wait for a thread here.
    pub(super) fn book_ready(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for job in ready.iter_mut().filter(|job| matches!(job.work, Work::Request)) {
            self.book(&mut job.conn);
        }
        self.ready = ready;
        self.keep_ready(true);
    }
}

/// The request of `conn` has had its thread since `started_ns`, as `flight`, and its client does not take
/// the response as fast as it came: it is noted until all of that has left.
pub(super) fn book_departing<A: App>(
    flights: &Arc<Flights>,
    conn: &mut Conn<A>,
    started_ns: u64,
    flight: Flight<'_>,
) {
    let ticket = ticket(conn, started_ns, (0, 0));
    let departing = flights.begin_beside(MOST, &ticket, Phase::Departing);
    conn.booking = departing.map(|departing| {
        for mark in [Mark::Logged, Mark::Counted, Mark::Overdue] {
            if flight.has(mark) {
                departing.mark(mark);
            }
        }
        Booking::of(flights, departing)
    });
}

/// What is noted of the request of `conn`.
pub(super) fn ticket<A: App>(conn: &Conn<A>, started_ns: u64, thread: (u64, u32)) -> Ticket<'_> {
    let (head, bytes) = (&conn.head, conn.head_bytes());
    let proxied = conn.proxy.as_ref().and_then(|info| info.source);
    let peer = match (head.param(bytes, b"REMOTE_ADDR"), proxied, conn.addr) {
        (Some(name), ..) => Peer::Named(name),
        (None, Some(addr), _) | (None, None, PeerAddr::Ip(addr)) => Peer::Ip(addr.ip()),
        (None, None, PeerAddr::Unix) => Peer::Nobody,
    };
    Ticket {
        method: head.method.of(bytes),
        path: head.path.of(bytes),
        id: match conn.request_id() {
            b"" => head.field(bytes, "x-request-id").unwrap_or_default(),
            name => name,
        },
        peer,
        version: head.version,
        started_ns,
        thread,
        reading: conn.reading.number,
    }
}
