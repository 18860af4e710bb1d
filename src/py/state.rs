//! What all threads of a worker share of Python: the application, the logger, the hooks; how many
//! requests there were, and whether there shall be more.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::access::Custom;
use super::environ::ServerName;
use super::hooks::Hooks;
use super::standing::Standing;
use crate::engine::Stage;
use crate::log::notice::Notice;
use crate::sys::flights::Flights;
use crate::sys::journal::OwnSlate;

/// Notices said between two ticks (a second) at most: a flood of bad clients must not flood the log.
const NOTICES_PER_TICK: u64 = 100;

/// Python's side of one worker.
pub(super) struct State {
    pub(super) worker: Py<PyAny>,
    pub(super) callable: Py<PyAny>,
    pub(super) log: Py<PyAny>,
    pub(super) hooks: Hooks,
    pub(super) file_wrapper: Py<PyAny>,
    pub(super) sendfile: bool,
    /// What every environ starts from.
    pub(super) base_environ: Py<PyDict>,
    pub(super) servers: Vec<ServerName>,
    pub(super) script_name: Vec<u8>,
    pub(super) access_lines: Custom,
    /// Where requests are noted, and lines kept that are not written yet.
    flights: Option<Arc<Flights>>,
    /// Slates that have been given out.
    slates: AtomicUsize,
    parent: i32,
    /// `nr` and `alive` of the worker, where they are the core's.
    standing: Option<Py<Standing>>,
    /// One thread runs all requests.
    alone: bool,
    /// Requests so far, where `nr` is an attribute like any other.
    requests: AtomicI64,
    max_requests: i64,
    /// The worker has said that it has served `max_requests`.
    had_enough: AtomicBool,
    /// There is a limit for its memory.
    has_memory_limit: bool,
    stage: AtomicU8,
    epoch: AtomicU64,
    /// What a signal handler raised (SystemExit) where nobody could pass it on.
    pub(super) interrupted: OnceLock<PyErr>,
    /// Notices since the last tick, said or not.
    notices: AtomicU64,
    /// Those that were left out elsewhere.
    left_out: AtomicU64,
}

impl State {
    /// Reads what is needed of `worker`, once. `multithread` is what applications are told.
    ///
    /// # Errors
    /// Whatever an attribute or a setting of the wrong type raises.
    pub(super) fn new(
        worker: &Bound<'_, PyAny>,
        servers: Vec<ServerName>,
        script_name: &[u8],
        multithread: bool,
    ) -> PyResult<Self> {
        let py = worker.py();
        let cfg = worker.getattr("cfg")?;
        let log = worker.getattr("log")?;
        let package = py.import("rgunicorn.http.wsgi")?;
        let base = package.getattr("base_environ")?.call1((&cfg,))?.cast_into::<PyDict>()?;
        base.set_item("wsgi.multithread", multithread)?;
        Ok(Self {
            worker: worker.clone().unbind(),
            callable: worker.getattr("wsgi")?.unbind(),
            hooks: Hooks::of(&cfg, &log)?,
            file_wrapper: package.getattr("FileWrapper")?.unbind(),
            sendfile: cfg.getattr("sendfile")?.is_truthy()?,
            base_environ: base.unbind(),
            servers,
            script_name: script_name.to_vec(),
            access_lines: Custom {
                format: cfg.getattr("access_log_format")?.extract()?,
                choice: super::lines::choice_of(&log, &cfg)?,
                slot: worker.getattr("slot")?.extract()?,
            },
            flights: super::flights::of(worker)?,
            slates: AtomicUsize::new(0),
            parent: worker.getattr("ppid")?.extract()?,
            standing: Standing::of(worker)?,
            alone: !multithread,
            requests: AtomicI64::new(worker.getattr("nr")?.extract()?),
            // `sys.maxsize` stands for no limit in Gunicorn.
            max_requests: worker.getattr("max_requests")?.extract()?,
            had_enough: AtomicBool::new(false),
            has_memory_limit: worker.getattr("_recycling")?.is_truthy()?,
            stage: AtomicU8::new(Stage::Serving as u8),
            epoch: AtomicU64::new(0),
            interrupted: OnceLock::new(),
            notices: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            log: log.unbind(),
        })
    }

    /// A slate for one more thread, as long as there are any.
    pub(super) fn next_slate(&self) -> Option<OwnSlate> {
        let flights = self.flights.as_ref()?;
        let number = self.slates.fetch_add(1, Ordering::Relaxed);
        flights.slate(number).map(|_| (flights.clone(), number))
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::SeqCst) {
            stage if stage == Stage::Serving as u8 => Stage::Serving,
            stage if stage == Stage::Enough as u8 => Stage::Enough,
            stage if stage == Stage::Alone as u8 => Stage::Alone,
            _ => Stage::Stopping,
        }
    }

    /// Changes with everything after which threads shall look at the logger again.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// A signal may have come: USR1 reopens files, a handler may have been added.
    pub(super) fn look_again(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether one more notice may be said; it is counted.
    pub(super) fn may_say(&self) -> bool {
        self.notices.fetch_add(1, Ordering::Relaxed) < NOTICES_PER_TICK
    }

    /// Counts notices that nobody kept.
    pub(super) fn leave_out(&self, count: u64) {
        self.left_out.fetch_add(count, Ordering::Relaxed);
    }

    /// Says how many were left out since the last time. Called at each tick.
    pub(super) fn say_rest(&self, py: Python<'_>) {
        let count = self.notices.swap(0, Ordering::Relaxed).saturating_sub(NOTICES_PER_TICK)
            + self.left_out.swap(0, Ordering::Relaxed);
        if count > 0 {
            super::notices::say(py, self.log.bind(py), &Notice::Suppressed { count });
        }
    }

    /// Counts a request that is about to run.
    ///
    /// # Errors
    /// What setting an attribute of the worker raises.
    pub(super) fn count(&self, py: Python<'_>) -> PyResult<()> {
        let worker = self.worker.bind(py);
        let requests = match &self.standing {
            Some(standing) => standing.get().count(self.alone),
            None => {
                let requests = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
                worker.setattr(pyo3::intern!(py, "nr"), requests)?;
                requests
            }
        };
        if requests >= self.max_requests
            && self.stage() == Stage::Serving
            && !self.had_enough.swap(true, Ordering::SeqCst)
        {
            super::notices::say(py, self.log.bind(py), &Notice::MaxRequests);
            let ask = pyo3::intern!(py, "_ask_for_successor");
            if worker.call_method1(ask, ("max_requests",))?.is_truthy()? {
                // Until its successor is ready and the master sends TERM.
                return Ok(());
            }
            self.leave_serving(Stage::Enough);
            worker.setattr("alive", false)?;
        }
        Ok(())
    }

    /// Looks at the worker's memory when it has a limit. Called at each tick.
    pub(super) fn look_at_memory(&self, py: Python<'_>) {
        if !self.has_memory_limit || self.stage() != Stage::Serving {
            return;
        }
        let worker = self.worker.bind(py);
        if let Err(error) = worker.call_method0(pyo3::intern!(py, "_look_at_memory")) {
            error.write_unraisable(py, Some(worker));
        }
    }

    /// Whether there shall be more requests, as Python's signal handlers have left it.
    pub(super) fn goes_on(&self, py: Python<'_>) -> bool {
        if self.stage() != Stage::Serving {
            return false;
        }
        if let Some(standing) = &self.standing {
            return standing.get().alive();
        }
        let alive = self.worker.bind(py).getattr(pyo3::intern!(py, "alive"));
        alive.and_then(|alive| alive.is_truthy()).unwrap_or(false)
    }

    /// Takes over what Python's signal handlers decided.
    pub(super) fn refresh(&self, py: Python<'_>) {
        if self.stage() != Stage::Serving {
            return;
        }
        if !self.goes_on(py) {
            self.leave_serving(Stage::Stopping);
        }
        let orphaned = nix::unistd::getppid().as_raw() != self.parent;
        if orphaned && self.leave_serving(Stage::Alone) {
            let said = self
                .log
                .bind(py)
                .call_method1("info", ("Parent changed, shutting down: %s", self.worker.bind(py)));
            if let Err(error) = said {
                error.write_unraisable(py, None);
            }
        }
    }

    /// Whether this caller is the one that ended the serving.
    fn leave_serving(&self, stage: Stage) -> bool {
        let serving = Stage::Serving as u8;
        self.stage
            .compare_exchange(serving, stage as u8, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}
