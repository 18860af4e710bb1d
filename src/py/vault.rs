//! The vault of a worker, as the master has it: `src/sys/vault.rs`.

use std::sync::Arc;

use pyo3::prelude::*;

use super::flights::Flights;
use super::worker::handoff;
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
    /// the rest. Requests that go on are taken out of `flights`. Returns how many connections were
    /// moved, and how many more would have been if there had been room. Raises OSError when there are
    /// no descriptors left.
    fn rescue(
        &self,
        py: Python<'_>,
        flights: Option<&Bound<'_, Flights>>,
    ) -> PyResult<(usize, usize)> {
        let flights = flights.map(|flights| flights.get().memory());
        let found = self.vault.rescue(&handoff(py)?, flights.as_deref())?;
        self.vault.clear()?;
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

/// That of `worker`. A worker that was not made by our master has none.
pub(super) fn of(worker: &Bound<'_, PyAny>) -> PyResult<Option<Arc<vault::Vault>>> {
    let Some(blackbox) = worker.getattr_opt("blackbox")? else { return Ok(None) };
    let Some(vault) = blackbox.getattr_opt("vault")? else { return Ok(None) };
    Ok(vault.cast::<Vault>().ok().map(|vault| vault.get().vault.clone()))
}
