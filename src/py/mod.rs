//! Floor 3: what Python sees of the core, `rgunicorn._core`.

mod arbiter;
mod fork;
mod scoreboard;

/// The extension module.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::arbiter::{Fleet, Inbox, reap};
    #[pymodule_export]
    use super::fork::fork;
    #[pymodule_export]
    use super::scoreboard::{Scoreboard, Slot};
}
