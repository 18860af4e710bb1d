//! Environ variables that the access log shows: whether the application has changed them.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// They, as they were before the application ran.
pub(super) struct Watched {
    keys: Vec<Py<PyString>>,
    before: Vec<Option<Py<PyAny>>>,
}

impl Watched {
    pub(super) fn new(py: Python<'_>, keys: &[&str]) -> Self {
        Self {
            keys: keys.iter().map(|key| PyString::intern(py, key).unbind()).collect(),
            before: Vec::with_capacity(keys.len()),
        }
    }

    /// Remembers them.
    pub(super) fn observe(&mut self, py: Python<'_>, environ: &Bound<'_, PyDict>) -> PyResult<()> {
        self.before.clear();
        for key in &self.keys {
            self.before.push(environ.get_item(key.bind(py))?.map(Bound::unbind));
        }
        Ok(())
    }

    /// Lets go of what was remembered.
    pub(super) fn forget(&mut self) {
        self.before.clear();
    }

    /// Whether they are the same objects as then.
    pub(super) fn unchanged(&self, py: Python<'_>, environ: &Bound<'_, PyDict>) -> PyResult<bool> {
        for (key, before) in self.keys.iter().zip(&self.before) {
            let now = environ.get_item(key.bind(py))?;
            let same = match (&now, before) {
                (Some(now), Some(before)) => now.is(before.bind(py)),
                (None, None) => true,
                _ => false,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
