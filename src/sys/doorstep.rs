//! Where accept4(2) writes who has come. In memory that outlives the worker nobody is let in unseen: the kernel
//! writes the address after it has taken the connection out of the queue and before it returns, and a process
//! that is killed inside a system call dies at its end. So there is an address, or nobody was there.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::listener::PeerAddr;

/// Its words in memory: an address, and its length behind it.
pub(super) const DOORSTEP_WORDS: usize = 5;
/// Bytes of an address that find room: `sockaddr_in6`, the longest of those that are looked at, has 28. As a
/// `socklen_t` in the first bytes of a word.
const ROOM: u64 = if cfg!(target_endian = "little") { 32 } else { 32 << 32 };

/// The place: nobody else writes there.
#[derive(Debug)]
pub struct Doorstep<'m> {
    words: &'m [AtomicU64; DOORSTEP_WORDS],
    /// Who comes over a unix socket has no address: his socket is non-blocking until he is known.
    pub(super) marks: bool,
}

impl<'m> Doorstep<'m> {
    pub(super) fn new(words: &'m [AtomicU64; DOORSTEP_WORDS], marks: bool) -> Self {
        Self { words, marks }
    }

    /// Nobody is there.
    #[inline]
    pub(super) fn wipe(&self) {
        let [first, ..] = self.words;
        // All of an address that counts begins with its family, which is not 0 (`AF_UNSPEC`).
        first.store(0, Ordering::Relaxed);
    }

    /// Takes one who waits at `listener`, close-on-exec, and in blocking mode unless he is to be `marked`.
    ///
    /// # Errors
    /// accept4(2)'s.
    pub(super) fn accept(&self, listener: BorrowedFd<'_>, marked: bool) -> io::Result<OwnedFd> {
        let [addr @ .., length] = self.words;
        length.store(ROOM, Ordering::Relaxed);
        let flags = libc::SOCK_CLOEXEC | if marked { libc::SOCK_NONBLOCK } else { 0 };
        let (addr, length) = (addr.as_ptr().cast_mut().cast(), length.as_ptr().cast());
        loop {
            // SAFETY: the kernel writes at most `ROOM` bytes to the one and a `socklen_t` to the other: atomics, so
            // nobody counts on what they hold, in memory that we borrow. What it returns is nobody else's.
            let accepted = unsafe {
                let fd = libc::accept4(listener.as_raw_fd(), addr, length, flags);
                (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
            };
            match accepted.ok_or_else(io::Error::last_os_error) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Who came last; `None`: nobody has, or one of a family that is not known here.
    #[inline]
    pub(super) fn who(&self) -> Option<PeerAddr> {
        let [first, second, third, fourth, _] =
            self.words.each_ref().map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        // `sockaddr_in`, `sockaddr_in6`: family and port; then the address of the one, or a flow and the address of
        // the other, with its scope at the end.
        let [f0, f1, p0, p1, rest @ ..] = first;
        let port = u16::from_be_bytes([p0, p1]);
        match i32::from(u16::from_ne_bytes([f0, f1])) {
            libc::AF_INET => {
                Some(PeerAddr::Ip(SocketAddrV4::new(Ipv4Addr::from(rest), port).into()))
            }
            libc::AF_INET6 => {
                let high = u128::from(u64::from_be_bytes(second)) << 64;
                let ip = Ipv6Addr::from(high | u128::from(u64::from_be_bytes(third)));
                let [s0, s1, s2, s3, ..] = fourth;
                let (flow, scope) =
                    (u32::from_ne_bytes(rest), u32::from_ne_bytes([s0, s1, s2, s3]));
                Some(PeerAddr::Ip(SocketAddrV6::new(ip, port, flow, scope).into()))
            }
            libc::AF_UNIX => Some(PeerAddr::Unix),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn the_kernel_says_who_has_come() {
        let words = Default::default();
        let doorstep = Doorstep::new(&words, false);
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(addr) else { continue };
            doorstep.wipe();
            assert_eq!(doorstep.who(), None);
            listener.set_nonblocking(true).unwrap();
            let none = doorstep.accept(listener.as_fd(), false).unwrap_err();
            assert_eq!((none.kind(), doorstep.who()), (io::ErrorKind::WouldBlock, None));
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let socket = TcpStream::from(doorstep.accept(listener.as_fd(), false).unwrap());
            let own = client.local_addr().unwrap();
            assert_eq!(doorstep.who(), Some(PeerAddr::Ip(own)));
            assert_eq!(socket.peer_addr().unwrap(), own);
        }
    }

    #[test]
    fn who_comes_over_a_unix_socket_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let words = Default::default();
        let doorstep = Doorstep::new(&words, false);
        let _client = UnixStream::connect(&path).unwrap();
        doorstep.accept(listener.as_fd(), false).unwrap();
        assert_eq!(doorstep.who(), Some(PeerAddr::Unix));
        doorstep.wipe();
        assert_eq!(doorstep.who(), None);
    }
}
