//! A stand-in: a copy of this process that handles one signal and is gone. Nothing moves in it, because it has
//! no other threads; what crashes in it harms nobody.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::clock::monotonic_ns;

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The handler has returned, or there is none.
    Done,
    /// It has died of it.
    Crashed,
    /// It took too long, and was killed.
    Hung,
}

/// Ways to die of reading memory that makes no sense.
const CRASHES: [Signal; 5] =
    [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGABRT, Signal::SIGFPE, Signal::SIGILL];

/// The longest pause between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(4);

/// Runs the handler of `signal`, or that in `action`, in a copy of this process, if there is one, and
/// waits for it, for `patience` at most. Makes nothing but async-signal-safe calls.
///
/// The process that waits for children of its own does not find the copy: its end sends no SIGCHLD,
/// and `waitpid(-1)` does not see it.
///
/// # Errors
/// No copy could be made: EAGAIN (too many processes), ENOMEM, EPERM where it is forbidden.
pub fn handle(
    signal: i32,
    action: Option<&libc::sigaction>,
    patience: Duration,
) -> io::Result<Fate> {
    // None may reach the copy: its handlers write into pipes that both have.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: fork(2) without a signal at the end, and without what libraries want done at a fork.
    // The copy makes async-signal-safe calls only, and never returns from `perform`.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone, 0_usize, 0_usize, 0_usize, 0_usize, 0_usize) };
    if pid == 0 {
        perform(signal, action);
    }
    let failed = Errno::last();
    before.thread_set_mask()?;
    match i32::try_from(pid) {
        Ok(pid) if pid > 0 => Ok(wait(Pid::from_raw(pid), patience)),
        _ => Err(failed.into()),
    }
}

fn wait(pid: Pid, patience: Duration) -> Fate {
    let begun_ns = monotonic_ns();
    let mut pause = Duration::from_micros(100);
    let mut killed = false;
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, 0)) => return Fate::Done,
            // An application that waits with __WALL has taken it; it has ended.
            Err(Errno::ECHILD) => return Fate::Done,
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return if killed { Fate::Hung } else { Fate::Crashed },
        }
        let waited = Duration::from_nanos(monotonic_ns().saturating_sub(begun_ns));
        if waited > patience && !killed {
            // Our own child, which nobody has waited for: the number is still its own.
            let _gone = kill(pid, Signal::SIGKILL);
            killed = true;
        }
        if waited > patience * 2 {
            // Inside the kernel. It stays a zombie when it comes out.
            return Fate::Hung;
        }
        std::thread::sleep(pause);
        pause = PAUSE.min(pause * 2);
    }
}

/// The whole life of the copy.
fn perform(signal: i32, action: Option<&libc::sigaction>) -> ! {
    // No core file, and no life of its own. Neither can fail with these arguments.
    let _undumped = prctl::set_dumpable(false);
    let _bound = prctl::set_pdeathsig(Signal::SIGKILL);
    // SAFETY: `crashed` makes one async-signal-safe call. The sets are initialised by sigfillset and
    // sigaction before they are used. The signal goes to the calling thread by numbers from the
    // kernel, for the C library remembers those of the original; it is delivered before the call
    // returns, and `signal` has a handler then.
    unsafe {
        for crash in CRASHES {
            let _always = nix::sys::signal::signal(crash, SigHandler::Handler(crashed));
        }
        if let Some(action) = action {
            libc::sigaction(signal, action, ptr::null_mut());
        }
        let mut found = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        if libc::sigaction(signal, ptr::null(), &raw mut found) == 0
            && found.sa_sigaction != libc::SIG_DFL
            && found.sa_sigaction != libc::SIG_IGN
        {
            let mut blocked = MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
            libc::sigfillset(&raw mut blocked);
            for open in CRASHES.map(|it| it as i32).into_iter().chain([signal]) {
                libc::sigdelset(&raw mut blocked, open);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const blocked, ptr::null_mut());
            let thread = libc::syscall(libc::SYS_gettid);
            libc::syscall(libc::SYS_tgkill, libc::syscall(libc::SYS_getpid), thread, signal);
        }
        libc::_exit(0)
    }
}

extern "C" fn crashed(_signal: i32) {
    // SAFETY: ends the process at once; runs nothing of it.
    unsafe { libc::_exit(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn handled(signal: i32, by: extern "C" fn(i32)) {
        // SAFETY: the handlers of these tests run in copies only.
        unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = by as *const () as usize;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }

    extern "C" fn returns(_signal: i32) {}

    extern "C" fn crashes(_signal: i32) {
        let _never = nix::sys::signal::raise(Signal::SIGSEGV);
    }

    extern "C" fn aborts(_signal: i32) {
        std::process::abort();
    }

    extern "C" fn hangs(_signal: i32) {
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn what_happens_there_stays_there() {
        let first = libc::SIGRTMIN() + 5;
        assert_eq!(handle(first, None, LONG).unwrap(), Fate::Done);
        for (at, (handler, patience, fate)) in [
            (returns as extern "C" fn(i32), LONG, Fate::Done),
            (crashes, LONG, Fate::Crashed),
            (aborts, LONG, Fate::Crashed),
            (hangs, Duration::from_millis(50), Fate::Hung),
        ]
        .into_iter()
        .enumerate()
        {
            let signal = first + i32::try_from(at).unwrap();
            handled(signal, handler);
            assert_eq!(handle(signal, None, patience).unwrap(), fate, "handler {at}");
        }
    }
}
