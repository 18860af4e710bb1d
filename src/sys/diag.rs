//! How many connections wait at listening sockets, as the kernel tells everybody who asks for it
//! (sock_diag(7)): without having the sockets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

const BY_FAMILY: u16 = 20;
const REQUEST_AND_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// A set of states, with one in it: TCP_LISTEN. Unix sockets use the same numbers.
const LISTENING: u32 = 1 << 10;
const TCP: u8 = 6;
/// `UDIAG_SHOW_RQLEN`, and the attribute that it asks for.
const SHOW_QUEUE: u32 = 0x10;
const QUEUE: u16 = 4;

/// One listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Inode number of the socket, as fstat(2) gives it.
    pub inode: u64,
    /// Connections that wait to be accepted.
    pub waiting: u64,
    /// How many may.
    pub most: u64,
}

/// All listening TCP and unix sockets of this network namespace. What the kernel does not tell is
/// not there.
///
/// # Errors
/// No such socket can be made.
pub fn queues() -> io::Result<Vec<Queue>> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let family = AddressFamily::Netlink;
    let socket = socket(family, SockType::Raw, flags, SockProtocol::NetlinkSockDiag)?;
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut request = vec![family as u8, TCP, 0, 0];
        request.extend_from_slice(&LISTENING.to_ne_bytes());
        // Any address.
        request.resize(56, 0);
        ask(&socket, &request, |message| found.extend(of_tcp(message)));
    }
    let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
    for word in [LISTENING, 0, SHOW_QUEUE, u32::MAX, u32::MAX] {
        request.extend_from_slice(&word.to_ne_bytes());
    }
    ask(&socket, &request, |message| found.extend(of_unix(message)));
    Ok(found)
}

/// Sends one request, and gives each message of the answer to `take`. One that can not be asked
/// or that ends early is an answer with nothing more in it.
fn ask(socket: &OwnedFd, request: &[u8], mut take: impl FnMut(&[u8])) {
    let length = (16 + request.len()) as u32;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend_from_slice(&BY_FAMILY.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_DUMP.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(request);
    if send(socket.as_raw_fd(), &message, MsgFlags::empty()).is_err() {
        return;
    }
    let mut buffer = vec![0; 32 * 1024];
    // The answer, or its next part, is there when the call before has returned.
    while let Ok(n) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
        let mut rest = buffer.get(..n).unwrap_or_default();
        while let (Some(length), Some(kind)) = (u32_at(rest, 0), u16_at(rest, 4)) {
            if kind == DONE || kind == ERROR {
                return;
            }
            let length = length as usize;
            let Some(body) = rest.get(16..length) else { return };
            take(body);
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        if n == 0 {
            return;
        }
    }
}

/// `struct inet_diag_msg`.
fn of_tcp(message: &[u8]) -> Option<Queue> {
    let word = |at| u32_at(message, at).map(u64::from);
    Some(Queue { waiting: word(56)?, most: word(60)?, inode: word(68)? })
}

/// `struct unix_diag_msg` and its attributes.
fn of_unix(message: &[u8]) -> Option<Queue> {
    let inode = u64::from(u32_at(message, 4)?);
    let mut rest = message.get(16..)?;
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        if u16_at(rest, 2)? == QUEUE {
            let word = |at| u32_at(rest, at).map(u64::from);
            return Some(Queue { inode, waiting: word(4)?, most: word(8)? });
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    use nix::sys::stat::fstat;

    use super::*;

    fn queue_of(socket: impl AsFd) -> Queue {
        let inode = fstat(socket).unwrap().st_ino;
        *queues().unwrap().iter().find(|queue| queue.inode == inode).unwrap()
    }

    #[test]
    fn those_who_wait_are_seen() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(queue_of(&tcp).waiting, 0);
        let _clients: Vec<_> =
            (0..3).map(|_| TcpStream::connect(tcp.local_addr().unwrap()).unwrap()).collect();
        let queue = queue_of(&tcp);
        assert!(queue.waiting == 3 && queue.most >= 3, "{queue:?}");

        let dir = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(dir.path().join("s")).unwrap();
        let _client = UnixStream::connect(dir.path().join("s")).unwrap();
        let queue = queue_of(&unix);
        assert!(queue.waiting == 1 && queue.most >= 1, "{queue:?}");
    }

    #[test]
    fn what_is_cut_short_is_nothing() {
        for length in 0..72 {
            assert_eq!(of_tcp(&vec![1; length]), None);
        }
        for bytes in [vec![0; 40], vec![255; 40], [4, 0, 4, 0].repeat(6)] {
            for length in 0..bytes.len() {
                of_unix(&bytes[..length]);
            }
        }
    }
}
