//! What a request costs: noted while it lasts, and counted on the scoreboard, once. Why then and
//! there: docs/design/scoreboard.md.
//!
//! The response is counted before its last byte leaves: a client that has read it and looks at the
//! numbers then finds itself there. How long things took is known, and counted, after that byte, by
//! whoever has the engine: nobody else may use its till.

use super::conn::Conn;
use super::exchange::Exchange;
use super::refusal::Refusal;
use super::timekeeper::Timed;
use super::{App, Engine};
use crate::sys::flights::{Flight, Mark};
use crate::sys::scoreboard::Slot;
use crate::sys::tally::{Event, Outcome};
use crate::sys::till::Till;

/// How far a request has been counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// Nobody has counted it.
    #[default]
    Open,
    /// Counted with this status; how long it took is not known yet.
    Answered(u16),
    /// Nothing more is to be counted.
    Settled,
}

/// One request, and what went over its connection meanwhile.
#[derive(Debug, Default)]
pub(super) struct Bill {
    standing: Standing,
    /// When the application began, CLOCK_MONOTONIC; 0 if it has not.
    begun_ns: u64,
    /// When it had said its last word; 0 if it has not.
    spoken_ns: u64,
    /// Not yet on the scoreboard.
    bytes_in: u64,
    bytes_out: u64,
    failed_reads: u64,
    failed_writes: u64,
}

impl Bill {
    /// The application begins.
    pub(super) fn begin(&mut self, now_ns: u64) {
        self.begun_ns = now_ns;
    }

    /// When that was.
    pub(super) fn begun_ns(&self) -> Option<u64> {
        Some(self.begun_ns).filter(|begun_ns| *begun_ns != 0)
    }

    /// The response is complete, as far as it will ever be.
    pub(super) fn speak_last(&mut self, now_ns: u64) {
        self.spoken_ns = now_ns;
    }

    /// Bytes of HTTP have come; encrypted ones count as what they say.
    pub(super) fn receive(&mut self, bytes: usize) {
        self.bytes_in += bytes as u64;
    }

    /// The same in the other direction.
    pub(super) fn send(&mut self, bytes: u64) {
        self.bytes_out += bytes;
    }

    pub(super) fn fail_to_read(&mut self) {
        self.failed_reads += 1;
    }

    pub(super) fn fail_to_write(&mut self) {
        self.failed_writes += 1;
    }

    /// The next request of the connection. What went over it goes on.
    pub(super) fn next(&mut self) {
        self.standing = Standing::Open;
        (self.begun_ns, self.spoken_ns) = (0, 0);
    }

    fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// Whether nothing more is to be counted of the request.
    pub(super) fn is_settled(&self) -> bool {
        self.standing == Standing::Settled
    }
}

impl<A: App> Conn<A> {
    /// The request is answered with `status`: counts it, unless it is counted already. `alone`: by the only
    /// thread of the worker that runs requests.
    fn count_answer(&mut self, slot: Option<Slot>, status: u16, alone: bool) {
        if self.bill.is_open() {
            self.bill.standing = Standing::Answered(status);
            match slot {
                Some(slot) if alone => slot.count_response_alone(status),
                Some(slot) => slot.count_response(status),
                None => {}
            }
        }
    }

    /// The request is answered by the engine. Its answer does not count as anybody's time.
    pub(super) fn count_refusal(&mut self, slot: Option<Slot>, refusal: &Refusal, now_ns: u64) {
        if !self.bill.is_open() {
            return;
        }
        if let (Some(slot), Some(event)) = (slot, refusal.event()) {
            slot.count_event(event, 1);
        }
        // Nobody else is to tell of it from here on.
        self.booking = None;
        self.bill.speak_last(now_ns);
        self.count_answer(slot, refusal.status(), false);
    }

    /// The request's last byte has been taken by the kernel, or never will be.
    pub(super) fn settle_bill(&mut self, mut till: Option<&mut Till>, now_ns: u64) {
        if let (Standing::Answered(status), Some(till)) = (self.bill.standing, till.as_deref_mut())
        {
            let begun = self.bill.begun_ns();
            let spoken = Some(self.bill.spoken_ns).filter(|ns| *ns != 0);
            till.count_times(&Outcome {
                status,
                queue_ns: begun.map(|ns| ns.saturating_sub(self.waits_since_ns)),
                app_ns: begun.map(|ns| spoken.unwrap_or(now_ns).saturating_sub(ns)),
                write_ns: spoken.map(|ns| now_ns.saturating_sub(ns)),
                whole_ns: now_ns.saturating_sub(self.waits_since_ns),
            });
        }
        if !self.bill.is_open() {
            self.bill.standing = Standing::Settled;
        }
        self.booking = None;
        self.count_traffic(till);
    }

    /// What has gone over the connection since this was last asked.
    pub(super) fn count_traffic(&mut self, till: Option<&mut Till>) {
        let Some(till) = till else { return };
        let bill = &mut self.bill;
        till.add_bytes(std::mem::take(&mut bill.bytes_in), std::mem::take(&mut bill.bytes_out));
        if bill.failed_reads > 0 {
            till.count_event(Event::ReadError, std::mem::take(&mut bill.failed_reads));
        }
        if bill.failed_writes > 0 {
            till.count_event(Event::WriteError, std::mem::take(&mut bill.failed_writes));
        }
    }
}

impl<A: App> Exchange<'_, A> {
    /// The response is complete, or will never be: counts the request, once, whoever else wants to
    /// (the watch over its time; the master, should the worker die).
    pub fn conclude(&mut self, status: u16) {
        if self.is_to_count() {
            let alone = self.shared.options.app_threads == 1;
            self.conn.count_answer(self.shared.slot, status, alone);
        }
    }

    /// The same with an answer of ours.
    pub(super) fn conclude_refused(&mut self, refusal: &Refusal, now_ns: u64) {
        if self.is_to_count() {
            self.conn.count_refusal(self.shared.slot, refusal, now_ns);
        }
    }

    /// Whether the request is to be counted, here and now.
    fn is_to_count(&mut self) -> bool {
        if !self.conn.bill.is_open() {
            return false;
        }
        let timed = self.timed.as_deref();
        // Who has taken it from us counts it.
        let mine = !timed.is_some_and(Timed::is_overruled) && is_mine(timed, self.flight);
        if !mine {
            self.conn.bill.standing = Standing::Settled;
        }
        mine
    }

    /// The application let an exception through.
    pub fn note_exception(&self) {
        if let Some(slot) = self.shared.slot {
            slot.count_event(Event::Exception, 1);
        }
    }

    /// Where the worker counts.
    pub fn slot(&self) -> Option<Slot> {
        self.shared.slot
    }

    /// The request is over for its thread, however that came.
    pub(super) fn conclude_as_it_is(&mut self) {
        // Without a head its client has gone, or hears nothing of us.
        let status = if self.encoder.head_sent() { self.encoder.status() } else { CLIENT_LEFT };
        self.conclude(status);
    }
}

impl<A: App> Engine<A> {
    /// Shows others what the connections are at.
    pub(super) fn show_connections(&mut self) {
        if let Some(slot) = self.shared.slot {
            self.table.show(slot, self.ready.len() + self.unread.len() + self.shared.in_line());
        }
    }
}

/// nginx's, as in the access log.
const CLIENT_LEFT: u16 = 499;

/// Whether a request in the application is the caller's to count. To be asked once.
pub(super) fn is_mine(timed: Option<&Timed>, flight: Option<Flight<'_>>) -> bool {
    let mine = timed.is_none_or(Timed::claim_count);
    match flight.filter(|_| mine) {
        Some(flight) if timed.is_some() => _ = flight.mark(Mark::Counted),
        Some(flight) => flight.mark_alone(Mark::Counted),
        None => {}
    }
    mine
}

impl Refusal {
    /// What it is counted as, beside its status.
    fn event(&self) -> Option<Event> {
        match self {
            Self::QueueFull { .. } | Self::TooLate { .. } | Self::Stopping => Some(Event::Shed),
            Self::ClientLeft => None,
            _ => Some(Event::Refused),
        }
    }
}
