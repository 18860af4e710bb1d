//! The scoreboard as plain numbers: what `/metrics`, `/stats`, `rgunicorn top` and `rgunicorn stats` are
//! made from.

use std::io;
use std::os::fd::RawFd;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::scoreboard::wish_name;
use crate::sys::clock::monotonic_ns;
use crate::sys::connections::Connections;
use crate::sys::file;
use crate::sys::header::{Fact, Reason};
use crate::sys::snapshot::{self, ServerView, Snapshot, WorkerView};
use crate::sys::tally::{Event, Histogram};
use crate::sys::tells::Tells;
use crate::sys::usage;

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The scoreboard of some master, to look at.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Display {
    display: snapshot::Display,
}

#[pymethods]
impl Display {
    /// By a descriptor of its memory (`/proc/PID/fd/N`, opened for reading), which stays the caller's.
    /// The mapping stays as long as the process. ValueError when it is no scoreboard, or one of
    /// another layout, which the message names; OSError when it can't be mapped.
    #[new]
    fn new(fd: RawFd) -> PyResult<Self> {
        let closed = || PyOSError::new_err((libc::EBADF, "scoreboard"));
        let fd = file::duplicate(fd)?.ok_or_else(closed)?;
        match snapshot::Display::open(fd) {
            Ok(display) => Ok(Self { display }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(PyValueError::new_err(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Everything, now; see `_core.pyi`.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let now_ns = monotonic_ns();
        shown(py, &self.display.snapshot(now_ns), now_ns)
    }
}

/// A snapshot as Python reads it.
pub(super) fn shown<'py>(
    py: Python<'py>,
    snapshot: &Snapshot,
    now_ns: u64,
) -> PyResult<Bound<'py, PyDict>> {
    let Snapshot { server, workers } = snapshot;
    let it = PyDict::new(py);
    it.set_item("now_ns", now_ns)?;
    it.set_item("course", server.course.name())?;
    it.set_item("in_transit", server.in_transit)?;
    it.set_item("server", facts(py, server)?)?;
    it.set_item("ends", ends(py, server)?)?;
    let list = PyList::empty(py);
    for view in workers {
        list.append(worker(py, view)?)?;
    }
    it.set_item("workers", list)?;
    Ok(it)
}

fn facts<'py>(py: Python<'py>, server: &ServerView) -> PyResult<Bound<'py, PyDict>> {
    let it = PyDict::new(py);
    for fact in Fact::ALL {
        it.set_item(fact.name(), server.fact(fact))?;
    }
    Ok(it)
}

fn ends<'py>(py: Python<'py>, server: &ServerView) -> PyResult<Bound<'py, PyDict>> {
    let it = PyDict::new(py);
    for (reason, n) in Reason::ALL.into_iter().zip(server.ends) {
        it.set_item(reason.name(), n)?;
    }
    Ok(it)
}

/// What the worker does not tell has no key.
fn worker<'py>(py: Python<'py>, view: &WorkerView) -> PyResult<Bound<'py, PyDict>> {
    let it = PyDict::new(py);
    it.set_item("slot", view.slot)?;
    it.set_item("alive", view.alive)?;
    it.set_item("pid", view.pid)?;
    it.set_item("age", view.age)?;
    it.set_item("claimed_ns", view.claimed_ns)?;
    it.set_item("claimed_at_ns", view.claimed_at_ns)?;
    it.set_item("respawns", view.respawns)?;
    if let Some(booted_ns) = view.booted_ns {
        it.set_item("booted_ns", booted_ns)?;
    }
    if let Some(heartbeat_ns) = view.heartbeat_ns {
        it.set_item("heartbeat_ns", heartbeat_ns)?;
    }
    if let Some(wish) = view.wish {
        it.set_item("wish", wish_name(wish))?;
    }
    let tells = view.tells;
    if tells.has(Tells::ROOM) {
        it.set_item("room", view.room)?;
    }
    if tells.has(Tells::WORK) {
        it.set_item("running", view.work.running)?;
        it.set_item("busy_ns", view.work.busy_ns)?;
    }
    if tells.has(Tells::CONNECTIONS) {
        it.set_item("queued", view.queued)?;
        it.set_item("connections", connections(py, view.connections)?)?;
    }
    let tally = &view.tally;
    if tells.has(Tells::REQUESTS) {
        it.set_item("requests", tally.requests())?;
        it.set_item("own_requests", view.own_requests())?;
        let responses = PyDict::new(py);
        for (class, n) in CLASSES.into_iter().zip(tally.responses) {
            responses.set_item(class, n)?;
        }
        it.set_item("responses", responses)?;
    }
    let events = PyDict::new(py);
    for event in Event::ALL {
        if tells.has(Tells::of(event)) {
            events.set_item(event.name(), tally.count(event))?;
        }
    }
    it.set_item("events", events)?;
    if tells.has(Tells::BYTES) {
        it.set_item("bytes_in", tally.bytes_in)?;
        it.set_item("bytes_out", tally.bytes_out)?;
    }
    let histograms = PyDict::new(py);
    for (name, bit, histogram) in [
        ("queue", Tells::QUEUE_TIME, &tally.queue),
        ("app", Tells::APP_TIME, &tally.app),
        ("write", Tells::WRITE_TIME, &tally.write),
        ("whole", Tells::WHOLE_TIME, &tally.whole),
    ] {
        if tells.has(bit) {
            histograms.set_item(name, times(py, histogram)?)?;
        }
    }
    it.set_item("histograms", histograms)?;
    Ok(it)
}

fn connections(py: Python<'_>, now: Connections) -> PyResult<Bound<'_, PyDict>> {
    let it = PyDict::new(py);
    let Connections { reading, waiting, running, writing, idle } = now;
    it.set_item("reading", reading)?;
    it.set_item("waiting", waiting)?;
    it.set_item("running", running)?;
    it.set_item("writing", writing)?;
    it.set_item("idle", idle)?;
    Ok(it)
}

fn times<'py>(py: Python<'py>, histogram: &Histogram) -> PyResult<Bound<'py, PyDict>> {
    let it = PyDict::new(py);
    it.set_item("buckets", histogram.buckets.to_vec())?;
    it.set_item("sum_ns", histogram.sum_ns)?;
    Ok(it)
}

/// Seconds of CPU time that a process, of any user, has used with all its threads; `None` when it is gone.
#[pyfunction]
pub(crate) fn cpu_time(pid: i32) -> Option<f64> {
    usage::cpu_ns(pid).map(|ns| ns as f64 / 1e9)
}
