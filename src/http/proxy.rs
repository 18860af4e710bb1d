//! The PROXY protocol preamble (haproxy's proxy-protocol.txt) before the first head.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use memchr::memchr;

use super::{ParseError, Peer, Policy, ProxyMode};

/// Longest preamble: a v2 header whose length is as large as it can be.
pub const LONGEST_PREAMBLE: usize = V2_HEADER + u16::MAX as usize;
const V1_PREFIX: &[u8] = b"PROXY ";
/// Longest v1 line with its CRLF, section 2.1.
const V1_MAX: usize = 107;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const V2_HEADER: usize = 16;

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

impl ProxyProtocol {
    /// The word for PROXY_PROTOCOL in the environ.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp4 => "TCP4",
            Self::Tcp6 => "TCP6",
            Self::Local => "LOCAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Whether there is a preamble.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preamble {
    /// The bytes so far may become one. It has at most [`LONGEST_PREAMBLE`] bytes.
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

/// Looks for a preamble at the start of a connection from `peer`. `buf` is all that was received.
///
/// A preamble without addresses is fine (v1 `UNKNOWN`, v2 `LOCAL`, `UNSPEC`, and what is not TCP):
/// the specification wants the real peer kept then. Gunicorn refuses it or loses the peer.
///
/// # Errors
/// A preamble that can't be read, or from a peer outside `policy.proxy_allow`.
pub fn poll_preamble(buf: &[u8], peer: &Peer, policy: &Policy) -> Result<Preamble, ParseError> {
    let v1 = matches!(policy.proxy, ProxyMode::V1 | ProxyMode::Auto);
    let v2 = matches!(policy.proxy, ProxyMode::V2 | ProxyMode::Auto);
    let read = match () {
        () if v1 && buf.starts_with(V1_PREFIX) => read_v1,
        () if v2 && buf.starts_with(V2_SIGNATURE) => read_v2,
        () if v1 && V1_PREFIX.starts_with(buf) => return Ok(Preamble::NeedMore),
        () if v2 && V2_SIGNATURE.starts_with(buf) => return Ok(Preamble::NeedMore),
        () => return Ok(Preamble::Absent),
    };
    match peer {
        Peer::Ip(ip) if !policy.proxy_allow.allows(peer) => {
            Err(ParseError::ForbiddenProxyRequest(ip.to_string()))
        }
        _ => read(buf),
    }
}

/// `PROXY TCP4|TCP6 source destination port port`, or `PROXY UNKNOWN` and anything.
fn read_v1(buf: &[u8]) -> Result<Preamble, ParseError> {
    let window = &buf[..buf.len().min(V1_MAX)];
    let Some(lf) = memchr(b'\n', window) else {
        if window.len() == V1_MAX {
            return Err(ParseError::InvalidProxyLine(window.to_vec()));
        }
        return Ok(Preamble::NeedMore);
    };
    let Some(line) = buf[..lf].strip_suffix(b"\r") else {
        return Err(ParseError::InvalidProxyLine(buf[..lf].to_vec()));
    };
    let info = read_v1_line(line)?;
    Ok(Preamble::Present { len: lf + 1, info })
}

fn read_v1_line(line: &[u8]) -> Result<ProxyInfo, ParseError> {
    let invalid = || ParseError::InvalidProxyLine(line.to_vec());
    let words: Vec<&[u8]> = line.split(|&b| b == b' ').collect();
    if words.get(1) == Some(&b"UNKNOWN".as_slice()) {
        return Ok(without_addresses(ProxyProtocol::Unknown));
    }
    let [_, protocol, source, destination, source_port, destination_port] = words[..] else {
        return Err(invalid());
    };
    let protocol = match protocol {
        b"TCP4" => ProxyProtocol::Tcp4,
        b"TCP6" => ProxyProtocol::Tcp6,
        _ => {
            let words = [b"protocol '", protocol, b"' not supported"].concat();
            return Err(ParseError::InvalidProxyLine(words));
        }
    };
    let address = |text| {
        let is_expected = |ip: &IpAddr| ip.is_ipv4() == (protocol == ProxyProtocol::Tcp4);
        parse(text).filter(is_expected).ok_or_else(invalid)
    };
    let (source, destination) = (address(source)?, address(destination)?);
    let invalid_port = || ParseError::InvalidProxyLine([b"invalid port ", line].concat());
    let source_port = port(source_port).ok_or_else(invalid_port)?;
    let destination_port = port(destination_port).ok_or_else(invalid_port)?;
    Ok(ProxyInfo {
        source: Some(SocketAddr::new(source, source_port)),
        destination: Some(SocketAddr::new(destination, destination_port)),
        protocol,
    })
}

fn parse<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn port(text: &[u8]) -> Option<u16> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    parse(text)
}

/// The binary header, section 2.2.
fn read_v2(buf: &[u8]) -> Result<Preamble, ParseError> {
    let invalid = |words: String| Err(ParseError::InvalidProxyHeader(words));
    let Some((header, rest)) = buf.split_at_checked(V2_HEADER) else {
        return Ok(Preamble::NeedMore);
    };
    let (version, command) = (header[12] >> 4, header[12] & 15);
    if version != 2 {
        return invalid(format!("unsupported version {version}"));
    }
    if command > 1 {
        return invalid(format!("unsupported command {command}"));
    }
    let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
    let Some(addresses) = rest.get(..length) else { return Ok(Preamble::NeedMore) };
    let info = match (command, header[13]) {
        (0, _) => without_addresses(ProxyProtocol::Local),
        (_, 0x11) => match read_tcp4(addresses) {
            Some(info) => info,
            None => return invalid("insufficient address data for IPv4".to_owned()),
        },
        (_, 0x21) => match read_tcp6(addresses) {
            Some(info) => info,
            None => return invalid("insufficient address data for IPv6".to_owned()),
        },
        (_, other) if other & 15 > 2 => {
            return invalid("only TCP protocol is supported".to_owned());
        }
        (_, other) if other >> 4 > 3 => {
            return invalid(format!("unsupported address family {}", other >> 4));
        }
        // "Automatically falls back to the UNSPEC mode for the valid combinations above that it
        // does not support": datagrams, unix sockets, and what is not specified.
        _ => without_addresses(ProxyProtocol::Unknown),
    };
    Ok(Preamble::Present { len: V2_HEADER + length, info })
}

fn read_tcp4(addresses: &[u8]) -> Option<ProxyInfo> {
    let (source, rest) = addresses.split_first_chunk::<4>()?;
    let (destination, ports) = rest.split_first_chunk::<4>()?;
    Some(ProxyInfo {
        source: Some(SocketAddr::new(Ipv4Addr::from(*source).into(), be_port(ports, 0)?)),
        destination: Some(SocketAddr::new(Ipv4Addr::from(*destination).into(), be_port(ports, 2)?)),
        protocol: ProxyProtocol::Tcp4,
    })
}

fn read_tcp6(addresses: &[u8]) -> Option<ProxyInfo> {
    let (source, rest) = addresses.split_first_chunk::<16>()?;
    let (destination, ports) = rest.split_first_chunk::<16>()?;
    Some(ProxyInfo {
        source: Some(SocketAddr::new(Ipv6Addr::from(*source).into(), be_port(ports, 0)?)),
        destination: Some(SocketAddr::new(Ipv6Addr::from(*destination).into(), be_port(ports, 2)?)),
        protocol: ProxyProtocol::Tcp6,
    })
}

fn be_port(ports: &[u8], at: usize) -> Option<u16> {
    ports.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn without_addresses(protocol: ProxyProtocol) -> ProxyInfo {
    ProxyInfo { source: None, destination: None, protocol }
}
