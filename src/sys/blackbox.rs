//! Where stacks are written without Python's help: memory with a descriptor, which faulthandler's
//! C handler for one signal writes to, in whatever thread the signal comes.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// Longest text that is kept of a dump: the youngest frames of each thread come first.
const TEXT_BYTES: u64 = 64 * 1024;

/// One process's memory for stacks.
#[derive(Debug)]
pub struct BlackBox {
    file: File,
    signal: i32,
}

impl BlackBox {
    /// An empty box for the handler of `signal`, which somebody else installs.
    ///
    /// # Errors
    /// What memfd_create(2) answers.
    pub fn new(signal: i32) -> io::Result<Self> {
        let fd = memfd_create("rgunicorn-stacks", MFdFlags::MFD_CLOEXEC)?;
        Ok(Self { file: File::from(fd), signal })
    }

    /// What the handler is to write to.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Lets the handler write, in the calling thread, and returns what it wrote; nothing when
    /// there is no handler.
    ///
    /// # Errors
    /// What reading the memory answers.
    pub fn dump(&mut self) -> io::Result<Vec<u8>> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        if is_handled(self.signal) {
            raise_here(self.signal);
        }
        self.file.rewind()?;
        let mut text = Vec::new();
        (&self.file).take(TEXT_BYTES).read_to_end(&mut text)?;
        Ok(text)
    }
}

/// Whether the signal has a handler: by default it would end the process.
fn is_handled(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only, and fills `action` whenever it answers 0.
    let action = unsafe {
        if libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) != 0 {
            return false;
        }
        action.assume_init()
    };
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

/// Runs the handler of `signal` in this thread, before this function returns.
fn raise_here(signal: i32) {
    // SAFETY: the set is initialised by sigemptyset before it is used. raise(3) is tgkill(2) to the
    // calling thread: the signal, unblocked, is delivered before the call returns.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
        libc::raise(signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::sync::atomic::{AtomicI32, Ordering};

    use super::*;

    static FD: AtomicI32 = AtomicI32::new(-1);

    #[test]
    fn what_the_handler_writes_is_there_at_once() {
        let signal = libc::SIGRTMIN() + 9;
        let mut empty = BlackBox::new(signal).unwrap();
        assert_eq!(empty.dump().unwrap(), b"");

        let mut full = BlackBox::new(signal).unwrap();
        FD.store(full.fd().as_raw_fd(), Ordering::SeqCst);
        // SAFETY: the handler makes one write(2), which is async-signal-safe.
        unsafe {
            signal_hook::low_level::register(signal, || {
                libc::write(FD.load(Ordering::SeqCst), b"stack".as_ptr().cast(), 5);
            })
        }
        .unwrap();
        assert_eq!(full.dump().unwrap(), b"stack");
        assert_eq!(full.dump().unwrap(), b"stack");
    }
}
