//! Floor 2: what the server shows of itself, made from a snapshot of the scoreboard.

pub mod metrics;
pub mod vitals;
