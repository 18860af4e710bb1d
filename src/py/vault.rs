//! The vault of a worker, as the master has it: `src/sys/vault.rs`.

use std::sync::Arc;

use pyo3::prelude::*;

use super::flights::Flights;
use super::worker::handoff;
use crate::sys::flights::{self, MOST_PLACES, Mark, Peer, Phase, Ticket};
use crate::sys::intake::Leftover;
use crate::sys::vault;

/// Where a worker deposits connections that a kill would close. The master makes one before the fork.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Vault {
    vault: Arc<vault::Vault>,
}

#[pymethods]
impl Vault {
    /// For `room` connections. Raises OSError when there are no descriptors, or there is no memory.
    #[new]
    fn new(room: usize) -> PyResult<Self> {
        Ok(Self { vault: Arc::new(vault::Vault::new(room)?) })
    }

    /// Its worker was killed: moves what can go on elsewhere to the queue between workers, and closes
    /// the rest. Requests that go on are taken out of `flights`; the one that was being received is put
    /// there if it does not (phase "coming"; without method where nothing of it had come). It may only where
    /// what it had sent can not have been the cause (`blameless`). Returns how many connections were moved,
    /// and how many more would have been if there had been room. Raises OSError when there are no
    /// descriptors left.
    #[pyo3(signature = (flights, blameless=true))]
    fn rescue(
        &self,
        py: Python<'_>,
        flights: Option<&Bound<'_, Flights>>,
        blameless: bool,
    ) -> PyResult<(usize, usize)> {
        let flights = flights.map(|flights| flights.get().memory());
        let leftover = self.vault.leftover();
        let passed_on = leftover.as_ref().filter(|_| blameless);
        let found = self.vault.rescue(&handoff(py)?, flights.as_deref(), passed_on)?;
        self.vault.clear()?;
        if let (Some(flights), Some(lost), false) = (flights, leftover, found.read) {
            note(&flights, &lost);
        }
        Ok((found.moved, found.left))
    }

    /// Its worker has left as it should: closes what lies there. Raises OSError as `rescue` does.
    fn clear(&self) -> PyResult<()> {
        Ok(self.vault.clear()?)
    }

    /// For a child that the application has forked: it has no connections.
    fn secede(&self) -> PyResult<()> {
        Ok(self.vault.secede()?)
    }

    /// How many connections there is room for.
    #[getter]
    fn room(&self) -> usize {
        self.vault.room()
    }
}

/// Notes what a worker was receiving when it ended, unless it had begun to run it.
fn note(flights: &flights::Flights, lost: &Leftover) {
    if lost.has_begun(flights) {
        return;
    }
    let (method, path) = lost.words();
    let ticket = Ticket {
        method,
        path,
        id: b"",
        peer: match lost.peer {
            Some(addr) => Peer::Ip(addr),
            // By this, too, it is known that there was somebody. No access line is made of it.
            None if lost.is_sure && lost.bytes.is_empty() => Peer::Named(b"a unix socket"),
            None => Peer::Nobody,
        },
        version: (1, 1),
        started_ns: lost.started_ns,
        thread: (0, 0),
        reading: lost.reading,
    };
    let flight = flights.begin_beside(MOST_PLACES, &ticket, Phase::Coming);
    // Without a request there is nothing to count, and no access line.
    if let Some(flight) = flight.filter(|_| lost.bytes.is_empty()) {
        flight.mark(Mark::Counted);
        flight.mark(Mark::Logged);
    }
}

/// That of `worker`. A worker that was not made by our master has none.
pub(super) fn of(worker: &Bound<'_, PyAny>) -> PyResult<Option<Arc<vault::Vault>>> {
    let Some(blackbox) = worker.getattr_opt("blackbox")? else { return Ok(None) };
    let Some(vault) = blackbox.getattr_opt("vault")? else { return Ok(None) };
    Ok(vault.cast::<Vault>().ok().map(|vault| vault.get().vault.clone()))
}
