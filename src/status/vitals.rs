//! What the kernel knows of the server's processes and sockets, as far as it tells.

use std::collections::BTreeMap;

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
