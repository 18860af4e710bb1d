//! `request_timeout` and `log_slow`: the thread that looks, and the requests it looks at, for the
//! native workers and for those with a loop of their own.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::flights::Flight;
use super::start_response::octets;
use super::{options, worker};
use crate::engine::about::About;
use crate::engine::herald::{Herald, PATIENCE, Road};
use crate::engine::timekeeper::{self, Entry, Mail};
use crate::sys::blackbox::BlackBox;
use crate::sys::file;

/// Starts the thread for `worker`, in its process; None when both settings are off.
///
/// # Errors
/// OSError when there are no descriptors or threads left; what faulthandler raises.
pub(super) fn timekeeper(worker: &Bound<'_, PyAny>) -> PyResult<Option<timekeeper::Timekeeper>> {
    let py = worker.py();
    let bounds = options::bounds(&worker.getattr("cfg")?)?;
    if bounds.timeout.is_none() && bounds.slow.is_none() {
        return Ok(None);
    }
    let module = py.import("rgunicorn.workers.timekeeping")?;
    let (queue, wake): (RawFd, Option<RawFd>) = module.call_method0("ends")?.extract()?;
    let closed = || PyOSError::new_err((libc::EBADF, "queue to the master"));
    let queue = file::duplicate(queue)?.ok_or_else(closed)?;
    let wake = wake.map(file::duplicate).transpose()?.flatten();
    let stacks = if bounds.timeout.is_some() {
        let stacks = BlackBox::new(module.getattr("SIGNAL")?.extract()?)?;
        module.call_method1("register", (stacks.fd().as_raw_fd(),))?;
        Some(stacks)
    } else {
        None
    };
    let slot = worker::slot(worker)?;
    let id_header = options::id_header(&worker.getattr("cfg")?)?;
    Ok(Some(timekeeper::Timekeeper::start(bounds, slot, Mail { queue, wake }, stacks, id_header)?))
}

/// `environ["rgunicorn.deadline"]`: moves the deadline of its request.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Deadline {
    timed: Arc<timekeeper::Timed>,
}

impl Deadline {
    /// Puts one into `environ`.
    pub(super) fn announce(
        py: Python<'_>,
        timed: &Arc<timekeeper::Timed>,
        environ: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let deadline = Bound::new(py, Self { timed: timed.clone() })?;
        environ.set_item(pyo3::intern!(py, "rgunicorn.deadline"), deadline)
    }
}

#[pymethods]
impl Deadline {
    /// Puts the deadline `seconds` from now; 0 is none. Returns whether that was in time: False
    /// when the client has been answered already. ValueError for a negative number.
    fn __call__(&self, seconds: f64) -> PyResult<bool> {
        let by = Duration::try_from_secs_f64(seconds).map_err(|error| {
            PyValueError::new_err(format!("a deadline in {seconds} s: {error}"))
        })?;
        Ok(self.timed.extend(Some(by).filter(|by| !by.is_zero())))
    }
}

/// The thread that looks, for a worker with a loop of its own.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Timekeeper {
    timekeeper: timekeeper::Timekeeper,
}

#[pymethods]
impl Timekeeper {
    /// Starts the thread for `worker`, in its process; None when both settings are off. OSError
    /// when there are no descriptors or threads left.
    #[staticmethod]
    fn of(worker: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        Ok(timekeeper(worker)?.map(|timekeeper| Self { timekeeper }))
    }

    /// A request enters the application, in the calling thread. `fd`: the client's socket; `road`: True for
    /// one that is not encrypted, False for one that nobody but its thread can use, else what is called with a page, and
    /// how many seconds it has, in another thread and tells whether it has said it; `fields`: method, target, PATH_INFO, query, version (`1.1`), address of the
    /// client, microseconds waited (empty: not known), then name and value of each header field, as `str`; `flight`: the request as the
    /// master sees it. OSError when there are no
    /// descriptors left.
    #[pyo3(signature = (fd, road, fields, flight=None))]
    fn enter(
        &self,
        fd: RawFd,
        road: &Bound<'_, PyAny>,
        fields: Vec<Bound<'_, PyString>>,
        flight: Option<&Bound<'_, Flight>>,
    ) -> PyResult<Timed> {
        let mut about = About::default();
        for field in &fields {
            about.field(&octets(field)?);
        }
        let closed = || PyOSError::new_err((libc::EBADF, "the client's socket"));
        let socket: OwnedFd = file::duplicate(fd)?.ok_or_else(closed)?;
        let flight = flight.map(|it| it.get().noted());
        let socket = socket.as_fd();
        let road = match road.extract() {
            Ok(true) => Road::Plain,
            Ok(false) => Road::None,
            Err(_) => Road::Secured(Arc::new(LoopHerald(road.clone().unbind()))),
        };
        let entry = Entry { socket, free: true, road, counts: true, about, flight };
        let timed = self.timekeeper.enter(entry)?;
        Ok(Timed { timed })
    }
}

/// Says a page itself, over TLS.
struct LoopHerald(Py<PyAny>);

impl Herald for LoopHerald {
    /// There is nothing left to send then.
    fn encrypt(&self, page: &[u8]) -> Option<Vec<u8>> {
        Python::try_attach(|py| {
            let args = (PyBytes::new(py, page), PATIENCE.as_secs_f64());
            let said = self.0.bind(py).call1(args);
            match said.and_then(|said| said.extract()) {
                Ok(said) => Some(Vec::new()).filter(|_| said),
                Err(error) => {
                    error.write_unraisable(py, Some(self.0.bind(py)));
                    None
                }
            }
        })?
    }
}

/// One request in the application, for a worker with a loop of its own.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Timed {
    timed: Arc<timekeeper::Timed>,
}

#[pymethods]
impl Timed {
    /// Something is about to be sent. False: it must not, for the client has been answered.
    fn speak(&self) -> bool {
        self.timed.speak()
    }

    /// The access line is about to be written. False: it must not, for there is one.
    fn claim_line(&self) -> bool {
        self.timed.log()
    }

    /// Whether the request is the caller's to count on the scoreboard; once. False: whoever has
    /// taken it from its thread counts it.
    fn claim_count(&self) -> bool {
        !self.timed.is_overruled() && self.timed.claim_count()
    }

    /// Whether the client has been answered, or cut off, because it took too long.
    #[getter]
    fn is_overruled(&self) -> bool {
        self.timed.is_overruled()
    }

    /// The same, and all that could be said to the client has been said.
    #[getter]
    fn is_told(&self) -> bool {
        self.timed.is_told()
    }

    /// Whether its thread is done with it.
    #[getter]
    fn is_over(&self) -> bool {
        self.timed.is_over()
    }

    /// What the application may move the deadline with; None without `request_timeout`.
    #[getter]
    fn deadline(&self) -> Option<Deadline> {
        self.timed.is_limited().then(|| Deadline { timed: self.timed.clone() })
    }

    /// The request is over. Returns whether it was taken from its thread meanwhile.
    fn end(&self) -> bool {
        self.timed.end().is_some()
    }
}
