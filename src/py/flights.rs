//! The requests that a worker runs, as Python sees them: worker classes with a loop of their own
//! note theirs here, and the master reads those of a worker that has died.

use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::sys::clock::monotonic_ns;
use crate::sys::file;
use crate::sys::flights::{self, Mark, Peer, Phase, Sighting, Ticket};
use crate::sys::manifest::{Label, Manifest};
use crate::sys::{thread, witness};

impl Flights {
    /// The memory itself.
    pub(super) fn memory(&self) -> Arc<flights::Flights> {
        self.flights.clone()
    }
}

/// A descriptor until somebody closes it.
#[expect(clippy::disallowed_types, reason = "floor 3, and never held across a call")]
type Kept = std::sync::Mutex<Option<OwnedFd>>;

/// Room for the requests that one worker runs at once, in memory that the master shares with it.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Flights {
    flights: Arc<flights::Flights>,
    /// By which others find the memory, in the process that made it.
    fd: Kept,
    /// Where there was room last.
    place: AtomicUsize,
}

#[pymethods]
impl Flights {
    /// `label`: slot and age of the worker, for others who look by `FlightsDisplay`; without it
    /// nobody finds the memory. Raises OSError when there is no memory.
    #[new]
    #[pyo3(signature = (room, slates=0, label=None))]
    fn new(room: usize, slates: usize, label: Option<(Option<u64>, u64)>) -> PyResult<Self> {
        let (flights, fd) = match label {
            Some((slot, age)) => flights::Flights::listed(room, slates, Label { slot, age })?,
            None => (flights::Flights::new(room, slates)?, None),
        };
        let place = AtomicUsize::new(0);
        Ok(Self { flights: Arc::new(flights), fd: Kept::new(fd), place })
    }

    /// In the worker: others find the memory in the master, so this descriptor is not needed.
    fn close_fd(&self) {
        self.fd.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Notes that a request begins, in the calling thread. `None` when there is no room.
    #[pyo3(signature = (method, path, version, peer="", request_id=""))]
    fn begin(
        &self,
        method: &str,
        path: &str,
        version: (u8, u8),
        peer: &str,
        request_id: &str,
    ) -> Option<Flight> {
        let ticket = Ticket {
            method: &octets(method, flights::METHOD_BYTES),
            path: &octets(path, flights::PATH_BYTES),
            id: &octets(request_id, flights::ID_BYTES),
            peer: Peer::Named(&octets(peer, flights::PEER_BYTES)),
            version,
            started_ns: monotonic_ns(),
            thread: thread::identity(),
            reading: 0,
        };
        let mut place = self.place.load(Ordering::Relaxed);
        let flight = self.flights.begin(&mut place, &ticket)?;
        flight.advance(Phase::Waiting, Phase::App);
        // The next one is most likely free.
        self.place.store(place + 1, Ordering::Relaxed);
        Some(Flight { flights: self.flights.clone(), name: flight.name() })
    }

    /// The requests that run, or ran when the worker died: a dict for each, see `_core.pyi`.
    fn running<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.flights.running().filter_map(flights::Flight::sight).map(|it| shown(py, it)).collect()
    }

    /// Access lines that were made but not written when the worker died, of one thread each.
    fn unwritten<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.flights.unwritten().map(|lines| PyBytes::new(py, &lines)).collect()
    }

    /// Access lines that the worker has given up, and had not told of when it ended.
    #[getter]
    fn lost_lines(&self) -> u64 {
        self.flights.lost_lines()
    }

    /// For a child that the application has forked: nobody sees what it does from here on.
    fn secede(&self) -> PyResult<()> {
        Ok(self.flights.secede()?)
    }

    /// How many requests there is room for.
    #[getter]
    fn room(&self) -> usize {
        self.flights.room()
    }

    /// Requests for which there was none.
    #[getter]
    fn overflow(&self) -> u64 {
        self.flights.overflow()
    }

    /// The signal that makes the worker write its stacks, 0 for none.
    #[getter]
    fn stack_signal(&self) -> u64 {
        self.flights.stack_signal()
    }

    #[setter]
    fn set_stack_signal(&self, number: u64) {
        self.flights.set_stack_signal(number);
    }
}

/// The requests of a worker of another server.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct FlightsDisplay {
    manifest: Manifest,
}

#[pymethods]
impl FlightsDisplay {
    /// By the descriptor `fd`, which stays the caller's. ValueError when it is something else, or
    /// of another layout, which the message names; OSError when it can't be mapped.
    #[new]
    fn new(fd: i32) -> PyResult<Self> {
        let closed = || PyOSError::new_err((libc::EBADF, "flights"));
        match Manifest::open(file::duplicate(fd)?.ok_or_else(closed)?) {
            Ok(manifest) => Ok(Self { manifest }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(PyValueError::new_err(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Slot, `None` for none, and age of the worker.
    #[getter]
    fn label(&self) -> (Option<u64>, u64) {
        let Label { slot, age } = self.manifest.label();
        (slot, age)
    }

    /// The requests that run, as `Flights.running` has them.
    fn running<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.manifest.running()?.into_iter().map(|it| shown(py, it)).collect()
    }
}

/// Where the requests of `worker` are noted. A worker that was not made by our master has no such
/// memory.
pub(super) fn of(worker: &Bound<'_, PyAny>) -> PyResult<Option<Arc<flights::Flights>>> {
    let Some(blackbox) = worker.getattr_opt("blackbox")? else { return Ok(None) };
    let Some(flights) = blackbox.getattr_opt("flights")? else { return Ok(None) };
    Ok(flights.cast::<Flights>().ok().map(|flights| flights.get().flights.clone()))
}

/// One request of a worker class with a loop of its own. Nothing happens once it has ended.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Flight {
    flights: Arc<flights::Flights>,
    name: (usize, u64),
}

#[pymethods]
impl Flight {
    /// The head of the response is about to be sent. False: somebody else has answered.
    fn sending(&self) -> bool {
        let Some(flight) = self.flights.named(self.name) else { return true };
        flight.advance(Phase::App, Phase::Sending) || flight.phase() != Some(Phase::Answered)
    }

    /// The access line has been written.
    fn logged(&self) {
        self.mark(Mark::Logged);
    }

    /// The request has been counted on the scoreboard.
    fn counted(&self) {
        self.mark(Mark::Counted);
    }

    /// The client has gone.
    fn client_gone(&self) {
        self.mark(Mark::ClientGone);
    }

    /// The request has ended.
    fn end(&self) {
        if let Some(flight) = self.flights.named(self.name) {
            if flight.phase().is_some() {
                flight.end();
            }
        }
    }
}

impl Flight {
    /// Where it is noted, and its name there.
    pub(crate) fn noted(&self) -> (Arc<flights::Flights>, (usize, u64)) {
        (self.flights.clone(), self.name)
    }

    fn mark(&self, mark: Mark) {
        if let Some(flight) = self.flights.named(self.name) {
            if flight.phase().is_some() {
                flight.mark(mark);
            }
        }
    }
}

/// The descriptor, the caller's, of a file in memory to whose end all writers write. Close-on-exec.
///
/// Raises OSError when there are no descriptors left.
#[pyfunction]
pub(crate) fn notepad() -> PyResult<i32> {
    Ok(file::notepad()?.into_raw_fd())
}

/// From here on `signal`, at which faulthandler writes all stacks to `fd`, has them written by a copy
/// of the process. With `aborts` SIGABRT as well, before what it does now.
///
/// Raises OSError when there is no such signal.
#[pyfunction]
pub(crate) fn bear_witness(signal: i32, fd: i32, aborts: bool) -> PyResult<()> {
    Ok(witness::install(signal, fd, aborts)?)
}

/// Latin-1, as WSGI has it; at most one byte more than `most`, which shows that it was longer.
fn octets(text: &str, most: usize) -> Vec<u8> {
    text.chars().take(most + 1).map(|it| u8::try_from(it).unwrap_or(b'?')).collect()
}

fn shown(py: Python<'_>, sighting: Sighting) -> PyResult<Bound<'_, PyDict>> {
    let it = PyDict::new(py);
    let phase = match sighting.phase {
        Phase::Waiting => "waiting",
        Phase::App => "app",
        Phase::Sending => "sending",
        Phase::Answered => "answered",
        Phase::Coming => "coming",
        Phase::Departing => "departing",
    };
    it.set_item("phase", phase)?;
    it.set_item("method", PyBytes::new(py, &sighting.method))?;
    it.set_item("path", PyBytes::new(py, &sighting.path))?;
    it.set_item("path_cut", sighting.path_cut)?;
    it.set_item("request_id", PyBytes::new(py, &sighting.id))?;
    it.set_item("peer", PyBytes::new(py, &sighting.peer))?;
    it.set_item("version", sighting.version)?;
    it.set_item("started_ns", sighting.started_ns)?;
    it.set_item("deadline_ns", sighting.deadline_ns)?;
    it.set_item("thread", sighting.thread.0)?;
    it.set_item("tid", sighting.thread.1)?;
    it.set_item("logged", sighting.has(Mark::Logged))?;
    it.set_item("client_gone", sighting.has(Mark::ClientGone))?;
    it.set_item("overdue", sighting.has(Mark::Overdue))?;
    it.set_item("counted", sighting.has(Mark::Counted))?;
    Ok(it)
}
