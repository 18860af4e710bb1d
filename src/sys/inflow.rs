//! How many bytes have been received, noted by the kernel in memory that outlives the worker: recvmmsg(2) writes
//! the length of what it has received there before it returns, recv(2) only returns it.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;

use super::socket::{self, Transfer};

/// Words of a header of recvmmsg(2).
pub(super) const INFLOW_WORDS: usize = size_of::<libc::mmsghdr>() / 8;
/// Where the length lies in it.
const LENGTH: usize = std::mem::offset_of!(libc::mmsghdr, msg_len) / 8;

/// What the kernel notes; all-zero: nothing has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inflow<'m>(&'m [AtomicU64; INFLOW_WORDS]);

impl<'m> Inflow<'m> {
    /// There.
    pub(super) fn new(words: &'m [AtomicU64; INFLOW_WORDS]) -> Self {
        Self(words)
    }

    /// Nothing has come from here on.
    pub(super) fn wipe(&self) {
        self.0[LENGTH].store(0, Ordering::Release);
    }

    /// How many bytes have, where there was room for `most`.
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
                        let [b0, b1, b2, b3] = (n as u32).to_ne_bytes();
                        let word = u64::from_ne_bytes([b0, b1, b2, b3, 0, 0, 0, 0]);
                        self.0[LENGTH].store(word, Ordering::Release);
                    }
                    return Ok(got);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
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
        let inflow = Inflow::new(&words);
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
