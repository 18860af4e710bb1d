//! Floor 2: what the server shows of itself, made from a snapshot of the scoreboard, and the status
//! process that shows it: to who asks in HTTP, and to who says nothing. It changes nothing
//! ([status](../../docs/design/status.md)).
//!
//! ```text
//! server (poll, connections) ─▶ guest ─▶ question (bytes to a page's name)
//!                                 │
//!                                 └──◀ site (a page's name to bytes) ◀─ health, stats, metrics ◀─ Snapshot
//! ```

mod guest;
pub mod health;
pub mod metrics;
pub mod question;
pub mod server;
pub mod site;
pub mod stall;
pub mod stats;
pub mod vitals;
