//! The queue through which workers hand connections to each other: descriptors and bytes as
//! messages on one pair of unix sockets that all workers share.
//!
//! A message is taken by exactly one reader, in the order of sending, and lies in the kernel in
//! between: it outlives the worker that sent it.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv,
    recvmsg, sendmsg, socketpair,
};

use super::noted::Noted;

/// Longest message. What is longer goes into a file, whose descriptor goes along.
pub const MESSAGE_BYTES: usize = 16 * 1024;
/// Most descriptors of one message.
pub const MESSAGE_FDS: usize = 3;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It lies in the queue.
    Whole,
    /// There is no room in the socket's buffer now: the poller tells when there is.
    Full,
    /// Too many descriptors are on their way in sockets of this user (ETOOMANYREFS, unix(7)): nobody
    /// tells when there are fewer.
    Crowded,
}

/// Both ends of the queue.
#[derive(Debug)]
pub struct Handoff {
    sending: OwnedFd,
    receiving: OwnedFd,
}

impl Handoff {
    /// Takes over the ends of a SOCK_SEQPACKET pair.
    pub fn from_pair(sending: OwnedFd, receiving: OwnedFd) -> Self {
        Self { sending, receiving }
    }

    /// A queue of one's own.
    ///
    /// # Errors
    /// EMFILE and the like.
    pub fn new() -> io::Result<Self> {
        let (sending, receiving) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok(Self { sending, receiving })
    }

    /// Sends one message without waiting.
    ///
    /// # Errors
    /// EMSGSIZE and the like: this message can never be sent.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<Sent> {
        self.send_all(&[IoSlice::new(bytes)], fds)
    }

    /// The same with a message that is in pieces.
    ///
    /// # Errors
    /// The same.
    pub fn send_all(&self, pieces: &[IoSlice<'_>], fds: &[BorrowedFd<'_>]) -> io::Result<Sent> {
        let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let control = [ControlMessage::ScmRights(&raw)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        loop {
            match sendmsg::<()>(self.sending.as_raw_fd(), pieces, &control, flags, None) {
                Ok(_) => return Ok(Sent::Whole),
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return Ok(Sent::Full),
                Err(Errno::ETOOMANYREFS) => return Ok(Sent::Crowded),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The same as [`Handoff::send`]; the kernel notes that it was sent.
    ///
    /// # Errors
    /// The same.
    pub(super) fn send_noted(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        noted: Noted<'_>,
    ) -> io::Result<Sent> {
        match noted.send(self.sending.as_fd(), bytes, fds) {
            Ok(()) => Ok(Sent::Whole),
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Ok(Sent::Full),
            Err(Errno::ETOOMANYREFS) => Ok(Sent::Crowded),
            // A filter of system calls (seccomp(2)) that does not know it: noted when it is known here.
            Err(Errno::ENOSYS | Errno::EPERM) => {
                let sent = self.send(bytes, fds)?;
                if sent == Sent::Whole {
                    noted.note(bytes.len());
                }
                Ok(sent)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes one message without waiting: its length in `into`, and its descriptors. `None`:
    /// nothing is there.
    ///
    /// # Errors
    /// EMFILE and the like; the message is lost then only if the kernel had to cut it.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
        self.receive_at(into, &mut nix::cmsg_space!([RawFd; MESSAGE_FDS]))
    }

    /// The same; `control` is where the kernel writes the descriptors, cmsg(3).
    ///
    /// # Errors
    /// The same.
    pub fn receive_at(
        &self,
        into: &mut [u8],
        control: &mut [u8],
    ) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
        self.read(into, control, MsgFlags::empty())
    }

    /// The same as [`Handoff::receive`] with duplicates of the descriptors; the message stays where it is.
    ///
    /// # Errors
    /// EMFILE and the like; the message is still there.
    pub fn copy(&self, into: &mut [u8]) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
        self.read(into, &mut nix::cmsg_space!([RawFd; MESSAGE_FDS]), MsgFlags::MSG_PEEK)
    }

    fn read(
        &self,
        into: &mut [u8],
        control: &mut [u8],
        how: MsgFlags,
    ) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
        let flags = how | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        loop {
            let mut slices = [IoSliceMut::new(into)];
            let fd = self.receiving.as_raw_fd();
            let message = match recvmsg::<()>(fd, &mut slices, Some(&mut *control), flags) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let mut fds = Vec::new();
            for part in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(raw) = part {
                    // SAFETY: the kernel has just made these descriptors for us alone.
                    fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                }
            }
            return Ok(Some((message.bytes, fds)));
        }
    }

    /// The first bytes of the next message, which stays where it is: how many of `into` they are.
    /// `None`: nothing is there.
    ///
    /// # Errors
    /// recv(2)'s.
    pub fn peek(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_PEEK;
        loop {
            match recv(self.receiving.as_raw_fd(), into, flags) {
                Ok(len) => return Ok(Some(len)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Drops the next message, if there is one. Its descriptors are closed by the kernel: there need not be
    /// room for them here. False: there was none.
    ///
    /// # Errors
    /// recv(2)'s.
    pub fn drop_next(&self) -> io::Result<bool> {
        loop {
            match recv(self.receiving.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT) {
                Ok(_) => return Ok(true),
                Err(Errno::EAGAIN) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Drops everything that lies there.
    ///
    /// # Errors
    /// recv(2)'s.
    pub fn clear(&self) -> io::Result<()> {
        while self.drop_next()? {}
        Ok(())
    }

    /// The end to watch for room.
    pub fn sending(&self) -> BorrowedFd<'_> {
        self.sending.as_fd()
    }

    /// The end to watch for messages.
    pub fn receiving(&self) -> BorrowedFd<'_> {
        self.receiving.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn queue() -> Handoff {
        Handoff::new().unwrap()
    }

    #[test]
    fn messages_come_whole_and_in_order_with_their_descriptors() {
        let queue = queue();
        let mut into = [0; MESSAGE_BYTES];
        assert!(queue.receive(&mut into).unwrap().is_none());
        assert_eq!(queue.peek(&mut into).unwrap(), None);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(queue.send(b"first", &[ours.as_fd()]).unwrap(), Sent::Whole);
        assert_eq!(queue.send(b"second", &[]).unwrap(), Sent::Whole);
        drop(ours);
        let mut start = [0; 3];
        assert_eq!(queue.peek(&mut start).unwrap(), Some(3));
        assert_eq!(&start, b"fir");
        let (len, fds) = queue.copy(&mut into).unwrap().unwrap();
        assert_eq!((&into[..len], fds.len()), (&b"first"[..], 1));
        drop(fds);
        let (len, fds) = queue.receive(&mut into).unwrap().unwrap();
        assert_eq!((&into[..len], fds.len()), (&b"first"[..], 1));
        let mut passed = UnixStream::from(fds.into_iter().next().unwrap());
        passed.write_all(b"x").unwrap();
        drop(passed);
        let mut seen = String::new();
        theirs.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "x");
        let (len, fds) = queue.receive(&mut into).unwrap().unwrap();
        assert_eq!((&into[..len], fds.len()), (&b"second"[..], 0));
        assert!(queue.receive(&mut into).unwrap().is_none());
    }

    #[test]
    fn a_full_queue_says_so_and_loses_nothing() {
        let queue = queue();
        let mut sent = 0u32;
        while queue.send(&sent.to_be_bytes(), &[]).unwrap() == Sent::Whole {
            sent += 1;
        }
        assert!(sent > 50);
        let mut into = [0; MESSAGE_BYTES];
        for expected in 0..sent {
            let (len, _) = queue.receive(&mut into).unwrap().unwrap();
            assert_eq!(into[..len], expected.to_be_bytes());
        }
    }
    #[test]
    fn what_is_dropped_is_closed() {
        let queue = queue();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        queue.send(b"one", &[ours.as_fd()]).unwrap();
        queue.send(b"two", &[ours.as_fd()]).unwrap();
        drop(ours);
        queue.clear().unwrap();
        let mut seen = Vec::new();
        assert_eq!(theirs.read_to_end(&mut seen).unwrap(), 0);
        assert!(queue.receive(&mut [0; MESSAGE_BYTES]).unwrap().is_none());
    }
}
