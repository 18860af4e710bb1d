//! mio's `Poll` with tokens that carry a generation, so that an event for a connection that has
//! gone is never taken for its successor in the same place.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};

const EVENTS_PER_TURN: usize = 256;

/// Names one registration: a place, and how often that place was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Index in the owner's table.
    pub place: u32,
    /// Generation of that place.
    pub generation: u32,
}

impl Token {
    fn pack(self) -> mio::Token {
        mio::Token((self.generation as usize) << 32 | self.place as usize)
    }

    fn unpack(token: mio::Token) -> Self {
        Self { place: token.0 as u32, generation: (token.0 >> 32) as u32 }
    }
}

/// What happened to a registration.
#[derive(Clone, Copy, Debug)]
pub struct Readiness {
    /// Whose.
    pub token: Token,
    /// Bytes, a connection, or an end of stream may be read.
    pub readable: bool,
    /// There is room to write again.
    pub writable: bool,
    /// The peer has said its last byte, or the connection is dead.
    pub ended: bool,
}

/// The event queue of one worker. Made after fork, never before: epoll is shared by fork.
#[derive(Debug)]
pub struct Poller {
    poll: Poll,
    events: Events,
}

impl Poller {
    /// A new, empty queue.
    ///
    /// # Errors
    /// EMFILE, ENOMEM.
    pub fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, events: Events::with_capacity(EVENTS_PER_TURN) })
    }

    /// Watches a listener, level-triggered. EPOLLEXCLUSIVE wakes one *waiting* sibling for each
    /// connection; a busy one is not waiting in epoll_wait and so swallows no wake-up
    /// (`ep_poll_callback` counts a wake-up only when somebody waits).
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub fn listen(&self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: (libc::EPOLLIN | libc::EPOLLEXCLUSIVE) as u32,
            u64: token.pack().0 as u64,
        };
        // SAFETY: both descriptors are open for the whole call and the kernel copies `event`.
        let rc = unsafe {
            libc::epoll_ctl(self.poll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &mut event)
        };
        if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Watches `fd` for input, edge-triggered. What is there already is reported once.
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub fn watch(&self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let raw = fd.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&raw), token.pack(), Interest::READABLE)
    }

    /// Changes what a watched `fd` is watched for: always input, room to write if asked.
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub fn rewatch(&self, fd: BorrowedFd<'_>, token: Token, writable: bool) -> io::Result<()> {
        let interest =
            if writable { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        let raw = fd.as_raw_fd();
        self.poll.registry().reregister(&mut SourceFd(&raw), token.pack(), interest)
    }

    /// Watches `fd` for room to write, edge-triggered; room that is there already is reported.
    ///
    /// # Errors
    /// epoll_ctl(2)'s.
    pub fn watch_room(&self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let raw = fd.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&raw), token.pack(), Interest::WRITABLE)
    }

    /// Stops watching. Needed only where the description outlives the descriptor (a duplicate is
    /// held elsewhere); closing the last descriptor does it otherwise.
    pub fn forget(&self, fd: BorrowedFd<'_>) {
        // ENOENT (not watched) leaves nothing to do.
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd.as_raw_fd()));
    }

    /// Waits up to `timeout` (`None`: for ever) and appends what happened to `into`. A signal
    /// ends the wait early with nothing.
    ///
    /// # Errors
    /// epoll_wait(2)'s, EINTR excepted.
    pub fn wait(&mut self, timeout: Option<Duration>, into: &mut Vec<Readiness>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        into.extend(self.events.iter().map(|event| Readiness {
            token: Token::unpack(event.token()),
            readable: event.is_readable(),
            writable: event.is_writable(),
            ended: event.is_read_closed() || event.is_error(),
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    fn turn(poller: &mut Poller) -> Vec<Readiness> {
        let mut seen = Vec::new();
        poller.wait(NOW, &mut seen).unwrap();
        seen
    }

    #[test]
    fn input_is_reported_once_per_edge_with_its_generation() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut poller = Poller::new().unwrap();
        let token = Token { place: 7, generation: u32::MAX };
        poller.watch(ours.as_fd(), token).unwrap();
        assert!(turn(&mut poller).is_empty());
        theirs.write_all(b"x").unwrap();
        let seen = turn(&mut poller);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].token, token);
        assert!(seen[0].readable && !seen[0].ended);
        assert!(turn(&mut poller).is_empty());
        drop(theirs);
        assert!(turn(&mut poller)[0].ended);
    }

    #[test]
    fn room_to_write_is_reported_only_when_asked() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut poller = Poller::new().unwrap();
        let token = Token { place: 1, generation: 0 };
        poller.watch(ours.as_fd(), token).unwrap();
        assert!(turn(&mut poller).is_empty());
        poller.rewatch(ours.as_fd(), token, true).unwrap();
        assert!(turn(&mut poller)[0].writable);
        poller.forget(ours.as_fd());
        poller.forget(ours.as_fd());
    }
}
