//! Floor 1: system calls. EINTR and EAGAIN are handled here; nothing else is translated.

#[cfg(feature = "count-allocations")]
pub mod alloc;
pub mod bell;
pub mod blackbox;
pub mod children;
pub mod clock;
pub mod course;
pub mod diag;
pub mod file;
pub mod flights;
pub mod handoff;
pub mod header;
pub mod leash;
mod line;
pub mod listener;
pub mod manifest;
pub mod memory;
pub mod poller;
pub mod scoreboard;
mod siblings;
pub mod signals;
pub mod slate;
pub mod snapshot;
pub mod socket;
pub mod spool;
pub mod stand_in;
pub mod tally;
pub mod tells;
pub mod thread;
pub mod ticket;
pub mod tree;
pub mod unique;
pub mod usage;
pub mod voice;
pub mod wish;
pub mod witness;
pub mod work;
