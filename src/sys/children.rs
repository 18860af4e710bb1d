//! Ended child processes.

use std::io;

use nix::errno::Errno;

/// A child that ended. Exactly one of `code` and `signal` is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Its process id.
    pub pid: i32,
    /// Exit code, 0…255.
    pub code: Option<i32>,
    /// Number of the signal that killed it.
    pub signal: Option<i32>,
}

/// Takes the report of one ended child of this process, `None` when there is none (left).
/// Never blocks.
///
/// # Errors
/// What waitpid(2) answers, "no children" and EINTR excepted.
pub fn reap() -> io::Result<Option<Ended>> {
    loop {
        let mut status = 0;
        // Not nix::waitpid: it refuses real-time signals after the kernel has already forgotten
        // the child, and that child would be lost.
        // SAFETY: status is a valid place for one int.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match Errno::result(pid) {
            Ok(0) | Err(Errno::ECHILD) => return Ok(None),
            Ok(pid) if libc::WIFEXITED(status) => {
                return Ok(Some(Ended {
                    pid,
                    code: Some(libc::WEXITSTATUS(status)),
                    signal: None,
                }));
            }
            Ok(pid) if libc::WIFSIGNALED(status) => {
                return Ok(Some(Ended { pid, code: None, signal: Some(libc::WTERMSIG(status)) }));
            }
            // Stopped or continued: not asked for, and not an end.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
