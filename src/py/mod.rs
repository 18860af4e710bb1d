//! Floor 3: what Python sees of the core, `rgunicorn._core`.

mod access;
mod app;
mod environ;
mod errors;
mod ffi;
mod hooks;
mod input;
mod keys;
mod options;
mod respond;
mod session;
mod start_response;
mod worker;

/// The extension module.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::worker::serve_sync;
}
