//! What makes the TLS sessions of a worker: the context of its configuration.

use std::sync::Arc;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use super::link::Link;
use super::state::State;
use super::tls::TlsSession;
use crate::engine::transport::{Fault, Opener, Transport};

/// What makes a session for each connection of a worker.
pub(super) struct Keyring {
    context: Py<PyAny>,
    classes: Arc<Classes>,
}

/// What all sessions of a worker use of Python.
pub(super) struct Classes {
    pub(super) memory_bio: Py<PyAny>,
    pub(super) want_read: Py<PyAny>,
    pub(super) eof: Py<PyAny>,
    pub(super) error: Py<PyAny>,
    /// `suppress_ragged_eofs`.
    pub(super) suppress: bool,
    pub(super) state: Arc<State>,
}

impl Classes {
    /// What `error` means for a connection.
    pub(super) fn fault(&self, py: Python<'_>, error: &PyErr) -> Fault {
        if !error.is_instance_of::<PyException>(py) {
            // `_ssl` runs signal handlers in the main thread, and one of them wants to leave. The
            // worker does so at its next look around; only the first counts.
            let _ = self.state.interrupted.set(error.clone_ref(py));
            return Fault::Ragged;
        }
        let text = error.value(py).to_string();
        if error.matches(py, self.error.bind(py)).unwrap_or(false) {
            Fault::Refused(text)
        } else {
            Fault::Failed(text)
        }
    }
}

impl Keyring {
    /// What `cfg` asks for; `None` without TLS.
    ///
    /// # Errors
    /// `ConfigError`, and whatever the `ssl_context` hook raises.
    pub(super) fn of(
        cfg: &Bound<'_, PyAny>,
        state: &Arc<State>,
    ) -> PyResult<Option<Arc<dyn Opener>>> {
        if !cfg.getattr("is_ssl")?.is_truthy()? {
            return Ok(None);
        }
        let py = cfg.py();
        let context = py.import("rgunicorn.tls")?.call_method1("server_context", (cfg,))?;
        let ssl = py.import("ssl")?;
        let class = |name: &str| ssl.getattr(name).map(Bound::unbind);
        let classes = Classes {
            memory_bio: class("MemoryBIO")?,
            want_read: class("SSLWantReadError")?,
            eof: class("SSLEOFError")?,
            error: class("SSLError")?,
            suppress: cfg.getattr("suppress_ragged_eofs")?.is_truthy()?,
            state: state.clone(),
        };
        Ok(Some(Arc::new(Self { context: context.unbind(), classes: Arc::new(classes) })))
    }
}

impl Opener for Keyring {
    fn open(&self) -> Result<Box<dyn Transport>, Fault> {
        Python::attach(|py| match TlsSession::new(py, &self.context, &self.classes) {
            Ok(session) => Ok(Box::new(Link::to(session)) as Box<dyn Transport>),
            Err(error) => Err(self.classes.fault(py, &error)),
        })
    }
}
