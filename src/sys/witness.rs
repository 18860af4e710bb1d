//! The signals at which a worker writes down its stacks. Their handlers have a stand-in do it
//! ([`super::stand_in`]), so that the worker neither dies of it nor gets another signal's death.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, raise};
use nix::unistd::write;

use super::stand_in::{self, Fate};

/// A stand-in may have been made when a thread was half-way into a frame.
const ATTEMPTS: usize = 3;
/// The master does not wait as long.
const PATIENCE: Duration = Duration::from_secs(1);

const ABORT: i32 = libc::SIGABRT;
const ABORTED: &[u8] = b"Fatal Python error: Aborted\n\n";

struct Witness {
    signal: i32,
    fd: RawFd,
    /// Writes the stacks.
    writer: libc::sigaction,
    /// What happens at SIGABRT afterwards.
    abort: Option<libc::sigaction>,
}

static WITNESS: OnceLock<Witness> = OnceLock::new();

/// Puts our handler in place of that for `signal`, which writes the stacks to `fd`. With `aborts`
/// also in place of that for SIGABRT, which is run when the stacks are written. Once per process.
///
/// # Errors
/// What sigaction(2) answers.
pub fn install(signal: i32, fd: RawFd, aborts: bool) -> io::Result<()> {
    let writer = exchange(signal, None)?;
    let abort = if aborts { Some(exchange(ABORT, None)?) } else { None };
    if WITNESS.set(Witness { signal, fd, writer, abort }).is_err() {
        return Ok(());
    }
    // Whoever is in a system call goes on undisturbed, but at an abort Python has to run.
    exchange(signal, Some(&ours(writer, libc::SA_RESTART)))?;
    if let Some(abort) = abort {
        exchange(ABORT, Some(&ours(abort, libc::SA_NODEFER)))?;
    }
    Ok(())
}

fn ours(mut action: libc::sigaction, flags: i32) -> libc::sigaction {
    action.sa_sigaction = on_signal as extern "C" fn(i32) as usize;
    action.sa_flags = flags | libc::SA_ONSTACK;
    action
}

/// Returns how `signal` was handled; from here on `new` does, if there is one.
fn exchange(signal: i32, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: all-zero is a valid value to be written over; `new` is null or `ours`, whose handler makes
    // async-signal-safe calls only, or one that was installed before.
    unsafe {
        let mut before = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        Errno::result(libc::sigaction(signal, new, &raw mut before))?;
        Ok(before)
    }
}

extern "C" fn on_signal(signal: i32) {
    let errno = Errno::last();
    if let Some(witness) = WITNESS.get() {
        witness.testify(signal);
    }
    errno.set();
}

impl Witness {
    fn testify(&self, signal: i32) {
        if signal == ABORT {
            self.say(ABORTED);
        }
        for attempt in 1..=ATTEMPTS {
            match stand_in::handle(self.signal, Some(&self.writer), PATIENCE) {
                Ok(Fate::Done) => break,
                Ok(Fate::Crashed) if attempt < ATTEMPTS => self.say(b"\n\nOnce more:\n\n"),
                Ok(Fate::Crashed | Fate::Hung) => {
                    self.say(b"\n\nThe rest could not be read\n");
                    break;
                }
                Err(_) => {
                    self.say(b"No stacks: there can be no more processes here\n");
                    break;
                }
            }
        }
        if let Some(abort) = self.abort.as_ref().filter(|_| signal == ABORT) {
            // Its turn, at once: the signal is not blocked here.
            let _restored = exchange(ABORT, Some(abort));
            let _handled = raise(Signal::SIGABRT);
        }
    }

    fn say(&self, text: &[u8]) {
        // SAFETY: borrowed for this call only; a number that is not open is answered with EBADF.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        // There is nobody to tell that it could not be told.
        let _ = write(fd, text);
    }
}
