//! How many connections of a worker are at what, in shared memory: gauges beside the counters of
//! [`super::tally`].

use std::sync::atomic::{AtomicU64, Ordering};

use super::tally::{is_counting, load};

/// What connections are at, as gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// A head, a body or a handshake is on its way.
    pub reading: u64,
    /// Complete requests that wait for a thread.
    pub waiting: u64,
    /// In the application.
    pub running: u64,
    /// A response is on its way.
    pub writing: u64,
    /// Between two requests.
    pub idle: u64,
}

/// What the connections of a worker are at: gauges.
#[derive(Debug)]
#[repr(C)]
pub(super) struct ConnectionCells([AtomicU64; 5]);

impl ConnectionCells {
    pub(super) fn set(&self, now: Connections) {
        if !is_counting() {
            return;
        }
        let Connections { reading, waiting, running, writing, idle } = now;
        for (cell, n) in self.0.iter().zip([reading, waiting, running, writing, idle]) {
            cell.store(n, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self) -> Connections {
        let [reading, waiting, running, writing, idle] = load(&self.0);
        Connections { reading, waiting, running, writing, idle }
    }
}
