//! Floor 3: what Python sees of the core, `rgunicorn._core`.

mod access;
mod app;
mod arbiter;
mod body;
mod decoder;
mod display;
mod door;
mod encoder;
mod ending;
mod environ;
mod errors;
mod ffi;
mod fields;
mod flights;
mod fork;
mod hooks;
mod input;
mod keyring;
mod keys;
mod lines;
mod link;
mod memo;
mod mould;
mod notices;
mod options;
mod remote;
mod respond;
mod scale;
mod scoreboard;
mod session;
mod standing;
mod start_response;
mod state;
mod static_files;
mod status;
mod timekeeper;
mod tls;
mod variables;
mod vault;
mod watched;
mod worker;

/// The extension module.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[cfg(feature = "count-allocations")]
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::arbiter::{Fleet, Inbox, reap};
    #[pymodule_export]
    use super::body::Body;
    #[pymodule_export]
    use super::decoder::{RequestDecoder, Rules, path_info};
    #[pymodule_export]
    use super::display::{Display, cpu_time};
    #[pymodule_export]
    use super::door::bar;
    #[pymodule_export]
    use super::encoder::{ResponseEncoder, early_hints};
    #[pymodule_export]
    use super::errors::refusal;
    #[pymodule_export]
    use super::flights::{Flight, Flights, FlightsDisplay, bear_witness, notepad};
    #[pymodule_export]
    use super::fork::fork;
    #[pymodule_export]
    use super::lines::{AccessChoice, access_line, traceparent};
    #[pymodule_export]
    use super::scale::Scaler;
    #[pymodule_export]
    use super::scoreboard::{Scoreboard, Slot};
    #[pymodule_export]
    use super::standing::Standing;
    #[pymodule_export]
    use super::static_files::StaticFiles;
    #[pymodule_export]
    use super::status::serve_status;
    #[pymodule_export]
    use super::timekeeper::{Deadline, Timed, Timekeeper};
    #[pymodule_export]
    use super::tls::TlsSession;
    #[pymodule_export]
    use super::vault::Vault;
    #[pymodule_export]
    use super::worker::{Attendant, Crew, serve_sync};

    /// Upper bounds of the buckets of all histograms; one more bucket is for all above.
    #[pymodule_export]
    const HISTOGRAM_BOUNDS_NS: [u64; crate::sys::tally::BOUNDS_NS.len()] =
        crate::sys::tally::BOUNDS_NS;

    /// Allocations by Rust code so far; only in builds made to count them.
    #[cfg(feature = "count-allocations")]
    #[pyfunction]
    fn allocations() -> u64 {
        crate::sys::alloc::count()
    }
}
