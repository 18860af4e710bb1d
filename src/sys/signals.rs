//! The master's signals: a handler that writes the signal's number into a pipe, and the care that
//! a fork needs so that a child neither keeps that handler nor loses a signal.
//!
//! Master only. Workers use Python's `signal` module, because hooks and third-party workers run
//! in its handlers.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{pipe2, read, write};

/// Every signal the master handles.
pub const HANDLED: [Signal; 10] = [
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
];

/// Where the handler writes, and in which process it may: a descriptor is shared with every
/// forked child, so a child that still has the handler must not wake the master. -1 = nowhere.
static SINK: AtomicI32 = AtomicI32::new(-1);
static OWNER: AtomicI32 = AtomicI32::new(-1);

/// The handler as the kernel knows it, kept so that it can be put back after somebody else's.
static INSTALLED: [OnceLock<libc::sigaction>; HANDLED.len()] =
    [const { OnceLock::new() }; HANDLED.len()];

/// The pipe of signal numbers. One byte per signal keeps their order and number: three SIGTTIN
/// are three workers, as far as the kernel delivers three.
#[derive(Debug)]
pub struct Inbox {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Inbox {
    /// A pipe that nothing writes to yet, close-on-exec, non-blocking.
    ///
    /// # Errors
    /// What pipe2(2) answers (too many open files).
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    /// Directs all of [`HANDLED`] into this inbox. Set those that Python handles to the default
    /// first: signal-hook calls the handler that it replaces.
    ///
    /// # Errors
    /// What sigaction(2) answers.
    pub fn install(&self) -> io::Result<()> {
        OWNER.store(pid(), Ordering::SeqCst);
        SINK.store(self.writer.as_raw_fd(), Ordering::SeqCst);
        for (signal, installed) in HANDLED.iter().zip(&INSTALLED) {
            let number = *signal as i32;
            if let Some(action) = installed.get() {
                // signal-hook installs its handler once per process and would not do so again.
                set_action(number, action)?;
                continue;
            }
            // SAFETY: the closure reads two atomics and calls getpid, write and (in a foreign
            // child) sigaction and raise, all async-signal-safe; it restores errno.
            unsafe { signal_hook::low_level::register(number, move || deliver(number)) }?;
            installed.get_or_init(|| current_action(number));
        }
        Ok(())
    }

    /// Adds a signal number by hand, from any thread.
    ///
    /// # Errors
    /// `WouldBlock` when 64 KiB of signals are waiting.
    pub fn put(&self, number: u8) -> io::Result<()> {
        write(&self.writer, &[number])?;
        Ok(())
    }

    /// A duplicate of the end that is written to, close-on-exec; it outlives a fork.
    ///
    /// # Errors
    /// EMFILE.
    pub fn door(&self) -> io::Result<OwnedFd> {
        self.writer.try_clone()
    }

    /// Waits until a signal is there or `timeout_ms` has passed; false when it was interrupted
    /// by a signal that is not ours, so that the caller can run that handler and wait again.
    ///
    /// # Errors
    /// What poll(2) answers, EINTR excepted.
    pub fn wait(&self, timeout_ms: u16) -> io::Result<bool> {
        let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(&self.reader), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(timeout_ms)) {
            Ok(_) => Ok(true),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes all signal numbers that are there, oldest first.
    ///
    /// # Errors
    /// What read(2) answers, EINTR and EAGAIN excepted.
    pub fn drain(&self) -> io::Result<Vec<u8>> {
        let mut numbers = Vec::new();
        let mut buffer = [0; 128];
        loop {
            match read(&self.reader, &mut buffer) {
                Ok(0) | Err(Errno::EAGAIN) => return Ok(numbers),
                Ok(n) => numbers.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Drop for Inbox {
    /// Only this process: the handler must not write into a descriptor that gets a new meaning.
    fn drop(&mut self) {
        let fd = self.writer.as_raw_fd();
        // Failing means that the handler writes elsewhere already.
        let _unchanged = SINK.compare_exchange(fd, -1, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Blocks [`HANDLED`] for as long as it lives, then restores the mask it found.
#[derive(Debug)]
pub struct MaskGuard {
    before: SigSet,
}

impl MaskGuard {
    /// # Errors
    /// What pthread_sigmask(3) answers.
    pub fn block() -> io::Result<Self> {
        let before = SigSet::thread_get_mask()?;
        HANDLED.iter().copied().collect::<SigSet>().thread_block()?;
        Ok(Self { before })
    }
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        // SIG_SETMASK with a mask that the kernel gave us cannot fail.
        let _restored = self.before.thread_set_mask();
    }
}

/// In a freshly forked child, with [`HANDLED`] blocked: gives up the inherited handlers and the
/// inbox. SIGTTIN and SIGTTOU are ignored, because their default stops the process and nobody
/// would continue it; the rest gets its default, so that a SIGTERM between here and the worker's
/// own handlers ends it instead of being lost.
///
/// # Errors
/// What sigaction(2) answers.
pub fn reset_in_child() -> io::Result<()> {
    SINK.store(-1, Ordering::SeqCst);
    for signal in HANDLED {
        let handler = match signal {
            Signal::SIGTTIN | Signal::SIGTTOU => libc::SIG_IGN,
            _ => libc::SIG_DFL,
        };
        // SAFETY: all-zero is a valid sigaction: no flags, empty mask, SIG_DFL.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler;
        set_action(signal as i32, &action)?;
    }
    Ok(())
}

/// Runs inside the signal handler.
fn deliver(number: i32) {
    let errno = Errno::last_raw();
    if pid() == OWNER.load(Ordering::SeqCst) {
        send(SINK.load(Ordering::SeqCst), number as u8);
    } else {
        // A child that something other than our fork made: it has the handler but not the
        // duty, and must die of a SIGTERM as any process would.
        let _unsupported = signal_hook::low_level::emulate_default_handler(number);
    }
    Errno::set_raw(errno);
}

fn send(fd: RawFd, number: u8) {
    // SAFETY: one byte from a live local. A full pipe or no pipe (-1) is an error nobody can
    // hear inside a handler; 64 KiB of waiting signals wake the master all the same.
    unsafe { libc::write(fd, ptr::from_ref(&number).cast(), 1) };
}

fn pid() -> i32 {
    // SAFETY: getpid has no preconditions; std::process::id is not promised to be signal-safe.
    unsafe { libc::getpid() }
}

fn set_action(number: i32, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: the action is either all-default or one the kernel gave us; no old one is asked.
    Errno::result(unsafe { libc::sigaction(number, action, ptr::null_mut()) })?;
    Ok(())
}

fn current_action(number: i32) -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is valid for a write; for a valid signal number the call cannot fail,
    // and all-zero (the default action) stands if it did.
    unsafe {
        libc::sigaction(number, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    }
}
