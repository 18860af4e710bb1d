//! The master's three Rust parts as Python objects: the signal inbox, the reaper and the fleet.
//!
//! `rgunicorn.arbiter` runs the loop in Python, because each of its effects is a method that
//! subclasses override, and because no Rust frame is then on the stack when it forks. What to do
//! and when is decided here, below Python.

use std::os::fd::IntoRawFd;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::fleet;
use crate::sys::{children, signals};

/// Queue of the signals the master has received, and what it sleeps on.
#[pyclass(module = "rgunicorn._core")]
pub(crate) struct Inbox {
    /// `None` in a forked child: the pipe belongs to the master.
    inbox: Option<signals::Inbox>,
}

#[pymethods]
impl Inbox {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self { inbox: Some(signals::Inbox::new()?) })
    }

    /// Directs the master's ten signals here. The caller has set them to SIG_DFL in Python.
    fn install(&self) -> PyResult<()> {
        match &self.inbox {
            Some(inbox) => Ok(inbox.install()?),
            None => Ok(()),
        }
    }

    /// Adds a signal number as if it had been received; nothing happens in a worker.
    fn put(&self, number: u8) -> PyResult<()> {
        match &self.inbox {
            Some(inbox) => Ok(inbox.put(number)?),
            None => Ok(()),
        }
    }

    /// `put` under the name it has on the queue that Gunicorn uses.
    fn put_nowait(&self, number: u8) -> PyResult<()> {
        self.put(number)
    }

    /// A descriptor for a worker: a byte written to it is a signal of that number to us, from
    /// wherever it comes. The caller owns it.
    fn door(&self) -> PyResult<Option<i32>> {
        Ok(self.inbox.as_ref().map(signals::Inbox::door).transpose()?.map(IntoRawFd::into_raw_fd))
    }

    /// Waits up to `timeout` seconds and returns the numbers of all signals received, in order.
    ///
    /// Handlers that somebody installed with Python's `signal` run meanwhile, and what they raise
    /// is raised here.
    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<Vec<i32>> {
        let Some(inbox) = &self.inbox else {
            return Ok(Vec::new());
        };
        let timeout = Duration::try_from_secs_f64(timeout).unwrap_or_default();
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            let left_ms = left.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u16::MAX);
            let done = py.detach(|| inbox.wait(left_ms))?;
            py.check_signals()?;
            if done {
                return Ok(inbox.drain()?.into_iter().map(i32::from).collect());
            }
        }
    }
}

impl Inbox {
    /// In a forked child: closes our copy of the pipe.
    pub(super) fn close(&mut self) {
        self.inbox = None;
    }
}

/// The report of one ended child: `(pid, exit code or None, signal or None)`; `None` when no
/// child has ended. Never blocks.
#[pyfunction]
pub(crate) fn reap() -> PyResult<Option<Ended>> {
    Ok(children::reap()?.map(|ended| (ended.pid, ended.code, ended.signal)))
}

/// Process id, exit code, signal.
type Ended = (i32, Option<i32>, Option<i32>);

/// Which workers exist, and what is to be done about them. Times are `time.monotonic_ns()`.
///
/// Methods that return a list return what the caller has to do, in order; see `_core.pyi`.
#[pyclass(module = "rgunicorn._core")]
pub(crate) struct Fleet {
    pub(super) fleet: fleet::Fleet,
}

#[pymethods]
impl Fleet {
    #[new]
    fn new() -> Self {
        Self { fleet: fleet::Fleet::new() }
    }

    /// `timeout`, `graceful_timeout` and how long a worker may take to boot, in seconds; 0 is no
    /// limit, but for `graceful_timeout`.
    fn set_limits(&mut self, timeout: f64, graceful_timeout: f64, boot: f64) {
        self.fleet.set_limits(fleet::Limits {
            timeout_ns: nanoseconds(timeout),
            graceful_ns: nanoseconds(graceful_timeout),
            boot_ns: nanoseconds(boot),
        });
    }

    /// How many workers are to serve; below 0 is 0.
    fn set_target(&mut self, target: i64) {
        self.fleet.set_target(usize::try_from(target).unwrap_or(0));
    }

    /// `(age, slot)` of the worker that would be forked next.
    fn next_child(&self) -> (u64, usize) {
        let id = self.fleet.next_child();
        (id.age, id.slot)
    }

    fn on_spawned(&mut self, pid: i32, age: u64, slot: usize, now_ns: u64) {
        self.fleet.on_spawned(pid, fleet::Identity { age, slot }, now_ns);
    }

    /// `code` and `signal` as `reap()` gave them.
    fn on_exited<'py>(
        &mut self,
        py: Python<'py>,
        pid: i32,
        code: Option<i32>,
        signal: Option<i32>,
        now_ns: u64,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let exit = match signal {
            Some(signal) => fleet::Exit::Signal(signal),
            None => fleet::Exit::Code(code.unwrap_or(0)),
        };
        tuples(py, self.fleet.on_exited(pid, exit, now_ns))
    }

    fn on_vanished<'py>(
        &mut self,
        py: Python<'py>,
        pid: i32,
        now_ns: u64,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        tuples(py, self.fleet.on_vanished(pid, now_ns))
    }

    /// `signs`: of each worker its pid, when it had booted, its last heartbeat, and how it wants to
    /// be replaced: `None` not, `False` when its successor is ready, `True` at once.
    fn on_signs(&mut self, signs: Vec<Told>, now_ns: u64) {
        let wish = |at_once| if at_once { fleet::Wish::Departure } else { fleet::Wish::Successor };
        let signs: Vec<_> = signs
            .into_iter()
            .map(|(pid, booted_ns, beat_ns, at_once)| {
                (pid, fleet::Signs { booted_ns, beat_ns, wish: at_once.map(wish) })
            })
            .collect();
        self.fleet.on_signs(&signs, now_ns);
    }

    /// `strategy`: a value of the setting `reload_strategy`. ValueError for another word.
    fn on_reload<'py>(
        &mut self,
        py: Python<'py>,
        strategy: &str,
        now_ns: u64,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let strategy = match strategy {
            "ready" => fleet::Strategy::Ready,
            "rolling" => fleet::Strategy::Rolling,
            "gunicorn" => fleet::Strategy::Forked,
            other => return Err(PyValueError::new_err(format!("no strategy: {other}"))),
        };
        tuples(py, self.fleet.on_reload(strategy, now_ns))
    }

    fn on_spawn_failed<'py>(
        &mut self,
        py: Python<'py>,
        scarce: bool,
        now_ns: u64,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        tuples(py, self.fleet.on_spawn_failed(scarce, now_ns))
    }

    fn balance<'py>(&mut self, py: Python<'py>, now_ns: u64) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        tuples(py, self.fleet.balance(now_ns))
    }

    /// `beats`: `(pid, time of its last heartbeat)` of every worker that has one.
    fn on_tick<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        beats: Vec<(i32, u64)>,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        tuples(py, self.fleet.on_tick(now_ns, &beats))
    }

    fn on_stop<'py>(
        &mut self,
        py: Python<'py>,
        graceful: bool,
        now_ns: u64,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let stop = if graceful { fleet::Stop::Graceful } else { fleet::Stop::Quick };
        tuples(py, self.fleet.on_stop(stop, now_ns))
    }

    /// One worker fewer is to serve, and it is to be `pid`.
    fn dismiss<'py>(
        &mut self,
        py: Python<'py>,
        pid: i32,
        now_ns: u64,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        tuples(py, self.fleet.dismiss(pid, now_ns))
    }

    fn is_settled(&self, now_ns: u64) -> bool {
        self.fleet.is_settled(now_ns)
    }

    /// How long the master may sleep, in seconds.
    fn sleep(&self, now_ns: u64) -> f64 {
        Duration::from_nanos(self.fleet.sleep_ns(now_ns)).as_secs_f64()
    }

    /// Whether there were once as many ready workers as asked for.
    fn is_established(&self) -> bool {
        self.fleet.is_established()
    }

    /// How many of those that count towards the target are ready.
    fn ready(&self) -> usize {
        self.fleet.ready()
    }

    /// Why `pid` was told to leave: `reload`, `surplus`, `wish` or `stop`; `None` when it was not.
    fn cause(&self, pid: i32) -> Option<&'static str> {
        self.fleet.cause(pid).map(|cause| match cause {
            fleet::Cause::Reload => "reload",
            fleet::Cause::Surplus => "surplus",
            fleet::Cause::Wish => "wish",
            fleet::Cause::Stop => "stop",
        })
    }

    /// Whether workers are missing and none is forked, because they end too early or do not boot.
    fn holds_back(&self, now_ns: u64) -> bool {
        self.fleet.holds_back(now_ns)
    }

    /// How many workers count towards the target.
    fn serving(&self) -> usize {
        self.fleet.count(fleet::Duty::Serving)
    }
}

/// What a worker says of itself.
type Told = (i32, Option<u64>, Option<u64>, Option<bool>);

pub(super) fn nanoseconds(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds)
        .map_or(0, |duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn tuples(py: Python<'_>, actions: Vec<fleet::Action>) -> PyResult<Vec<Bound<'_, PyTuple>>> {
    actions.into_iter().map(|action| tuple(py, action)).collect()
}

fn tuple(py: Python<'_>, action: fleet::Action) -> PyResult<Bound<'_, PyTuple>> {
    use fleet::Action;
    let seconds = |ns| Duration::from_nanos(ns).as_secs_f64();
    match action {
        Action::Spawn => ("spawn",).into_pyobject(py),
        Action::Kill { pid, sig } => ("kill", pid, number(sig)).into_pyobject(py),
        Action::ReportCode { pid, code } => ("code", pid, code).into_pyobject(py),
        Action::ReportSignal { pid, signal } => ("signal", pid, signal).into_pyobject(py),
        Action::ReportTimeout { pid } => ("timeout", pid).into_pyobject(py),
        Action::ReportHang { pid } => ("hang", pid).into_pyobject(py),
        Action::Unknown { pid } => ("unknown", pid).into_pyobject(py),
        Action::ChildExit { pid } => ("child_exit", pid).into_pyobject(py),
        Action::RetryBoot { pid, pause_ns } => ("retry", pid, seconds(pause_ns)).into_pyobject(py),
        Action::RetryFork { pause_ns } => ("retry_fork", seconds(pause_ns)).into_pyobject(py),
        Action::NoRoom { pause_ns } => ("no_room", seconds(pause_ns)).into_pyobject(py),
        Action::BackOff { pid, pause_ns } => ("back_off", pid, seconds(pause_ns)).into_pyobject(py),
        Action::Reloaded => ("reloaded",).into_pyobject(py),
        Action::ReloadFailed { pid, stay } => ("reload_failed", pid, stay).into_pyobject(py),
        Action::Halt { reason, code } => ("halt", reason, code).into_pyobject(py),
    }
}

fn number(sig: fleet::Sig) -> i32 {
    match sig {
        fleet::Sig::Term => libc::SIGTERM,
        fleet::Sig::Quit => libc::SIGQUIT,
        fleet::Sig::Abrt => libc::SIGABRT,
        fleet::Sig::Kill => libc::SIGKILL,
    }
}
