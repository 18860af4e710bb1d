//! Who waits at the doors of a worker that leaves: siblings let them in, or they are let in here until
//! nobody waits. Part of the way out (`drain.rs`).

use super::drain::{ARRIVAL, LOOK_OUT};
use super::reception::{Door, Visit};
use super::{App, Engine};
use crate::sys::course::Course;
use crate::sys::listener::Listener;

/// Connections let in at once while all threads are busy: one of them may come free.
const BESIDE: usize = 64;

/// What becomes of those who wait at the doors of a worker that leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    /// Siblings let them in; or nobody shall.
    #[default]
    Left,
    /// They are let in until nobody waits; what comes later is somebody else's, or nobody's.
    Swept,
    /// The same, and then nobody can come any more: the sockets are nobody else's.
    Ended,
}

impl<A: App> Engine<A> {
    /// Where the server stands decides about those at the doors.
    pub(super) fn queue_now(&self, alone: bool) -> Queue {
        let own = self.shared.options.own_queue;
        let Some(slot) = self.shared.slot else { return Queue::Swept };
        match slot.course() {
            Course::Quitting => Queue::Left,
            Course::Closing => Queue::Ended,
            // Nobody else has its sockets (`reuse_port`).
            _ if own => Queue::Ended,
            Course::Leaving => Queue::Swept,
            _ if alone || slot.is_heirless() => Queue::Swept,
            _ => Queue::Left,
        }
    }

    /// Nobody waits, if that was being looked at: now, or for good.
    pub(super) fn end_sweep(&mut self) {
        if !self.drain.sweeping {
            return;
        }
        if self.drain.queue == Queue::Ended {
            if self.drain.settled_ns == 0 {
                // One more look is due, also when nobody can be on the way.
                return self.bar_doors();
            }
            if self.clock.now_ns() < self.drain.settled_ns {
                return self.close_doors();
            }
            if !self.drain.looked_out {
                // Who is not seen any more may have arrived since somebody was last let in.
                self.drain.looked_out = !self.expects_somebody();
                return self.close_doors();
            }
            self.listeners().for_each(Listener::shut);
        }
        self.drain.sweeping = false;
        self.drain.swept = true;
        self.close_listeners();
    }

    /// From here on nobody can begin to come.
    pub(super) fn bar_doors(&mut self) {
        let barred = self.listeners().filter(|it| it.bar().is_ok());
        let settles = barred.map(Listener::handshake).max().unwrap_or_default();
        let now_ns = self.clock.now_ns();
        self.drain.settled_ns = now_ns + settles.as_nanos() as u64;
        self.drain.arrival_ns = now_ns + ARRIVAL.as_nanos() as u64;
        self.close_doors();
    }

    /// Whether somebody has begun to come and is worth another look.
    fn expects_somebody(&mut self) -> bool {
        let now_ns = self.clock.now_ns();
        let expects =
            now_ns < self.drain.arrival_ns && self.listeners().any(Listener::is_expecting);
        if expects {
            self.drain.settled_ns = now_ns + LOOK_OUT.as_nanos() as u64;
        }
        expects
    }

    /// All threads are busy. A queue that others share waits for whoever is free first, here or
    /// there, and is only ended when it is empty. But once the doors are barred nobody shall wait
    /// before them for long: who is left comes in, and a sibling can be handed what he wants. So
    /// with a queue of our own from the beginning. Encrypted connections can't be handed over.
    pub(super) fn sweep_beside(&mut self) {
        let settled_ns = self.drain.settled_ns;
        let closed = settled_ns != 0 && self.drain.now_ns >= settled_ns && self.tls.is_none();
        if self.shared.options.own_queue || closed {
            self.let_all_in(BESIDE);
        } else if self.listeners().all(Listener::is_quiet) {
            self.end_sweep();
        }
    }

    /// Takes `most` of those who wait at the listeners, without a look at what siblings hand over.
    pub(super) fn let_all_in(&mut self, most: usize) {
        if self.reception.pause_end_ns().is_some() {
            return;
        }
        let mut left = most;
        for index in 0..self.listeners().count() {
            loop {
                if left == 0 {
                    return;
                }
                left -= 1;
                match self.admit(Door::Listener(index)) {
                    Visit::Came => {}
                    Visit::Nobody => break,
                    Visit::NotNow => return,
                }
            }
        }
        self.end_sweep();
    }
}
