//! Threads of our own, and what one thread's time costs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::time::{ClockId, clock_gettime};

/// Enough for the event loop, whose buffers are on the heap.
const STACK_BYTES: usize = 256 * 1024;

/// What a crash of the thread itself sends. Where it is blocked, the kernel ends the process without
/// asking its handler, which writes the stacks.
const ITS_OWN: [Signal; 6] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGSYS,
];

/// Starts a thread that no signal is ever delivered to but for crashes of its own: Python's handlers
/// belong to the main thread, whose system calls a signal must interrupt.
///
/// # Errors
/// EAGAIN: there are too many threads.
pub fn spawn_deaf(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // The new thread inherits the mask: there is no moment in which it could get one.
    let mut deaf = SigSet::all();
    for signal in ITS_OWN {
        deaf.remove(signal);
    }
    let before = deaf.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let started = thread::Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(run);
    before.thread_set_mask()?;
    started.map(drop)
}

/// The calling thread: pthread_self(3), which is what Python calls its `ident`, and gettid(2).
pub fn identity() -> (u64, u32) {
    // SAFETY: it takes nothing and always succeeds.
    let handle = unsafe { libc::pthread_self() };
    (handle as u64, nix::unistd::gettid().as_raw().unsigned_abs())
}

/// Runs `wait`, in which the calling thread may be woken later than it asked for by up to `slack`: together
/// with a tick of the kernel's that is due then anyway, instead of by an interrupt of its own
/// (PR_SET_TIMERSLACK of prctl(2)). Two system calls.
pub fn roughly<T>(slack: Duration, wait: impl FnOnce() -> T) -> T {
    // Where a sandbox forbids it, it is woken in time.
    let _in_time = prctl::set_timerslack(u64::try_from(slack.as_nanos()).unwrap_or(u64::MAX));
    let done = wait();
    // As it was when the thread began.
    let _in_time = prctl::set_timerslack(0);
    done
}

/// CPU time of the calling thread, nanoseconds. A system call, unlike the other clocks.
pub fn cpu_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(0, |t| t.tv_sec().unsigned_abs() * 1_000_000_000 + t.tv_nsec().unsigned_abs())
}

/// For how long the calling thread could have run and had no CPU, nanoseconds since it began
/// (`schedstat` of Documentation/scheduler/sched-stats.rst). `None` where the kernel does not tell.
/// Three system calls.
pub fn off_cpu_ns() -> Option<u64> {
    let (mut text, mut file) = ([0; 64], File::open("/proc/thread-self/schedstat").ok()?);
    let length = file.read(&mut text).ok()?;
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Whether a thread of this process waits for something: neither for a CPU, nor for a tracer.
pub fn is_asleep(tid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
    // The name before it may hold anything.
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['S', 'D']))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn signals_are_blocked_there_and_not_here() {
        let before = SigSet::thread_get_mask().unwrap();
        let (send, receive) = mpsc::channel();
        spawn_deaf("deaf", move || {
            send.send(SigSet::thread_get_mask().unwrap()).unwrap();
        })
        .unwrap();
        let there = receive.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(there.contains(Signal::SIGTERM) && there.contains(Signal::SIGABRT));
        // Its crashes are told.
        assert!(!there.contains(Signal::SIGSEGV) && !there.contains(Signal::SIGBUS));
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    }

    #[test]
    fn each_thread_is_somebody_else() {
        let here = identity();
        assert_eq!(here, identity());
        assert_ne!(here.1, thread::spawn(identity).join().unwrap().1);
    }

    #[test]
    fn a_thread_that_waits_is_told_from_one_that_runs() {
        let (send, receive) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let other = thread::spawn(move || {
            tell.send(identity().1).unwrap();
            receive.recv().unwrap_err();
        });
        let tid = told.recv().unwrap();
        while !is_asleep(tid) {
            thread::yield_now();
        }
        assert!(!is_asleep(identity().1));
        drop(send);
        other.join().unwrap();
        assert!(!is_asleep(tid));
    }

    #[test]
    fn a_thread_has_slack_only_while_it_waits() {
        let before = prctl::get_timerslack().unwrap();
        let slack = roughly(Duration::from_millis(2), || prctl::get_timerslack().unwrap());
        assert_eq!((slack, prctl::get_timerslack().unwrap()), (2_000_000, before));
    }

    #[test]
    fn time_off_the_cpu_does_not_go_back() {
        let before = off_cpu_ns();
        thread::sleep(Duration::from_millis(1));
        assert!(before.is_some() && off_cpu_ns() >= before);
    }

    #[test]
    fn cpu_time_does_not_go_back() {
        let before = cpu_ns();
        assert!(cpu_ns() >= before);
    }
}
