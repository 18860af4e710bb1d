//! A listening socket as a worker sees it: how one comes in, and how it is closed without losing
//! anybody.
//!
//! close(2) resets who waits in the queue, and who is in the middle of the handshake. So the door is
//! [barred](Listener::bar) first: nobody else can begin to come. Those who had begun arrive and are
//! accepted, and when nobody is left it is [shut](Listener::shut), for every process that has it.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Shutdown, shutdown};

use super::doorstep::Doorstep;
use super::handshakes;

/// How long a handshake that has begun has at least to reach the queue, over a network: longer than the way
/// to a balancer and back, for under a flood the kernel notes nobody (SYN cookies).
const HANDSHAKE: Duration = Duration::from_millis(100);
/// The same on this machine: its packets take no time, but who carries them may lose the CPU.
const LOCAL_HANDSHAKE: Duration = Duration::from_millis(20);

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddr {
    /// Over TCP.
    Ip(SocketAddr),
    /// Over a unix socket; such peers have no address worth naming.
    Unix,
}

impl PeerAddr {
    /// The address without port; a unix peer has none.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(addr) => Some(addr.ip()),
            Self::Unix => None,
        }
    }

    /// The same as text; empty for a unix peer.
    pub fn ip_text(&self) -> String {
        match self {
            Self::Ip(addr) => addr.ip().to_string(),
            Self::Unix => String::new(),
        }
    }

    /// Whether it came over TCP from this machine.
    pub fn is_loopback(&self) -> bool {
        self.ip().is_some_and(is_loopback)
    }
}

/// A listening socket. The worker's own duplicate: closing it leaves the master's open.
#[derive(Debug)]
pub enum Listener {
    /// TCP, either family.
    Tcp(TcpListener),
    /// Unix stream socket.
    Unix(UnixListener),
}

impl Listener {
    /// Takes over `own` and makes it non-blocking, for siblings race for each connection.
    ///
    /// # Errors
    /// fcntl(2)'s.
    pub fn from_owned(own: OwnedFd, is_unix: bool) -> io::Result<Self> {
        super::socket::set_nonblocking(own.as_fd(), true)?;
        Ok(if is_unix { Self::Unix(own.into()) } else { Self::Tcp(own.into()) })
    }

    /// Takes one waiting connection, close-on-exec and in blocking mode; `None`: nobody waits.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOBUFS, ENOMEM: the caller pauses. A connection that died while it
    /// waited (ECONNABORTED, accept(2)) counts as nobody.
    pub fn accept(&self) -> io::Result<Option<(OwnedFd, PeerAddr)>> {
        self.accept_at(&Doorstep::new(&Default::default(), false))
    }

    /// The same; the kernel writes at `doorstep` who it is, before anybody else knows. Where that marks who has no
    /// address, he is in non-blocking mode.
    ///
    /// # Errors
    /// The same.
    pub fn accept_at(&self, doorstep: &Doorstep<'_>) -> io::Result<Option<(OwnedFd, PeerAddr)>> {
        let marked = doorstep.marks && matches!(self, Self::Unix(_));
        match doorstep.accept(self.as_fd(), marked) {
            Ok(socket) => {
                let stranger = || io::Error::from(io::ErrorKind::Unsupported);
                Ok(Some((socket, doorstep.who().ok_or_else(stranger)?)))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted => Ok(None),
                // A sibling has shut it.
                io::ErrorKind::InvalidInput => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// From here on nobody new can come: the kernel drops SYNs, a unix socket refuses. Who has begun
    /// to come still arrives. In force for every process that has the socket; twice is once.
    ///
    /// A client whose SYN was dropped sends it again after a second, and is refused then.
    ///
    /// # Errors
    /// ENOPROTOOPT, ENOMEM: the kernel can't; the door can be shut all the same.
    pub fn bar(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => drop_syns(listener.as_fd()),
            Self::Unix(listener) => {
                shutdown(listener.as_raw_fd(), Shutdown::Read).map_err(Into::into)
            }
        }
    }

    /// How long after [`Listener::bar`] somebody may still arrive, whom nobody can see.
    pub fn handshake(&self) -> Duration {
        let addr = match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => return Duration::ZERO,
        };
        if addr.is_some_and(|addr| is_loopback(addr.ip())) {
            return LOCAL_HANDSHAKE;
        }
        HANDSHAKE
    }

    /// Whether somebody has begun to come and is in the middle of the handshake.
    pub fn is_expecting(&self) -> bool {
        let addr = match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        };
        addr.is_some_and(|addr| handshakes::any_at(addr.port()))
    }

    /// Whether nobody waits, without letting anybody in.
    pub fn is_quiet(&self) -> bool {
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        // Interrupted: somebody may be there.
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(0))
    }

    /// Ends it, for every process that has it: whoever comes now is refused.
    pub fn shut(&self) {
        // A sibling may have done it already (ENOTCONN).
        let _ = shutdown(self.as_fd().as_raw_fd(), Shutdown::Read);
    }
}

/// Also where it is written as one of IPv6.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// A filter on the socket (socket(7), SO_ATTACH_FILTER) that lets every packet pass but the first
/// of a new connection.
fn drop_syns(fd: BorrowedFd<'_>) -> io::Result<()> {
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    let step = |code, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, FLAGS),
        step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, SYN | ACK),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, SYN),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    let (level, name) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
    let size = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the kernel copies `program` and the `len` steps it points to before it returns.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const program).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn read_one(listener: &Listener) -> Vec<u8> {
        let (socket, _) = listener.accept().unwrap().unwrap();
        let mut bytes = [0; 5];
        TcpStream::from(socket).read_exact(&mut bytes).unwrap();
        bytes.to_vec()
    }

    #[test]
    fn who_came_before_the_bar_is_let_in_and_nobody_after() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = tcp.local_addr().unwrap();
        let ours = Listener::from_owned(tcp.into(), false).unwrap();
        assert_eq!(ours.handshake(), LOCAL_HANDSHAKE);
        assert!(ours.is_quiet());
        let mut client = TcpStream::connect(addr).unwrap();
        client.write_all(b"first").unwrap();
        assert!(!ours.is_quiet());
        ours.bar().unwrap();
        ours.bar().unwrap();
        TcpStream::connect_timeout(&addr, Duration::from_millis(50)).unwrap_err();
        assert_eq!(read_one(&ours), b"first");
        assert!(ours.accept().unwrap().is_none());
        // Established connections don't feel it.
        client.write_all(b"again").unwrap();
        ours.shut();
        ours.shut();
        let refused = TcpStream::connect(addr).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(ours.accept().unwrap().is_none());
    }

    #[test]
    fn a_unix_socket_refuses_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let ours = Listener::from_owned(UnixListener::bind(&path).unwrap().into(), true).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"first").unwrap();
        ours.bar().unwrap();
        ours.bar().unwrap();
        let refused = UnixStream::connect(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(read_one(&ours), b"first");
        assert!(ours.accept().unwrap().is_none());
        ours.shut();
    }
}
