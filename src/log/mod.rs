//! Floor 0: records to log lines.
//!
//! [`Format`] is an `access_log_format` compiled once; [`Format::render`] turns one [`Record`] into
//! one line. [`Notice`] is everything else the engine wants said, for `gunicorn.error`.
//! Nothing here reads a clock, opens a file or knows Python.

pub mod access;
mod basic;
pub mod choice;
mod escape;
pub mod format;
mod line;
pub mod named;
pub mod notice;
pub mod traceparent;

pub use access::{Fields, Record};
pub use choice::Choice;
pub use format::Format;
pub use named::{Named, Style, Text};
pub use notice::{Level, Notice};
pub use traceparent::Traceparent;
