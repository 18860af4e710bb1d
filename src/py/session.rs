//! What a connection means to Python: `environ["gunicorn.socket"]`, early hints, and the part of
//! the environ that is the same for all its requests.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyAttributeError, PyOSError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::ffi::reach;
use super::link::session_of;
use super::mould::Cast;
use super::remote::Means;
use super::tls::TlsSession;
use crate::sys::poller::Token;

/// Names of a socket's methods that say something to the client, or take the socket away: after
/// one of them the connection is the application's (a WebSocket library's), and no response of
/// ours goes into it. Reading alone does not count: an application may look at what comes.
const TAKING: [&str; 10] = [
    "send", "sendall", "sendmsg", "sendto", "sendfile", "makefile", "detach", "shutdown",
    // Of a TLS socket.
    "write", "unwrap",
];

/// Python's part of a connection.
#[derive(Default)]
pub(crate) struct Session {
    /// The environ so far as the connection fixes it, where that is more than an address.
    pub(super) environ: Option<Py<PyDict>>,
    pub(super) means: Option<Means>,
    /// The environ of its last requests, if they were all the same.
    pub(super) cast: Cast,
}

impl Session {
    /// `environ["gunicorn.socket"]`, if the application has looked at it. Hardly one does, and then
    /// nothing has to be borrowed to see that nothing has happened to it.
    pub(super) fn handle(&self) -> Option<&Py<Handle>> {
        let looked_at = |means: &&Means| means.looked_at.load(Ordering::Acquire);
        self.means.as_ref().filter(looked_at).map(|means| &means.handle)
    }

    /// After a request: closes the Python socket that the application has only looked at, and lets
    /// go of one that it has taken. What keeps it (a stored environ; without the GIL a thread that
    /// CPython lets free it later, because this one did not) would keep the connection open.
    pub(super) fn release(&mut self, py: Python<'_>) {
        let Some(handle) = self.handle() else { return };
        // A thread of the application may be inside: then it goes with the object.
        let Ok(mut this) = handle.try_borrow_mut(py) else { return };
        if this.taken {
            let socket = this.socket.as_ref().map(|socket| socket.clone_ref(py));
            drop(this);
            *self = Self::default();
            if let Some(socket) = socket {
                end(socket.bind(py));
            }
            return;
        }
        this.looked_at.store(false, Ordering::Release);
        let Some(socket) = this.socket.take() else { return };
        // Closing may run Python code, which may look again.
        drop(this);
        if let Err(error) = socket.bind(py).call_method0("close") {
            error.write_unraisable(py, None);
        }
    }

    /// After the last request of a connection: what the next one may be given in its place. All else
    /// is dropped here, while its thread is attached.
    pub(super) fn end(&mut self) -> Option<Means> {
        std::mem::take(self).means
    }
}

/// Tells the client that nothing more comes: a thread of a WebSocket library may still wait for
/// it in recv(2), and keep the connection open with that.
fn end(socket: &Bound<'_, PyAny>) {
    let py = socket.py();
    if descriptor(socket).is_none() {
        return;
    }
    match socket.call_method1("shutdown", (libc::SHUT_WR,)) {
        // ENOTCONN and the like: the client was faster.
        Err(error) if !error.is_instance_of::<PyOSError>(py) => {
            error.write_unraisable(py, Some(socket));
        }
        _ => {}
    }
}

/// The descriptor of a Python socket that has one.
fn descriptor(socket: &Bound<'_, PyAny>) -> Option<i32> {
    let fd: i32 = socket.call_method0("fileno").ok()?.extract().ok()?;
    (fd >= 0).then_some(fd)
}

/// `environ["gunicorn.socket"]`: the client's socket. A real Python socket is made from a
/// duplicate on first use; until then it costs nothing.
#[pyclass(module = "rgunicorn._core", name = "ClientSocket")]
pub(crate) struct Handle {
    token: Token,
    socket: Option<Py<PyAny>>,
    taken: bool,
    /// The application has looked at it since it was last [released](Session::release). Written by
    /// whoever has borrowed it to change it.
    looked_at: Arc<AtomicBool>,
}

impl Handle {
    pub(super) fn new(token: Token, looked_at: Arc<AtomicBool>) -> Self {
        Self { token, socket: None, taken: false, looked_at }
    }

    /// From here on it is that of another connection. False, and it stays as it is: somebody uses it,
    /// or the application has taken what it was of.
    pub(super) fn renew(slf: &Bound<'_, Self>, token: Token) -> bool {
        match slf.try_borrow_mut() {
            Ok(mut this) if this.socket.is_none() && !this.taken => {
                this.token = token;
                true
            }
            _ => false,
        }
    }

    /// Whether the application has moved bytes on the socket itself.
    pub(super) fn is_taken(&self) -> bool {
        self.taken
    }

    /// Whether the Python socket has been closed, or detached and is somebody else's by now.
    pub(super) fn is_gone(slf: &Bound<'_, Self>) -> bool {
        let Ok(this) = slf.try_borrow() else { return false };
        let socket = this.socket.as_ref().map(|socket| socket.clone_ref(slf.py()));
        // A thread of the application may want it while Python code runs.
        drop(this);
        socket.is_some_and(|socket| descriptor(socket.bind(slf.py())).is_none())
    }

    /// The connection is the server's again.
    pub(super) fn give_back(slf: &Bound<'_, Self>) {
        if let Ok(mut this) = slf.try_borrow_mut() {
            this.taken = false;
        }
    }

    fn duplicate(&self, py: Python<'_>) -> PyResult<(OwnedFd, Option<Py<TlsSession>>)> {
        let gone = || PyOSError::new_err((libc::EBADF, "the connection has been closed"));
        reach(self.token, |exchange| {
            // What goes out from here on, we do not see.
            if !exchange.speak() {
                return Err(gone());
            }
            let conn = exchange.conn();
            conn.withdraw();
            let fd = conn.socket().ok_or_else(gone)?.try_clone_to_owned()?;
            let session = session_of(py, conn);
            if session.is_some() {
                // It may be read from there now.
                conn.disturb();
            }
            Ok((fd, session))
        })
        .unwrap_or_else(|| Err(gone()))
    }

    /// Sends what was encrypted and waits for room: the records of the application, which writes
    /// for itself from here, must not come in between.
    fn settle(&self, py: Python<'_>) -> PyResult<()> {
        let token = self.token;
        let settled = py.detach(|| reach(token, |exchange| exchange.settle()));
        settled.unwrap_or(Ok(())).map_err(|gone| super::errors::gone(&gone))
    }

    fn real<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(socket) = &self.socket {
            return Ok(socket.bind(py).clone());
        }
        self.looked_at.store(true, Ordering::Release);
        let (fd, session) = self.duplicate(py)?;
        let raw = fd.as_raw_fd();
        let kwargs = PyDict::new(py);
        kwargs.set_item("fileno", raw)?;
        let socket = py.import("socket")?.getattr("socket")?.call((), Some(&kwargs))?;
        // Python's object owns the descriptor from here.
        let _ = fd.into_raw_fd();
        // The description may have been made non-blocking for sendfile(2).
        socket.call_method1("settimeout", (py.None(),))?;
        let socket = match session {
            None => socket,
            Some(session) => {
                py.import("rgunicorn.tls_socket")?.getattr("TLSSocket")?.call1((socket, session))?
            }
        };
        self.socket = Some(socket.clone().unbind());
        Ok(socket)
    }
}

#[pymethods]
impl Handle {
    fn __getattr__<'py>(
        &mut self,
        py: Python<'py>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let text = name.to_str()?;
        if text.starts_with("__") {
            return Err(PyAttributeError::new_err(text.to_owned()));
        }
        let value = self.real(py)?.getattr(name)?;
        if !self.taken && TAKING.contains(&text) {
            self.taken = true;
            self.settle(py)?;
        }
        Ok(value)
    }

    /// `wsgi.early_hints`: sends `103 Early Hints` with these fields.
    ///
    /// Ignored for HTTP/1.0 clients and once the response has begun.
    #[pyo3(signature = (headers, /))]
    fn hint(slf: &Bound<'_, Self>, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for item in headers.try_iter()? {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
            fields.push((
                super::start_response::octets(&name)?,
                super::start_response::octets(&value)?,
            ));
        }
        let token = slf.try_borrow()?.token;
        let sent = reach(token, |exchange| {
            exchange
                .hint(fields.iter().map(|(name, value)| (&name[..], &value[..])))
                .map_err(|error| super::errors::response_error(slf.py(), &error))?;
            exchange.flush().map_err(|gone| super::errors::gone(&gone))
        });
        sent.unwrap_or(Ok(()))
    }
}
