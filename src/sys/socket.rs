//! Byte transfer on connected sockets.
//!
//! Sockets stay in blocking mode and each transfer asks not to wait (`MSG_DONTWAIT`), because an
//! application may take the same socket over through `environ["gunicorn.socket"]` and must find
//! an ordinary blocking one. Only `sendfile(2)` has no such flag: see [`send_file`].

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, sendmsg, setsockopt, shutdown, sockopt};
use nix::sys::time::TimeSpec;

/// What a transfer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// So many bytes went through; 0 on a read is the end of the peer's stream.
    Bytes(usize),
    /// Nothing now: wait for the poller.
    Blocked,
}

/// Reads into `into` without waiting.
///
/// # Errors
/// The connection's own error (ECONNRESET, ETIMEDOUT …).
pub fn receive(fd: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<Transfer> {
    settle(|| recv(fd.as_raw_fd(), into, MsgFlags::MSG_DONTWAIT))
}

/// Writes one piece without waiting and without SIGPIPE.
///
/// # Errors
/// The connection's own error (EPIPE, ECONNRESET …).
pub fn transmit(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<Transfer> {
    settle(|| send(fd.as_raw_fd(), data, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL))
}

/// Writes several pieces in one call, without waiting and without SIGPIPE. `more`: the rest follows
/// at once, and a packet may wait for it (tcp(7), TCP_CORK: 0.2 s at most).
///
/// # Errors
/// The connection's own error (EPIPE, ECONNRESET …).
pub fn transmit_all(
    fd: BorrowedFd<'_>,
    pieces: &[IoSlice<'_>],
    more: bool,
) -> io::Result<Transfer> {
    let mut flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    // nix has no name for it.
    flags.set(MsgFlags::from_bits_retain(libc::MSG_MORE), more);
    settle(|| sendmsg::<()>(fd.as_raw_fd(), pieces, &[], flags, None))
}

/// Sends up to `len` bytes of `file` from `offset`, moving `offset` on, without waiting.
///
/// Sets O_NONBLOCK first: the flag lives in the open file description, so a Python socket made
/// from the same one may have cleared it since.
///
/// # Errors
/// The connection's error, or the file's (EIO, EINVAL for what cannot be mapped).
pub fn send_file(
    socket: BorrowedFd<'_>,
    file: impl AsFd,
    offset: &mut i64,
    len: usize,
) -> io::Result<Transfer> {
    set_nonblocking(socket, true)?;
    settle(|| sendfile(socket, &file, Some(&mut *offset), len))
}

/// Lets the kernel take at most twice so many bytes that the other side has not acknowledged (SO_SNDBUF,
/// socket(7)). From here on it no longer finds out by itself how much would be good.
///
/// # Errors
/// setsockopt(2)'s.
pub fn limit_send_buffer(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    Ok(setsockopt(&fd, sockopt::SndBuf, &bytes)?)
}

/// Waits up to `timeout` for something to read, or the end. False: there is nothing, or a signal came first.
pub fn wait_readable(fd: BorrowedFd<'_>, timeout: Duration) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    ppoll(&mut fds, Some(TimeSpec::from_duration(timeout)), None).is_ok_and(|ready| ready > 0)
}

/// Waits up to `timeout` for room to write, an end, or a signal.
///
/// # Errors
/// poll(2)'s, EINTR excepted.
pub fn wait_writable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
    match poll(&mut fds, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Switches O_NONBLOCK.
///
/// # Errors
/// EBADF only.
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    let wanted = if on { flags | OFlag::O_NONBLOCK } else { flags - OFlag::O_NONBLOCK };
    if wanted != flags {
        fcntl(fd, FcntlArg::F_SETFL(wanted))?;
    }
    Ok(())
}

/// Whether the peer has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// Not that we know.
    None,
    /// It sends no more (FIN), or has closed a unix socket; over TCP these look the same.
    Ended,
    /// It has reset the connection, or the connection has failed.
    Reset,
}

/// Asks the kernel whether the peer has gone. Reads nothing.
pub fn parting(fd: BorrowedFd<'_>) -> Parting {
    // nix has no name for POLLRDHUP.
    let mut one = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: `one` is one pollfd, alive and ours for the whole call, which does not wait.
    let found = unsafe { libc::poll(&mut one, 1, 0) };
    if found < 1 {
        // EINTR or ENOMEM tell nothing of the peer.
        return Parting::None;
    }
    if one.revents & libc::POLLERR != 0 {
        return Parting::Reset;
    }
    if one.revents & (libc::POLLHUP | libc::POLLRDHUP) != 0 {
        return Parting::Ended;
    }
    Parting::None
}

/// Says that no more bytes will be sent. A peer that is gone already is no news.
pub fn end_writing(fd: BorrowedFd<'_>) {
    // ENOTCONN is the only failure left, and it means the same.
    let _ = shutdown(fd.as_raw_fd(), Shutdown::Write);
}

/// Ends both directions at once, also for those who wait on the socket in other threads.
pub fn cut(fd: BorrowedFd<'_>) {
    // As above.
    let _ = shutdown(fd.as_raw_fd(), Shutdown::Both);
}

/// The error of a connection whose peer takes no more, when it says so above the socket.
pub fn gone() -> io::Error {
    Errno::EPIPE.into()
}

fn settle(mut call: impl FnMut() -> nix::Result<usize>) -> io::Result<Transfer> {
    loop {
        match call() {
            Ok(n) => return Ok(Transfer::Bytes(n)),
            Err(Errno::EAGAIN) => return Ok(Transfer::Blocked),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_blocking_socket_never_makes_us_wait() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut buf = [0; 16];
        assert_eq!(receive(ours.as_fd(), &mut buf).unwrap(), Transfer::Blocked);
        theirs.write_all(b"abc").unwrap();
        assert_eq!(receive(ours.as_fd(), &mut buf).unwrap(), Transfer::Bytes(3));
        drop(theirs);
        assert_eq!(receive(ours.as_fd(), &mut buf).unwrap(), Transfer::Bytes(0));
        assert_eq!(transmit(ours.as_fd(), b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_peer_that_has_gone_is_told_from_one_that_waits() {
        use std::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || {
            let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (listener.accept().unwrap().0, theirs)
        };
        let settled = |ours: &TcpStream| {
            // Over loopback a FIN or RST is there when the call that sends it returns.
            parting(ours.as_fd())
        };
        let (ours, mut theirs) = connect();
        theirs.write_all(b"x").unwrap();
        assert_eq!(settled(&ours), Parting::None);
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(settled(&ours), Parting::Ended);
        let (mut ours, theirs) = connect();
        ours.write_all(b"never read").unwrap();
        drop(theirs);
        assert_eq!(settled(&ours), Parting::Reset);
    }

    #[test]
    fn a_full_socket_blocks_and_a_file_goes_through() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(transmit_all(ours.as_fd(), &pieces, true).unwrap(), Transfer::Bytes(4));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut offset = 4;
        let sent = send_file(ours.as_fd(), &file, &mut offset, 3).unwrap();
        assert_eq!((sent, offset), (Transfer::Bytes(3), 7));
        let mut got = [0; 7];
        theirs.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"abcd456");
        while transmit(ours.as_fd(), &[0; 65536]).unwrap() != Transfer::Blocked {}
    }
}
