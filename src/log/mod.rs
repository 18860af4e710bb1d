//! Floor 0: records to log lines.
//!
//! [`Format`] is an `access_log_format` compiled once; [`Format::render`] turns one [`Record`] into
//! one line. [`Notice`] is everything else the engine wants said, for `gunicorn.error`.
//! Nothing here reads a clock, opens a file or knows Python.

pub mod access;
mod basic;
mod escape;
pub mod format;
pub mod notice;

pub use access::{Fields, Record};
pub use format::Format;
pub use notice::{Level, Notice};
