//! Floor 1: system calls. EINTR and EAGAIN are handled here; nothing else is translated.

pub mod children;
pub mod scoreboard;
pub mod signals;
