//! Floor 0: records to log lines.

pub mod notice;
