//! What the kernel knows of the server's processes and sockets, as far as it tells.

use std::collections::BTreeMap;

use crate::sys::snapshot::Snapshot;
use crate::sys::usage;

/// Memory of one process, bytes. What can not be read is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident.
    pub rss: Option<u64>,
    /// Resident, with what is shared divided among those who share it.
    pub pss: Option<u64>,
    /// Virtual.
    pub vsz: Option<u64>,
}

/// All of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Of the master.
    pub master: Memory,
    /// Of the worker in each slot.
    pub workers: BTreeMap<usize, Memory>,
    /// Connections that wait at each listener, by its address.
    pub backlogs: Vec<(String, u64)>,
}

impl Memory {
    /// Of a process, as far as we may know.
    pub fn of(pid: u64) -> Self {
        let usage = usage::of(pid);
        Self {
            rss: usage.map(|usage| usage.rss),
            pss: usage::share_of(pid),
            vsz: usage.map(|usage| usage.vsz),
        }
    }
}

impl Vitals {
    /// As the kernel tells this process, now. The backlogs are left to who knows the listeners.
    pub fn read(snapshot: &Snapshot, master: u64) -> Self {
        let workers = snapshot.workers.iter().filter(|worker| worker.alive && worker.pid > 0);
        Self {
            master: Memory::of(master),
            workers: workers.map(|worker| (worker.slot, Memory::of(worker.pid))).collect(),
            backlogs: Vec::new(),
        }
    }
}
