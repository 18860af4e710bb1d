//! A connection is given to a sibling: until it lies in the queue it is here, held as it is, from then on there,
//! whenever this worker is killed (`src/sys/outgoing.rs`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::App;
use super::booking::Booking;
use super::conn::Conn;
use super::keeping::Deposits;
use crate::sys::handoff::{Handoff, Sent};
use crate::sys::outgoing::Outgoing;

impl Deposits {
    /// Gives `conn` to the siblings who read `queue`: it is theirs from there on.
    pub(super) fn give<A: App>(
        &self,
        conn: &Conn<A>,
        queue: &Handoff,
        message: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<Sent> {
        let Some(vault) = &self.vault else { return queue.send(message, fds) };
        vault.give(&outgoing(conn), queue, message, fds)
    }

    /// Nothing of it is left here.
    pub(super) fn has_let_go(&self) {
        if let Some(vault) = &self.vault {
            vault.has_let_go();
        }
    }
}

/// What whoever reaps this worker has to know if `conn` is given to a sibling.
fn outgoing<A: App>(conn: &Conn<A>) -> Outgoing {
    Outgoing {
        fd: conn.socket().map_or(-1, |fd| fd.as_raw_fd()),
        record: conn.deposit.as_ref().map(|it| it.name),
        reading: conn.reading.number,
        flight: conn.booking.as_ref().map(Booking::name),
    }
}
