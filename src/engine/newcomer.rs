//! A connection that has just come: what is known of it before it says anything, and whether there is
//! room for one more of those that are kept.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use super::App;
use super::conn::Conn;
use super::reactor::Engine;
use crate::http::Peer;
use crate::sys::listener::PeerAddr;

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
