//! Forking a worker out of the master.

use pyo3::prelude::*;

use super::arbiter::Inbox;
use crate::sys::signals;

/// `os.fork()` without a moment in which the child could swallow a signal or answer for the
/// master.
///
/// The master's signals are blocked across the fork; the child gives up handlers and inbox, runs
/// `in_child()` (to install handlers of its own), and only then sees what was sent to it
/// meanwhile. Returns 0 in the child. Whatever `os.fork` or `in_child` raises is raised.
#[pyfunction]
#[pyo3(signature = (inbox, in_child=None))]
pub(crate) fn fork(
    py: Python<'_>,
    inbox: &Bound<'_, Inbox>,
    in_child: Option<&Bound<'_, PyAny>>,
) -> PyResult<i32> {
    // Python's own fork: at-fork hooks run, and the interpreter repairs itself in the child.
    let os_fork = py.import("os")?.getattr("fork")?;
    let _mask = signals::MaskGuard::block()?;
    let pid: i32 = os_fork.call0()?.extract()?;
    if pid == 0 {
        signals::reset_in_child()?;
        inbox.borrow_mut().close();
        if let Some(in_child) = in_child {
            in_child.call0()?;
        }
    }
    Ok(pid)
}
