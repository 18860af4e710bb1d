//! A request under `request_timeout` and `log_slow`: its own thread's side of it.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::exchange::Exchange;
use super::herald::Road;
use super::shared::Shared;
use super::timekeeper::Timed;
use super::{App, Conn, Verdict};
use crate::sys::flights::{Flight, Mark, Phase};
use crate::sys::voice::Overruled;

impl Shared {
    /// `conn` has a request, which counts until its response is out.
    pub(super) fn claim<A: App>(&self, conn: &mut Conn<A>) {
        if let Some(timekeeper) = self.timekeeper.as_ref().filter(|_| conn.claim.is_none()) {
            conn.claim = timekeeper.claim();
        }
    }
}

impl<A: App> Conn<A> {
    /// How a page of ours reaches its client while somebody else has the connection.
    pub(super) fn road(&self) -> Road {
        let Some(tls) = &self.tls else { return Road::Plain };
        tls.transport().and_then(|it| it.herald()).map_or(Road::None, Road::Secured)
    }

    /// Sends what TLS has to say by itself (session tickets), as far as the socket takes it.
    fn pay_toll(&mut self) {
        if let (Some(tls), Some(fd)) = (&mut self.tls, &self.socket) {
            // Who reads or writes next hears of the same error.
            let _ = tls.pay(fd.as_fd());
        }
    }
}

impl<A: App> Exchange<'_, A> {
    /// The request goes to the application: from here on its time counts.
    pub(super) fn take_off(&mut self) -> io::Result<()> {
        if let Some(timekeeper) = &self.shared.timekeeper {
            // It would be in the way of a page.
            self.conn.pay_toll();
            let flights = self.shared.flights.clone();
            let flight = flights.zip(self.flight.map(Flight::name));
            let (policy, header) = (&self.shared.options.policy, self.id_header());
            self.timed = timekeeper.watch_over(self.conn, policy, header, flight)?;
        }
        Ok(())
    }

    /// The application is done with it. What is to become of the connection when the watch has
    /// taken the request meanwhile.
    pub(super) fn land(&mut self) -> Option<Verdict> {
        let overruled = self.timed.as_ref().and_then(|timed| timed.end())?;
        // Nobody is there to read it.
        self.conn.outbox.clear();
        match overruled {
            Overruled::Answered => {
                // What the client still sends must not reset the connection under the page.
                self.conn.readable = true;
                Some(Verdict::Close)
            }
            Overruled::Unheard | Overruled::Cut | Overruled::Late => Some(Verdict::Drop),
        }
    }

    /// What is known of the request to whoever looks at how long it takes, if anybody does.
    pub fn timed(&self) -> Option<&Arc<Timed>> {
        self.timed.as_ref()
    }

    /// Whether something may be sent to the client: the watch may have answered already.
    pub fn speak(&mut self) -> bool {
        let mine = self.timed.as_ref().is_none_or(|timed| timed.speak());
        self.broken |= !mine;
        if mine {
            self.move_on(Phase::App, Phase::Sending);
        }
        mine
    }

    /// Shows others where the request stands now.
    pub(super) fn move_on(&self, from: Phase, to: Phase) {
        match self.flight {
            Some(flight) if self.timed.is_some() => _ = flight.advance(from, to),
            Some(flight) => flight.advance_alone(from, to),
            None => {}
        }
    }

    /// Shows others that the access line is made.
    pub fn mark_logged(&self) {
        match self.flight {
            Some(flight) if self.timed.is_some() => _ = flight.mark(Mark::Logged),
            Some(flight) => flight.mark_alone(Mark::Logged),
            None => {}
        }
    }

    /// Whether the access line is for the request's own thread to write; once.
    pub fn claim_line(&self) -> bool {
        self.timed.as_ref().is_none_or(|timed| timed.log())
    }
}
