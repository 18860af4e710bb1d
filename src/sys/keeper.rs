//! A process beside a worker that shares its table of descriptors (clone(2), CLONE_FILES). When the worker has been
//! killed its connections are still open there, also the one that accept4(2) has just made, and whoever reaps the
//! worker can ask for one.
//!
//! It is a copy of the worker as that was when it was started, perhaps with other threads in the middle of
//! something: it allocates nothing, takes no lock, runs no Python, and has all signals blocked, for the
//! handlers that it inherits write into the worker's pipe. While the worker lives it looks at no
//! descriptor: the application may have closed ours, and have something else under their numbers.

use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::socket::{
    AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, SockaddrLike, SockaddrStorage,
    getpeername, getsockname, recv, send, shutdown, socketpair,
};
use nix::sys::stat::fstat;
use nix::unistd::{Pid, getpid, getppid};

use super::handoff::{Handoff, Sent};
use super::seat::Seat;
use super::socket;

/// As `ps` and `top` show it.
const NAME: &std::ffi::CStr = c"rgunicorn-keep";
/// It looks so often whether the worker lives, should the kernel not tell.
const LOOK: Duration = Duration::from_millis(500);
/// The same once the worker's main thread has ended, until the others have.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long it waits to be asked, or sent away, after the worker's end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long whoever asks waits for the answer: it takes microseconds, if it gets the CPU.
const ANSWER: Duration = Duration::from_secs(1);
/// Descriptors above are not looked at; the lowest that is free is the next that is given out.
const MOST_FDS: RawFd = 1 << 16;

const REQUEST_BYTES: usize = 32;

/// Which of a dead worker's connections is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// That with this descriptor.
    Number(RawFd),
    /// Whatever has this descriptor.
    Any(RawFd),
    /// That of this client.
    From(SocketAddr),
    /// The one that has come to the listening unix socket with this descriptor and that nobody has looked at:
    /// it is still non-blocking, as it was accepted.
    At(RawFd),
}

impl Wanted {
    fn to_bytes(self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        let (kind, number) = match self {
            Self::Number(fd) => (1, fd),
            Self::At(fd) => (2, fd),
            Self::Any(fd) => (5, fd),
            Self::From(addr) => {
                let ip = match addr.ip() {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                bytes[8..24].copy_from_slice(&ip.octets());
                (if addr.is_ipv4() { 3 } else { 4 }, i32::from(addr.port()))
            }
        };
        bytes[0] = kind;
        bytes[4..8].copy_from_slice(&number.to_ne_bytes());
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let number = i32::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
        let ip = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
        let port = u16::try_from(number);
        match bytes.first()? {
            1 => Some(Self::Number(number)),
            2 => Some(Self::At(number)),
            5 => Some(Self::Any(number)),
            3 => Some(Self::From(SocketAddr::new(ip.to_ipv4_mapped()?.into(), port.ok()?))),
            4 => Some(Self::From(SocketAddr::new(ip.into(), port.ok()?))),
            _ => None,
        }
    }

    /// The descriptor, in this process. By system calls only.
    fn find(self) -> Option<RawFd> {
        let mut numbers = 0..MOST_FDS;
        match self {
            Self::Number(fd) => peer(fd).map(|_| fd),
            Self::Any(fd) => inode(fd).map(|_| fd),
            Self::From(addr) => numbers.find(|fd| peer(*fd).and_then(ip_of) == Some(key(addr))),
            Self::At(listener) => {
                let own: SockaddrStorage = getsockname(listener).ok()?;
                let is_unix = own.family() == Some(AddressFamily::Unix);
                let mut found = numbers.filter(|fd| {
                    is_unix
                        && getsockname::<SockaddrStorage>(*fd) == Ok(own)
                        && peer(*fd).is_some()
                        && is_nonblocking(*fd)
                });
                // Of two nobody knows which it is.
                found.next().filter(|_| found.next().is_none())
            }
        }
    }
}

/// Who is at the other end of a connection; `None`: it is none.
fn peer(fd: RawFd) -> Option<SockaddrStorage> {
    getpeername(fd).ok()
}

fn ip_of(addr: SockaddrStorage) -> Option<(IpAddr, u16)> {
    let v4 = || addr.as_sockaddr_in().map(|it| (IpAddr::V4(it.ip()), it.port()));
    v4().or_else(|| addr.as_sockaddr_in6().map(|it| (IpAddr::V6(it.ip()), it.port())))
}

fn key(addr: SocketAddr) -> (IpAddr, u16) {
    (addr.ip(), addr.port())
}

fn is_nonblocking(fd: RawFd) -> bool {
    let flags = fcntl(any(fd), FcntlArg::F_GETFL).map(OFlag::from_bits_truncate);
    flags.is_ok_and(|flags| flags.contains(OFlag::O_NONBLOCK))
}

/// Whatever has this number, which may be nothing.
fn any(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it is asked about by system calls, which say so if there is nothing; -1 is no number that occurs.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// The line between a keeper and whoever reaps its worker; made before the worker is forked.
#[derive(Debug)]
pub struct Keeper {
    asking: Handoff,
    /// Until the worker is forked: in the worker and its keeper only it is open then, and with both it ends.
    answering: Seat<OwnedFd>,
    /// It has answered, or was started, and has not left a question open since.
    is_there: AtomicBool,
}

impl Keeper {
    /// Nobody keeps anything yet. In the master: from here on it has to reap orphans of its workers, for pid 1 of
    /// a container may not (prctl(2), PR_SET_CHILD_SUBREAPER).
    ///
    /// # Errors
    /// EMFILE and the like.
    pub fn new() -> io::Result<Self> {
        prctl::set_child_subreaper(true)?;
        let (asking, answering) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let this = Self {
            asking: Handoff::from_pair(asking.try_clone()?, asking),
            answering: Seat::new(),
            is_there: AtomicBool::new(false),
        };
        this.answering.put(Box::new(answering));
        Ok(this)
    }

    /// In the master, when the worker has been forked.
    pub fn part(&self) {
        drop(self.answering.take());
    }

    /// Starts the keeper of the calling process, which is not one of its children for wait(2), unless that asks for
    /// clones (`__WCLONE`): its end says nothing (no SIGCHLD). By the worker's main thread.
    ///
    /// # Errors
    /// EAGAIN, ENOMEM, and EPERM where a filter of system calls (seccomp(2)) forbids it.
    pub fn start(&self) -> io::Result<()> {
        let Some(answering) = self.answering.take() else { return Ok(()) };
        let line = answering.as_raw_fd();
        self.answering.put(answering);
        let id = inode(line).ok_or_else(io::Error::last_os_error)?;
        let (worker, mut before) = (getpid(), SigSet::empty());
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
        // SAFETY: as fork(2), with a copy of memory on the same stack; the child stays in `keep`, which neither
        // allocates nor unwinds nor returns.
        let started = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_FILES, 0, 0, 0, 0) };
        let started = match started {
            0 => keep(worker, line, id),
            -1 => Err(io::Error::last_os_error()),
            // Its first word, for it.
            _ => Ok(send(line, &[0], MsgFlags::MSG_NOSIGNAL).map(drop)?),
        };
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        started
    }

    /// The connection that is `wanted` of a worker that has ended; `None`: it is not there, or there is
    /// no keeper. Waits for a second at most.
    ///
    /// # Errors
    /// EMFILE and the like.
    pub fn ask(&self, wanted: Wanted) -> io::Result<Option<OwnedFd>> {
        // Its first word, or one that was late.
        let is_there = self.is_there.swap(false, Ordering::Relaxed) || self.hear()?.is_some();
        // EPIPE: it was killed, too.
        let asks = || matches!(self.asking.send(&wanted.to_bytes(), &[]), Ok(Sent::Whole));
        if !is_there || !asks() || !self.awaits() {
            return Ok(None);
        }
        let answer = self.hear()?;
        self.is_there.store(answer.is_some(), Ordering::Relaxed);
        Ok(answer.and_then(|fds| fds.into_iter().next()))
    }

    /// What it says; `None`: nothing, or it is gone.
    fn hear(&self) -> io::Result<Option<Vec<OwnedFd>>> {
        match self.asking.receive(&mut [0]) {
            // With a question unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            heard => Ok(heard?.filter(|(length, _)| *length > 0).map(|(_, fds)| fds)),
        }
    }

    /// Waits for the answer, or the end. False: it takes too long.
    fn awaits(&self) -> bool {
        let end = Instant::now() + ANSWER;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // A signal, the end of another worker, ends a wait.
            if socket::wait_readable(self.asking.receiving(), left) || left.is_zero() {
                return !left.is_zero();
            }
        }
    }

    /// The keeper, if there is one, has no business any more: it ends, and what only it has is closed.
    pub fn dismiss(&self) {
        // ENOTCONN: it is gone.
        let _ = shutdown(self.asking.sending().as_raw_fd(), Shutdown::Both);
    }
}

/// What a keeper does.
fn keep(worker: Pid, line: RawFd, id: u64) -> ! {
    // Both only help: without the second it looks by itself.
    let _ = prctl::set_name(NAME);
    let _ = prctl::set_pdeathsig(Signal::SIGUSR1);
    let mut pause = LOOK;
    // All threads of the worker are dead when it has another parent, so each system call of theirs is done.
    while getppid() == worker {
        if is_woken(pause) {
            pause = LOOK_AGAIN;
        }
    }
    if inode(line) == Some(id) {
        serve(line);
    }
    // SAFETY: ends the process, and nothing else.
    unsafe { libc::_exit(0) }
}

/// Answers until it is sent away.
fn serve(line: RawFd) {
    let mut request = [0; REQUEST_BYTES];
    while socket::wait_readable(any(line), PATIENCE) {
        match recv(line, &mut request, MsgFlags::MSG_DONTWAIT) {
            Ok(REQUEST_BYTES) => answer(line, Wanted::of(&request).and_then(Wanted::find)),
            _ => return,
        }
    }
}

/// Sends a descriptor, or that there is none: by hand, for nix allocates memory for that.
fn answer(line: RawFd, fd: Option<RawFd>) {
    const LENGTH: libc::c_uint = size_of::<RawFd>() as libc::c_uint;
    let mut byte = 0_u8;
    let mut piece = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // Room for one, aligned as cmsg(3) wants it.
    let mut control = [0_usize; 8];
    // SAFETY: all pointers are to locals that live longer than the call; `control` has more bytes than CMSG_SPACE(3)
    // says, so its first header and that one's data lie in it.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut piece;
        message.msg_iovlen = 1;
        if let Some(fd) = fd {
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(LENGTH) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(LENGTH) as _;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        }
        libc::sendmsg(line, &raw const message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT);
    }
}

/// Waits for a signal, any: all are blocked. False: none came.
fn is_woken(pause: Duration) -> bool {
    let pause = libc::timespec {
        tv_sec: pause.as_secs() as libc::time_t,
        tv_nsec: pause.subsec_nanos() as libc::c_long,
    };
    let all = SigSet::all();
    // SAFETY: reads two values that are ours, writes nowhere.
    unsafe { libc::sigtimedwait(all.as_ref(), std::ptr::null_mut(), &raw const pause) > 0 }
}

/// By which a socket is known, whatever its number.
pub(super) fn inode(fd: RawFd) -> Option<u64> {
    fstat(any(fd)).ok().map(|stat| stat.st_ino)
}

#[cfg(test)]
#[path = "test_keeper.rs"]
mod tests;
