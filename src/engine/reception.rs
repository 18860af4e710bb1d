//! The listening side: who is let in, when nobody is, and how it starts again.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use super::App;
use super::conn::Conn;
use super::reactor::{Engine, SPECIAL};
use crate::http::Peer;
use crate::log::notice::Notice;
use crate::sys::listener::{Listener, PeerAddr};
use crate::sys::poller::Token;

/// After accept(2) failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// What a look at the listeners came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// A connection was let in.
    Came,
    /// Nobody waits.
    Nobody,
    /// Somebody may wait, but can't come in now.
    NotNow,
}

/// The listeners of one worker.
#[derive(Debug)]
pub(super) struct Reception {
    listeners: Vec<Listener>,
    /// Listeners that may have somebody waiting, by index.
    pending: VecDeque<usize>,
    /// Whether the poller watches the listeners.
    open: bool,
    /// Monotonic nanoseconds; 0 when there is no pause.
    paused_until_ns: u64,
    /// Whether the last attempt to accept failed: a long famine is said once.
    failing: bool,
}

impl Reception {
    pub(super) fn new(listeners: Vec<Listener>) -> Self {
        Self {
            pending: (0..listeners.len()).collect(),
            listeners,
            open: false,
            paused_until_ns: 0,
            failing: false,
        }
    }

    /// Whether anybody could come in now.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Somebody waits at listener `index`.
    pub(super) fn knock(&mut self, index: usize) {
        if !self.pending.contains(&index) {
            self.pending.push_back(index);
        }
    }

    /// When the pause ends, if there is one.
    pub(super) fn pause_end_ns(&self) -> Option<u64> {
        Some(self.paused_until_ns).filter(|until_ns| *until_ns != 0)
    }
}

impl<A: App> Engine<A> {
    /// Accepts one waiting connection and reads what came with it; its request may be in the
    /// ready queue afterwards.
    pub(super) fn accept(&mut self) -> Visit {
        if !self.reception.open {
            return Visit::NotNow;
        }
        if self.table.len() >= self.options.max_connections && !self.drain.is_sweeping() {
            // Opens again when a connection ends.
            self.pause_listening(0);
            return Visit::NotNow;
        }
        while let Some(index) = self.reception.pending.pop_front() {
            match self.reception.listeners.get(index).map_or(Ok(None), Listener::accept) {
                Ok(Some((socket, addr))) => {
                    self.reception.failing = false;
                    // Last in line again: no listener starves another.
                    self.reception.pending.push_back(index);
                    let mut conn = self.spare_conn();
                    conn.socket = Some(socket);
                    conn.listener = index;
                    conn.addr = addr;
                    conn.peer = peer_of(&addr);
                    conn.trusted = self.options.policy.forwarded_allow.allows(&conn.peer);
                    self.proceed(conn);
                    return Visit::Came;
                }
                Ok(None) => {}
                Err(error) => {
                    if !self.reception.failing {
                        self.notices.push(Notice::AcceptFailed { error: error.to_string() });
                    }
                    self.reception.failing = true;
                    self.pause_listening(self.clock.now_ns() + PAUSE.as_nanos() as u64);
                    return Visit::NotNow;
                }
            }
        }
        Visit::Nobody
    }

    /// Watches the listeners.
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub(super) fn listen(&mut self) -> io::Result<()> {
        if self.reception.open {
            return Ok(());
        }
        for (index, listener) in self.reception.listeners.iter().enumerate() {
            let token = Token { place: index as u32, generation: SPECIAL };
            self.poller.listen(listener.as_fd(), token)?;
        }
        self.reception.open = true;
        Ok(())
    }

    /// Ends a pause that is over.
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub(super) fn end_pause(&mut self) -> io::Result<()> {
        match self.reception.pause_end_ns() {
            Some(until_ns) if self.clock.now_ns() >= until_ns => {
                self.reception.paused_until_ns = 0;
                if self.drain.is_sweeping() {
                    self.begin_sweep();
                    return Ok(());
                }
                if self.may_listen() { self.listen() } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// A connection has ended: there may be room for another.
    pub(super) fn resume_listening(&mut self) {
        if self.reception.open || self.reception.paused_until_ns != 0 || !self.may_listen() {
            return;
        }
        if let Err(error) = self.listen() {
            self.notices.push(Notice::AcceptFailed { error: error.to_string() });
        }
    }

    /// Looks at every listener once more, without waiting for the poller to name them.
    pub(super) fn begin_sweep(&mut self) {
        self.pause_listening(0);
        self.reception.pending = (0..self.reception.listeners.len()).collect();
        self.reception.open = true;
    }

    /// Lets nobody in any more. The listeners stay, for a sweep that may follow.
    pub(super) fn stop_listening(&mut self) {
        self.pause_listening(0);
    }

    /// Closes the listeners: whoever comes now shall go elsewhere.
    pub(super) fn close_listeners(&mut self) {
        self.reception = Reception::new(Vec::new());
    }

    fn may_listen(&self) -> bool {
        !self.drain.is_on() && self.table.len() < self.options.max_connections
    }

    fn pause_listening(&mut self, until_ns: u64) {
        for listener in &self.reception.listeners {
            self.poller.forget(listener.as_fd());
        }
        self.reception.pending.clear();
        self.reception.open = false;
        self.reception.paused_until_ns = until_ns;
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
