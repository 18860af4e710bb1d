//! Floor 2: the status process. It reads the scoreboard and answers who asks, in HTTP or to who says
//! nothing; it changes nothing ([status](../../docs/design/status.md)).
//!
//! ```text
//! server (poll, connections) ─▶ guest ─▶ question (bytes to a page's name)
//!                                 │
//!                                 └──◀ site (a page's name to bytes) ◀─ health, stats, metrics ◀─ Snapshot
//! ```

mod guest;
pub mod health;
pub mod question;
pub mod server;
pub mod site;
pub mod stall;
pub mod stats;
