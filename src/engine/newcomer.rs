//! A connection that has just come: what is known of it before it says anything, and whether there is
//! room for one more of those that are kept.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::App;
use super::conn::{Conn, Watch};
use super::reactor::Engine;
use crate::http::Peer;
use crate::sys::listener::PeerAddr;
use crate::sys::socket;

/// How long who has just come is waited for.
const FIRST_WORD: Duration = Duration::from_micros(500);

impl<A: App> Engine<A> {
    /// A connection that has just come.
    pub(super) fn new_conn(
        &mut self,
        listener: usize,
        socket: OwnedFd,
        addr: PeerAddr,
    ) -> Box<Conn<A>> {
        let mut conn = self.spare_conn();
        conn.socket = Some(socket);
        conn.listener = listener;
        conn.addr = addr;
        conn.outflow = matches!(addr, PeerAddr::Ip(_)).then_some(0);
        conn.peer = peer_of(&addr);
        conn.trusted = self.shared.options.policy.forwarded_allow.allows(&conn.peer);
        // Its first request may run before the next turn.
        self.note_crowd();
        conn
    }

    /// Waits for the first word of who has just come, if there is nobody else to attend to: most have it on their
    /// lips, and to put them down and be told of it costs more than the moment. So a worker whose clients come one
    /// after the other has one of them in its hands, which is what a kill takes along. True: something has come.
    pub(super) fn greet(&mut self, conn: &mut Conn<A>) -> bool {
        let is_new = conn.watch == Watch::Nothing && conn.served == 0 && conn.filled == 0;
        let is_alone = self.table.len() == 1 && self.reception.is_open();
        if !is_new
            || !is_alone
            || self.drain.is_on()
            || conn.tls.is_some()
            || conn.deposit.is_some()
        {
            return false;
        }
        // What a worker that has time for this can afford; else it can at least be told whom a kill has cost.
        if !self.hold(conn, false) {
            self.take_over(conn);
        }
        let since_ns = self.clock.now_ns();
        let came = conn.socket().is_some_and(|fd| {
            let wait = || socket::wait_readable(fd, FIRST_WORD);
            if self.is_together { A::apart(wait) } else { wait() }
        });
        conn.readable = came;
        self.clock.tick();
        self.deposits.allowance.earn(self.clock.now_ns().saturating_sub(since_ns));
        came
    }

    fn spare_conn(&mut self) -> Box<Conn<A>> {
        let token = self.table.reserve();
        match self.spare.pop() {
            Some(mut conn) => {
                conn.token = token;
                conn
            }
            None => Box::new(Conn::new(token)),
        }
    }

    /// As in Gunicorn, every thread shall find a connection beside those that are kept: notes
    /// whether there is room for one more of these.
    pub(super) fn note_crowd(&self) {
        let options = &self.shared.options;
        let kept = options.max_connections.saturating_sub(options.app_threads);
        self.shared.crowded.store(self.table.len() > kept, Ordering::Relaxed);
    }
}

fn peer_of(addr: &PeerAddr) -> Peer {
    match addr {
        PeerAddr::Ip(addr) => Peer::Ip(match addr.ip() {
            IpAddr::V6(v6) => v6.to_canonical(),
            v4 => v4,
        }),
        PeerAddr::Unix => Peer::Unix,
    }
}
