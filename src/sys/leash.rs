//! What ties a helper process to its parent.

use std::io;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// This process gains no rights any more, and ends when its parent does, however that ends. To be
/// called after the last change of the user: that makes the kernel forget the second part.
///
/// # Errors
/// What prctl(2) answers.
pub fn fasten() -> io::Result<()> {
    prctl::set_no_new_privs()?;
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    Ok(())
}

/// Whether `parent` is our parent still: one that had ended before [`fasten`] sends no signal.
pub fn holds(parent: i32) -> bool {
    getppid() == Pid::from_raw(parent)
}
