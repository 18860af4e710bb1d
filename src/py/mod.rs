//! Floor 3: what Python sees of the core, `rgunicorn._core`.

/// The extension module.
#[pyo3::pymodule(gil_used = false)]
mod _core {}
