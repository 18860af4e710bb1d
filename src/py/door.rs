//! The end of a listener, for worker classes with a loop of their own.

use std::io;
use std::os::fd::RawFd;

use nix::errno::Errno;
use pyo3::prelude::*;

use crate::sys::file;
use crate::sys::listener::Listener;

/// From here on nobody new can come to the TCP listener `fd`; who has begun to come still arrives, for
/// the seconds that are returned. In force for every process that has it.
#[pyfunction]
pub(super) fn bar(fd: RawFd) -> PyResult<f64> {
    let own = file::duplicate(fd)?.ok_or_else(|| io::Error::from(Errno::EBADF))?;
    let listener = Listener::from_owned(own, false)?;
    listener.bar()?;
    Ok(listener.handshake().as_secs_f64())
}
