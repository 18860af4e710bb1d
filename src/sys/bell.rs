//! A bell: one thread waits for it, any other rings it. It rings on, so that a ring before the
//! wait is not lost.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::thread::roughly;

/// An eventfd(2).
#[derive(Debug)]
pub struct Bell {
    fd: EventFd,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woken {
    /// Somebody rang.
    pub rung: bool,
    /// The other descriptor has something to read, or a signal came in.
    pub other: bool,
}

impl Bell {
    /// A silent bell.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self { fd: EventFd::from_value_and_flags(0, flags)? })
    }

    /// Rings; from any thread.
    pub fn ring(&self) {
        // EAGAIN: the counter is full, so it has long been ringing.
        let _ = self.fd.write(1);
    }

    /// Makes it silent again. A poller that watches for edges needs no silence in between.
    pub fn hush(&self) {
        // EAGAIN: it is silent.
        let _ = self.fd.read();
    }

    /// Waits up to `timeout` for the bell, or for `other` to become readable, and hushes the bell.
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, timeout: Duration) -> Woken {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut fds = [
            PollFd::new(self.fd.as_fd(), PollFlags::POLLIN),
            // Twice the bell where there is no other.
            PollFd::new(other.unwrap_or(self.fd.as_fd()), PollFlags::POLLIN),
        ];
        let signal = poll(&mut fds, timeout) == Err(Errno::EINTR);
        let [rung, second] = fds.map(|fd| !signal && fd.any().unwrap_or(false));
        if rung {
            self.hush();
        }
        Woken { rung, other: signal || second && other.is_some() }
    }

    /// The same; without a ring it may last longer by up to `slack`, see [`roughly`].
    pub fn wait_roughly(
        &self,
        other: Option<BorrowedFd<'_>>,
        timeout: Duration,
        slack: Duration,
    ) -> Woken {
        roughly(slack, || self.wait(other, timeout))
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_ring_before_the_wait_is_heard_once() {
        let bell = Bell::new().unwrap();
        assert_eq!(bell.wait(None, NOW), Woken { rung: false, other: false });
        bell.ring();
        bell.ring();
        assert_eq!(bell.wait(None, NOW), Woken { rung: true, other: false });
        assert_eq!(bell.wait(None, NOW), Woken { rung: false, other: false });
    }

    #[test]
    fn the_other_descriptor_is_heard_too() {
        let bell = Bell::new().unwrap();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        assert_eq!(bell.wait(Some(reader.as_fd()), NOW), Woken { rung: false, other: false });
        nix::unistd::write(&writer, b"x").unwrap();
        bell.ring();
        assert_eq!(bell.wait(Some(reader.as_fd()), NOW), Woken { rung: true, other: true });
    }
}
