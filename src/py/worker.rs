//! What a worker process runs: `_core.serve_sync(worker)`, and `_core.Crew(worker)` for gthread.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use pyo3::prelude::*;

use super::app::PyApp;
use super::environ::ServerName;
use super::flights;
use super::keyring::Keyring;
use super::options::{self, Kind};
use super::scoreboard::Slot;
use super::state::State;
use super::timekeeper;
use super::vault;
use crate::engine::{self, Engine, Hand, Sources, sync, watch};
use crate::sys::file;
use crate::sys::handoff::Handoff;
use crate::sys::listener::Listener;
use crate::sys::memory;
use crate::sys::scoreboard;

/// Serves with one thread until the worker is told to stop. Called in the worker process, by
/// `SyncWorker.run`.
///
/// # Errors
/// OSError when there are no descriptors left for the event queue; whatever a signal handler
/// raises outside of requests (SystemExit on QUIT); whatever a setting of the wrong type raises.
#[pyfunction]
pub(super) fn serve_sync(py: Python<'_>, worker: &Bound<'_, PyAny>) -> PyResult<()> {
    let (engine, crew, state) = build(worker, Kind::Sync)?;
    let crew = Arc::new(crew);
    let mut app = PyApp::new(py, &state)?;
    worker.setattr("attendant", Attendant { crew: crew.clone() })?;
    py.detach(|| sync::serve(&crew, engine, &mut app))?;
    app.parting.take().map_or(Ok(()), Err)
}

/// The sync worker's loop as its signal handlers know it.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Attendant {
    crew: Arc<engine::Crew<PyApp>>,
}

#[pymethods]
impl Attendant {
    /// Sees to those who wait while the application runs on. OSError when there can be no thread
    /// for that.
    fn attend(&self) -> PyResult<()> {
        Ok(self.crew.attend()?)
    }

    /// Whether the application is in a call.
    #[getter]
    fn calling(&self) -> bool {
        self.crew.is_calling()
    }
}

/// The threads of one gthread worker.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Crew {
    crew: engine::Crew<PyApp>,
    state: Arc<State>,
    signals: Option<OwnedFd>,
}

#[pymethods]
impl Crew {
    /// For `worker`, in its process, before any of its threads.
    ///
    /// Raises OSError when there are no descriptors left, and whatever a setting of the wrong
    /// type raises.
    #[new]
    fn new(worker: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (engine, crew, state) = build(worker, Kind::Threads)?;
        crew.offer(engine);
        Ok(Self { crew, state, signals: wake_fd(worker)? })
    }

    /// Runs requests in the calling thread until the worker leaves.
    fn work(&self, py: Python<'_>) -> PyResult<()> {
        let mut app = PyApp::new(py, &self.state)?;
        Ok(py.detach(|| Hand::new(&self.crew, &mut app).work())?)
    }

    /// The main thread's part: signal handlers, the heartbeat, everybody's I/O while all threads
    /// are busy. Returns when the worker was told to stop and everything in flight is done, or
    /// `graceful_timeout` is over; raises what a signal handler raises.
    fn watch(&self, py: Python<'_>) -> PyResult<()> {
        let mut app = PyApp::new(py, &self.state)?;
        let signals = self.signals.as_ref().map(AsFd::as_fd);
        py.detach(|| watch::watch(&self.crew, &mut app, signals))?;
        app.parting.take().map_or(Ok(()), Err)
    }

    /// Sends every thread away after what it is doing.
    fn leave(&self) {
        self.crew.leave();
    }
}

type Parts = (Box<Engine<PyApp>>, engine::Crew<PyApp>, Arc<State>);

fn build(worker: &Bound<'_, PyAny>, kind: Kind) -> PyResult<Parts> {
    memory::keep_freed();
    let py = worker.py();
    let cfg = worker.getattr("cfg")?;
    let server: String = py
        .import("rgunicorn.http.banner")?
        .call_method1("server", (worker.getattr("log")?,))?
        .extract()?;
    let timeout: f64 = worker.getattr("timeout")?.extract()?;
    let options = options::read(&cfg, &server, timeout, kind)?;
    let (listeners, servers) = listeners(worker)?;
    let threads = kind == Kind::Threads;
    let state = Arc::new(State::new(worker, servers, &options.policy.script_name_env, threads)?);
    let sources = Sources {
        listeners,
        handoff: Some(handoff(py)?),
        signals: wake_fd(worker)?,
        tls: Keyring::of(&cfg, &state)?,
        flights: flights::of(worker)?,
        vault: vault::of(worker)?,
        timekeeper: timekeeper::timekeeper(worker)?,
    };
    let (engine, crew) = Engine::new(options, sources, slot(worker)?)?;
    Ok((engine, crew, state))
}

/// Duplicates of the ends of the queue between workers.
pub(super) fn handoff(py: Python<'_>) -> PyResult<Handoff> {
    let ends: (i32, i32) =
        py.import("rgunicorn.workers.handoff")?.getattr("ends")?.call0()?.extract()?;
    let closed = || pyo3::exceptions::PyOSError::new_err((libc::EBADF, "queue between workers"));
    let sending = file::duplicate(ends.0)?.ok_or_else(closed)?;
    let receiving = file::duplicate(ends.1)?.ok_or_else(closed)?;
    Ok(Handoff::from_pair(sending, receiving))
}

/// The listeners with their names, twice: for the engine, and for the environ.
type Listening = (Vec<(Listener, Vec<u8>)>, Vec<ServerName>);

fn listeners(worker: &Bound<'_, PyAny>) -> PyResult<Listening> {
    let (mut listeners, mut servers) = (Vec::new(), Vec::new());
    for socket in worker.getattr("sockets")?.try_iter()? {
        let socket = socket?;
        let raw: i32 = socket.call_method0("fileno")?.extract()?;
        let server = server_name(&socket)?;
        let is_unix = matches!(server, ServerName::Unix(_));
        let own = file::duplicate(raw)?
            .ok_or_else(|| pyo3::exceptions::PyOSError::new_err((libc::EBADF, "listener")))?;
        listeners.push((Listener::from_owned(own, is_unix)?, server.text().into_bytes()));
        servers.push(server);
    }
    Ok((listeners, servers))
}

/// How a listening socket, one of Python's, is called.
pub(super) fn server_name(socket: &Bound<'_, PyAny>) -> PyResult<ServerName> {
    let name = socket.call_method0("getsockname")?;
    Ok(match name.extract::<String>() {
        Ok(path) => ServerName::Unix(path),
        // Abstract names are bytes.
        Err(_) => match name.extract::<Vec<u8>>() {
            Ok(path) => ServerName::Unix(String::from_utf8_lossy(&path).into_owned()),
            Err(_) => ServerName::Inet(name.get_item(0)?.extract()?, name.get_item(1)?.extract()?),
        },
    })
}

/// The reading end of the pipe that Python's signal handler writes to.
fn wake_fd(worker: &Bound<'_, PyAny>) -> PyResult<Option<OwnedFd>> {
    let pipe = worker.getattr("PIPE")?;
    if pipe.len()? == 0 {
        return Ok(None);
    }
    Ok(file::duplicate(pipe.get_item(0)?.extract()?)?)
}

/// The worker's place on the scoreboard; a `worker.tmp` of somebody else's making has no slot, and is left to
/// whoever made it.
pub(super) fn slot(worker: &Bound<'_, PyAny>) -> PyResult<Option<scoreboard::Slot>> {
    let tmp = worker.getattr("tmp")?;
    let Some(slot) = tmp.getattr_opt("slot")? else { return Ok(None) };
    Ok(slot.cast::<Slot>().ok().map(|slot| slot.get().handle()))
}
