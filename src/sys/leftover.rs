//! What a worker that was killed had of a request that had not begun: whether it may go on elsewhere, and what is
//! told of it if it does not.

use std::net::IpAddr;

use super::flights::{Flight, Flights};
use super::keeper::Wanted;
use super::listener::PeerAddr;
use super::outgoing::Outgoing;
use super::records::Name;
use super::stray::{Place, Stray};

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";
/// Says how long the body is that follows.
const LENGTH: &[u8] = b"\ncontent-length:";
/// Where one of these is in the head, more than the head has to be known, or something was answered already.
const NOT_HERE: [&[u8]; 2] = [b"\ntransfer-encoding", b"\nexpect"];

/// The last byte behind what has come of a request, in a message about it: whether that is all.
pub const EXACT: u8 = 1;
/// Or zeros at its end may be missing.
pub const UNSURE: u8 = 2;

/// What was found in the intake, the lobby or the letterbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// The number of the reading; 0: nobody was read, but let in.
    pub reading: u64,
    /// There was a connection. Else there may have been one that a sibling had put into the queue.
    pub is_sure: bool,
    /// The record of the connection, if it has been deposited.
    pub(super) record: Option<Name>,
    /// Who sent it; `None` over a unix socket, and when nobody knows.
    pub peer: Option<IpAddr>,
    /// CLOCK_MONOTONIC, nanoseconds.
    pub started_ns: u64,
    /// What lies there; without zeros at its end, unless it is exact.
    pub bytes: Vec<u8>,
    /// Nothing is missing from it.
    pub is_exact: bool,
    /// It was taken out of the queue: [`Vault::letter`] has it.
    pub is_letter: bool,
    /// Where its request was noted, before it began.
    pub flight: Option<(usize, u64)>,
    /// Somebody has done something with it since.
    pub is_pinned: bool,
    /// It is between two requests: there is nothing to tell of.
    pub is_idle: bool,
    /// Where the connection may be found, if it was not deposited.
    pub(super) stray: Option<Stray>,
}

impl Leftover {
    /// Of somebody who has said nothing.
    pub(super) fn of_silent(started_ns: u64, addr: PeerAddr, place: Place) -> Self {
        let stray = Stray::new(Wanted::Number(place.fd), addr, place);
        Self {
            started_ns,
            is_sure: true,
            peer: addr.ip(),
            is_idle: place.has_been_served,
            stray: place.may_move.then_some(stray),
            ..Self::default()
        }
    }

    /// Whether a request of this number has begun: its flight tells of it.
    pub fn has_begun(&self, flights: &Flights) -> bool {
        self.reading != 0 && flights.has_begun_as(self.reading)
    }

    /// Its flight, where it has one and has not begun: that tells of it if it does not go on.
    pub fn waiting<'f>(&self, flights: &'f Flights) -> Option<Flight<'f>> {
        let noted = self.flight.and_then(|name| flights.named(name));
        let read = || flights.waiting_as(self.reading).filter(|_| self.reading != 0);
        noted.filter(|flight| flight.has_not_begun()).or_else(read)
    }

    /// What may be told of it: method, and path without query; empty as far as they have not come.
    pub fn words(&self) -> (&[u8], &[u8]) {
        let mut lines = self.bytes.split(|byte| matches!(byte, b'\r' | b'\n'));
        // A proxy's first.
        let line = lines.find(|line| !line.is_empty() && !line.starts_with(b"PROXY "));
        let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default().split(|byte| *byte == b'?').next();
        (method, path.unwrap_or_default())
    }

    /// Whether this is the one that has been `given` to a sibling.
    pub fn is(&self, given: &Outgoing) -> bool {
        let is_stray = self.stray.is_some_and(|it| it.wanted == Wanted::Number(given.fd));
        let is_read = self.reading != 0 && self.reading == given.reading;
        is_stray || is_read || self.record.is_some() && self.record == given.record
    }

    /// Where to find the connection, if it may be passed on and was not deposited.
    pub fn stray(&self) -> Option<Stray> {
        self.stray.filter(|_| self.may_go_on())
    }

    /// What comes behind a message about its connection.
    pub fn come(&self) -> Vec<u8> {
        let mut come = self.bytes.clone();
        if !come.is_empty() {
            come.push(if self.is_exact { EXACT } else { UNSURE });
        }
        come
    }

    /// Whether it may be passed on: all that was read is known, or it looks like one request and nothing else. Who
    /// gets it judges; what is not passed on is told of here.
    pub(super) fn may_go_on(&self) -> bool {
        if self.is_exact {
            return true;
        }
        let Some(at) = find(&self.bytes, END) else { return self.bytes.is_empty() };
        let (head, body) = self.bytes.split_at(at + END.len());
        let length = find(head, LENGTH).map_or(Some(0), |at| number(&head[at + LENGTH.len()..]));
        length == Some(body.len()) && NOT_HERE.iter().all(|name| find(head, name).is_none())
    }
}

/// Where `text` begins, in whatever case.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window.eq_ignore_ascii_case(text))
}

/// The one that `bytes` begin with, after blanks.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}
