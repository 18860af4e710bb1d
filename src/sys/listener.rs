//! A listening socket as a worker sees it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddr {
    /// Over TCP.
    Ip(SocketAddr),
    /// Over a unix socket; such peers have no address worth naming.
    Unix,
}

impl PeerAddr {
    /// The address without port; empty for a unix peer.
    pub fn ip_text(&self) -> String {
        match self {
            Self::Ip(addr) => addr.ip().to_string(),
            Self::Unix => String::new(),
        }
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
        let accepted = match self {
            Self::Tcp(listener) => {
                listener.accept().map(|(stream, addr)| (stream.into(), PeerAddr::Ip(addr)))
            }
            Self::Unix(listener) => {
                listener.accept().map(|(stream, _)| (stream.into(), PeerAddr::Unix))
            }
        };
        match accepted {
            Ok(pair) => Ok(Some(pair)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted => Ok(None),
                _ => Err(error),
            },
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}
