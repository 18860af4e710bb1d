//! `nr` and `alive` of a native worker: asked for at each request, seldom by Python.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use pyo3::prelude::*;

/// How many requests there were, and whether there shall be more. `NativeWorker` has properties of
/// these names, for signal handlers and hooks.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Standing {
    nr: AtomicI64,
    alive: AtomicBool,
}

#[pymethods]
impl Standing {
    #[new]
    fn new() -> Self {
        Self { nr: AtomicI64::new(0), alive: AtomicBool::new(true) }
    }

    #[getter]
    fn nr(&self) -> i64 {
        self.nr.load(Ordering::SeqCst)
    }

    #[setter]
    fn set_nr(&self, nr: i64) {
        self.nr.store(nr, Ordering::SeqCst);
    }

    #[getter]
    pub(super) fn alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    #[setter]
    fn set_alive(&self, alive: &Bound<'_, PyAny>) -> PyResult<()> {
        self.alive.store(alive.is_truthy()?, Ordering::SeqCst);
        Ok(())
    }
}

impl Standing {
    /// That of `worker`, unless a class of somebody else's says otherwise what `nr` or `alive` are.
    pub(super) fn of(worker: &Bound<'_, PyAny>) -> PyResult<Option<Py<Self>>> {
        let ours = worker.py().import("rgunicorn.workers.native")?.getattr("NativeWorker")?;
        let theirs = worker.get_type();
        for name in ["nr", "alive"] {
            if !theirs.getattr(name)?.is(&ours.getattr(name)?) {
                return Ok(None);
            }
        }
        let standing = worker.getattr_opt("_standing")?;
        Ok(standing.and_then(|standing| standing.cast_into::<Self>().ok()).map(Bound::unbind))
    }

    /// Counts a request. Returns how many there were, with it. `alone`: no other thread counts any. One
    /// of the application that sets `nr` has the GIL, or else it does not know what is counted meanwhile.
    pub(super) fn count(&self, alone: bool) -> i64 {
        if !alone {
            return self.nr.fetch_add(1, Ordering::SeqCst) + 1;
        }
        let nr = self.nr.load(Ordering::Relaxed) + 1;
        self.nr.store(nr, Ordering::Release);
        nr
    }
}
