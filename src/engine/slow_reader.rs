//! Waiting for a client that takes its response slowly, while the application wants to go on.

use std::os::fd::AsFd;
use std::time::Duration;

use super::App;
use super::exchange::{Exchange, Gone};
use crate::sys::clock::monotonic_ns;
use crate::sys::socket;

/// Between two looks for signals while a slow reader is waited for.
const A_MOMENT: Duration = Duration::from_secs(1);

/// How a wait for a slow reader ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The application may produce more.
    Free,
    /// Let signal handlers run, then wait on.
    NotYet,
}

impl<A: App> Exchange<'_, A> {
    /// Whether the application may produce more before [`Exchange::wait_room`].
    pub fn has_room(&self) -> bool {
        self.conn.outbox.in_memory() <= self.shared.options.response_memory
    }

    /// Makes room: sends what the client takes, and moves the rest to the unlinked file. When that
    /// is full, waits for the client, for a moment: signal handlers may want to run. Meanwhile the watcher serves the I/O of all others; the application slot stays taken.
    ///
    /// # Errors
    /// The client has gone, or makes no progress.
    pub fn wait_room(&mut self) -> Result<Room, Gone> {
        self.send()?;
        if !self.has_room() {
            let options = &self.shared.options;
            let dir = options.spool_dir.as_deref();
            // A full disk is no reason to fail: memory and back-pressure remain.
            let _ = self.conn.outbox.spill(options.response_limit, dir);
        }
        if self.progress_ns == 0 {
            self.clock.tick();
            self.progress_ns = self.clock.now_ns();
        }
        if let Some(fd) = self.conn.socket().filter(|_| !self.has_room()) {
            socket::wait_writable(fd, A_MOMENT).map_err(Gone::Broken)?;
            self.clock.tick();
            let now_ns = self.clock.now_ns();
            // A slow reader is no reason for the arbiter to think that the worker hangs.
            self.shared.beat(now_ns);
            if self.send()? > 0 {
                self.progress_ns = now_ns;
            } else {
                let patience_ns = self.shared.options.write_timeout.map_or(u64::MAX, nanos);
                if now_ns - self.progress_ns >= patience_ns {
                    return Err(Gone::Stalled);
                }
            }
        }
        if !self.has_room() {
            return Ok(Room::NotYet);
        }
        self.progress_ns = 0;
        Ok(Room::Free)
    }

    /// Sends what has been encrypted already, and waits for the client to take it.
    ///
    /// # Errors
    /// The client has gone, or makes no progress.
    pub fn settle(&mut self) -> Result<(), Gone> {
        let mut since_ns = monotonic_ns();
        while let Some(tls) = self.conn.tls.as_mut().filter(|tls| tls.unsent() > 0) {
            let Some(fd) = self.conn.socket.as_ref().map(AsFd::as_fd) else { return Ok(()) };
            let now_ns = monotonic_ns();
            self.shared.beat(now_ns);
            if tls.pay(fd).map_err(Gone::Broken)? > 0 {
                since_ns = now_ns;
                continue;
            }
            if now_ns - since_ns >= self.shared.options.write_timeout.map_or(u64::MAX, nanos) {
                return Err(Gone::Stalled);
            }
            socket::wait_writable(fd, A_MOMENT).map_err(Gone::Broken)?;
        }
        Ok(())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
