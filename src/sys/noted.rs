//! How many bytes have been received or sent, noted by the kernel in memory that outlives the worker: recvmmsg(2)
//! and sendmmsg(2) write the length of a message there before they return, others only return it.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;

use super::handoff::MESSAGE_FDS;
use super::socket::{self, Transfer};

/// Words of a header of those.
pub(super) const NOTED_WORDS: usize = size_of::<libc::mmsghdr>() / 8;
/// Where the length lies in it.
const LENGTH: usize = std::mem::offset_of!(libc::mmsghdr, msg_len) / 8;

/// Descriptors of a message, as cmsg(3) wants them.
#[repr(C)]
struct Rights {
    header: libc::cmsghdr,
    fds: [RawFd; MESSAGE_FDS],
}

/// What the kernel notes; all-zero: nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted<'m>(&'m [AtomicU64; NOTED_WORDS]);

impl<'m> Noted<'m> {
    /// There.
    pub(super) fn new(words: &'m [AtomicU64; NOTED_WORDS]) -> Self {
        Self(words)
    }

    /// Nothing has been received or sent from here on.
    pub(super) fn wipe(&self) {
        self.0[LENGTH].store(0, Ordering::Release);
    }

    /// How many bytes have been, of at most `most`.
    pub(super) fn length(&self, most: usize) -> usize {
        // A number of 32 bits, at the beginning of its word.
        let [b0, b1, b2, b3, ..] = self.0[LENGTH].load(Ordering::Acquire).to_ne_bytes();
        most.min(u32::from_ne_bytes([b0, b1, b2, b3]) as usize)
    }

    /// [`socket::receive`], of which is noted here how much it was.
    ///
    /// # Errors
    /// The connection's own.
    pub(super) fn receive(&self, fd: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<Transfer> {
        let mut piece =
            libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() as _ };
        let header = self.0.as_ptr().cast_mut().cast::<libc::mmsghdr>();
        loop {
            // SAFETY: the words are as long and aligned as a header, and atomics may be written to; nobody else of this
            // process has them. The kernel writes as much as the piece says, and keeps no pointer.
            let came = unsafe {
                let mut message: libc::mmsghdr = zeroed();
                message.msg_hdr.msg_iov = &raw mut piece;
                message.msg_hdr.msg_iovlen = 1;
                header.write(message);
                let flags = libc::MSG_DONTWAIT as _;
                libc::recvmmsg(fd.as_raw_fd(), header, 1, flags, std::ptr::null_mut())
            };
            match Errno::result(came) {
                Ok(_) => return Ok(Transfer::Bytes(self.length(into.len()))),
                Err(Errno::EAGAIN) => return Ok(Transfer::Blocked),
                Err(Errno::EINTR) => {}
                // A filter of system calls (seccomp(2)) that does not know it: noted when it is known here.
                Err(Errno::ENOSYS | Errno::EPERM) => {
                    let got = socket::receive(fd, into)?;
                    if let Transfer::Bytes(n) = got {
                        self.note(n);
                    }
                    return Ok(got);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Sends one message with descriptors, at most [`MESSAGE_FDS`], without waiting.
    ///
    /// # Errors
    /// What sendmsg(2) answers, EINTR excepted.
    pub(super) fn send(
        &self,
        fd: BorrowedFd<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), Errno> {
        let mut piece =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() as _ };
        let header = self.0.as_ptr().cast_mut().cast::<libc::mmsghdr>();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        loop {
            // SAFETY: the words are as long and aligned as a header, and atomics may be written to; nobody else of this
            // process has them. All it points to are locals that live longer than the call and are only read; the
            // control message is as long as it says.
            let sent = unsafe {
                let mut rights: Rights = zeroed();
                rights.header.cmsg_level = libc::SOL_SOCKET;
                rights.header.cmsg_type = libc::SCM_RIGHTS;
                let count = fds.len().min(MESSAGE_FDS);
                let length = std::mem::offset_of!(Rights, fds) + count * size_of::<RawFd>();
                rights.header.cmsg_len = length as _;
                rights.fds.iter_mut().zip(fds).for_each(|(to, fd)| *to = fd.as_raw_fd());
                let mut message: libc::mmsghdr = zeroed();
                message.msg_hdr.msg_iov = &raw mut piece;
                message.msg_hdr.msg_iovlen = 1;
                message.msg_hdr.msg_control = (&raw mut rights).cast();
                message.msg_hdr.msg_controllen = length as _;
                header.write(message);
                libc::sendmmsg(fd.as_raw_fd(), header, 1, flags as _)
            };
            match Errno::result(sent) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The same, by hand.
    pub(super) fn note(&self, n: usize) {
        let [b0, b1, b2, b3] = (n as u32).to_ne_bytes();
        self.0[LENGTH].store(u64::from_ne_bytes([b0, b1, b2, b3, 0, 0, 0, 0]), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_has_come_is_noted() {
        let words = Default::default();
        let inflow = Noted::new(&words);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut into = [1; 8];
        assert_eq!(inflow.receive(ours.as_fd(), &mut into).unwrap(), Transfer::Blocked);
        assert_eq!(inflow.length(8), 0);
        theirs.write_all(b"ab\0\0").unwrap();
        assert_eq!(inflow.receive(ours.as_fd(), &mut into).unwrap(), Transfer::Bytes(4));
        assert_eq!((inflow.length(8), inflow.length(3)), (4, 3));
        assert_eq!(&into, b"ab\0\0\x01\x01\x01\x01");
        inflow.wipe();
        assert_eq!(inflow.length(8), 0);
        theirs.write_all(&[7; 9]).unwrap();
        assert_eq!(inflow.receive(ours.as_fd(), &mut into).unwrap(), Transfer::Bytes(8));
        drop(theirs);
        assert_eq!(inflow.receive(ours.as_fd(), &mut into).unwrap(), Transfer::Bytes(1));
        assert_eq!(inflow.receive(ours.as_fd(), &mut into).unwrap(), Transfer::Bytes(0));
        assert_eq!(inflow.length(8), 0);
    }
}
