//! The life of the status process.

use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::scoreboard::Scoreboard;
use crate::status::health::Limits;
use crate::status::server;
use crate::status::site::{Door, Site};
use crate::sys::listener::Listener;
use crate::sys::{file, leash};

/// Serves the pages about the server on `listener`, until the other end of `line` is closed or the
/// master has ended. To be called in a process of its own, which has nothing else to do: it can not
/// get any rights after this, and dies with its parent.
///
/// `about` has what `rgunicorn.status.Plan` has. OSError: the descriptors are of no use.
#[pyfunction]
pub(crate) fn serve_status(
    py: Python<'_>,
    board: &Bound<'_, Scoreboard>,
    listener: RawFd,
    line: RawFd,
    about: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let ns = |name: &str| -> PyResult<u64> {
        let seconds: f64 = about.getattr(name)?.extract()?;
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    };
    let doors: Vec<(String, u64)> = about.getattr("doors")?.extract()?;
    let site = Site {
        board: board.get().board(),
        master: about.getattr("master")?.extract()?,
        version: about.getattr("version")?.extract()?,
        uid: about.getattr("uid")?.extract()?,
        gid: about.getattr("gid")?.extract()?,
        cwd: about.getattr("cwd")?.extract()?,
        protocol: about.getattr("protocol")?.extract()?,
        doors: doors.into_iter().map(|(name, inode)| Door { name, inode }).collect(),
        limits: Limits {
            timeout_ns: ns("timeout")?,
            stuck_ns: ns("stuck")?,
            max_queue: about.getattr("max_queue")?.extract()?,
        },
    };
    let is_unix = about.getattr("is_unix")?.extract()?;
    let (listener, line) = (Listener::from_owned(own(listener)?, is_unix)?, own(line)?);
    leash::fasten()?;
    Ok(py.detach(|| server::serve(&listener, line.as_fd(), &site))?)
}

fn own(fd: RawFd) -> PyResult<OwnedFd> {
    file::duplicate(fd)?.ok_or_else(|| PyOSError::new_err((libc::EBADF, "status process")))
}
