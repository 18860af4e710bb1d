//! TLS by Python's `ssl`: the context is the user's own, with all that their hook did to it. Here
//! its `SSLObject` works between two memory buffers, so that nobody waits for a client.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use super::keyring::Classes;
use crate::engine::transport::{Fault, Plain};
use crate::sys::socket::{self, Transfer};

/// Plaintext of one record at most (RFC 8446 §5.1).
const RECORD_BYTES: usize = 16 * 1024;

/// Whose turn it is: OpenSSL's objects are for one thread at a time, and CPython lets the GIL go
/// inside. An application may read in one thread and write in another. Held for a call into
/// OpenSSL, never while anybody waits for a client; waiting for it lets the GIL go.
#[expect(clippy::disallowed_types, reason = "floor 3, and a child after fork has its own sessions")]
type Turn = std::sync::Mutex<()>;

/// TLS of one connection. The engine uses it, and Python's `TLSSocket` when an application takes
/// its connection.
#[pyclass(frozen, module = "rgunicorn._core", name = "TLSSession")]
pub(crate) struct TlsSession {
    turn: Turn,
    /// `ssl.SSLObject`.
    object: Py<PyAny>,
    inner: Py<PyAny>,
    incoming: Py<PyAny>,
    outgoing: Py<PyAny>,
    /// Methods of these that each request needs, looked up once.
    read: Py<PyAny>,
    write: Py<PyAny>,
    feed: Py<PyAny>,
    drain: Py<PyAny>,
    /// Whether the handshake is complete. OpenSSL forgets it after an error.
    established: AtomicBool,
    /// There will be no more ciphertext.
    over: AtomicBool,
    classes: Arc<Classes>,
}

impl TlsSession {
    pub(super) fn new(
        py: Python<'_>,
        context: &Py<PyAny>,
        classes: &Arc<Classes>,
    ) -> PyResult<Py<Self>> {
        let incoming = classes.memory_bio.bind(py).call0()?;
        let outgoing = classes.memory_bio.bind(py).call0()?;
        let object = context.bind(py).call_method1("wrap_bio", (&incoming, &outgoing, true))?;
        // What `SSLObject` calls itself, in C: a Python frame less for each call.
        let inner = object.getattr("_sslobj")?;
        let session = Self {
            turn: Turn::default(),
            object: object.unbind(),
            read: inner.getattr(intern!(py, "read"))?.unbind(),
            write: inner.getattr(intern!(py, "write"))?.unbind(),
            feed: incoming.getattr(intern!(py, "write"))?.unbind(),
            drain: outgoing.getattr(intern!(py, "read"))?.unbind(),
            inner: inner.unbind(),
            incoming: incoming.unbind(),
            outgoing: outgoing.unbind(),
            established: AtomicBool::new(false),
            over: AtomicBool::new(false),
            classes: classes.clone(),
        };
        Py::new(py, session)
    }

    /// What the protocol has to say meanwhile goes to the end of `out`, also after a fault.
    pub(super) fn take_in(
        &self,
        py: Python<'_>,
        ciphertext: &[u8],
        plain: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Plain, Fault> {
        let _turn = self.turn.lock_py_attached(py);
        let got = self.decrypt(py, ciphertext, plain);
        let drained = self.drain(py, out);
        let plain = got?;
        drained.map_err(|error| self.classes.fault(py, &error))?;
        Ok(plain)
    }

    fn decrypt(&self, py: Python<'_>, ciphertext: &[u8], plain: &mut [u8]) -> Result<Plain, Fault> {
        let failed = |error: PyErr| self.classes.fault(py, &error);
        if !ciphertext.is_empty() {
            self.feed.bind(py).call1((PyBytes::new(py, ciphertext),)).map_err(failed)?;
        }
        // The record that was read last has no more.
        let (mut n, mut emptied) = (0, false);
        while n < plain.len() {
            // A cheaper question than an exception.
            if n > 0 && self.is_dry(py, emptied).map_err(failed)? {
                return Ok(Plain::Bytes { n, more: false });
            }
            let room = plain.get_mut(n..).unwrap_or_default();
            let most = room.len().min(RECORD_BYTES);
            let bytes = match self.read.bind(py).call1((most,)) {
                Ok(bytes) => bytes.cast_into::<PyBytes>().map_err(|error| failed(error.into()))?,
                Err(error)
                    if error.matches(py, self.classes.want_read.bind(py)).is_ok_and(|is| is) =>
                {
                    self.note_progress(py);
                    return Ok(if n > 0 { Plain::Bytes { n, more: false } } else { Plain::Hungry });
                }
                // First what came before; the end is found again.
                Err(error) if n > 0 && self.is_ragged(py, &error) => break,
                Err(error) if self.is_ragged(py, &error) => return Err(Fault::Ragged),
                Err(error) => return Err(failed(error)),
            };
            self.note_progress(py);
            let bytes = bytes.as_bytes();
            if bytes.is_empty() {
                if n == 0 {
                    return Ok(Plain::Ended);
                }
                break;
            }
            if let Some(space) = room.get_mut(..bytes.len()) {
                space.copy_from_slice(bytes);
            }
            n += bytes.len();
            // SSL_read(3): never from more than one record.
            emptied = bytes.len() < most;
        }
        Ok(Plain::Bytes { n, more: true })
    }

    /// Encrypts `plain` to the end of `out`.
    pub(super) fn send(
        &self,
        py: Python<'_>,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let _turn = self.turn.lock_py_attached(py);
        out.reserve(plain.len() + plain.len() / 32 + 64);
        let sent = plain.chunks(RECORD_BYTES).try_for_each(|piece| {
            let mut rest = piece;
            while !rest.is_empty() {
                let n: usize = self.write.bind(py).call1((PyBytes::new(py, rest),))?.extract()?;
                rest = rest.get(n..).unwrap_or_default();
            }
            // At once: a memory buffer that grew stays large.
            self.drain(py, out)
        });
        sent.map_err(|error: PyErr| self.classes.fault(py, &error))
    }

    pub(super) fn farewell(&self, py: Python<'_>, out: &mut Vec<u8>) {
        let _turn = self.turn.lock_py_attached(py);
        // It would like to wait for the peer's, or the handshake was not complete: both is fine.
        let _ = self.inner.call_method0(py, intern!(py, "shutdown"));
        // Without memory for its goodbye the connection ends without.
        let _ = self.drain(py, out);
    }

    /// Whether nothing is left to decrypt. `emptied`: not of the last record.
    fn is_dry(&self, py: Python<'_>, emptied: bool) -> PyResult<bool> {
        // At its end the buffer has one more thing to say.
        if pending(self.incoming.bind(py))? > 0 || self.over.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if emptied {
            return Ok(true);
        }
        let decrypted: usize = self.inner.call_method0(py, intern!(py, "pending"))?.extract(py)?;
        Ok(decrypted == 0)
    }

    pub(super) fn is_established(&self) -> bool {
        self.established.load(Ordering::Relaxed)
    }

    /// Looks whether the handshake is complete by now.
    fn note_progress(&self, py: Python<'_>) {
        if !self.is_established() {
            let version = self.inner.call_method0(py, intern!(py, "version"));
            let complete = version.is_ok_and(|version| !version.is_none(py));
            self.established.store(complete, Ordering::Relaxed);
        }
    }

    fn is_ragged(&self, py: Python<'_>, error: &PyErr) -> bool {
        error.matches(py, self.classes.eof.bind(py)).unwrap_or(false)
    }

    /// What is to be sent, to the end of `out`.
    fn drain(&self, py: Python<'_>, out: &mut Vec<u8>) -> PyResult<()> {
        if pending(self.outgoing.bind(py))? > 0 {
            let bytes = self.drain.bind(py).call0()?;
            out.extend_from_slice(bytes.extract::<&[u8]>()?);
        }
        Ok(())
    }
}

/// Bytes in a memory buffer.
fn pending(buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
    buffer.getattr(intern!(buffer.py(), "pending"))?.extract()
}

/// For `rgunicorn.tls_socket.TLSSocket`.
#[pymethods]
impl TlsSession {
    /// The `ssl.SSLObject`, to be asked about the connection.
    #[getter]
    pub(super) fn object(&self, py: Python<'_>) -> Py<PyAny> {
        self.object.clone_ref(py)
    }

    /// Takes received ciphertext and decrypts up to `size` bytes, with those from before.
    ///
    /// Returns the plaintext, empty at the end, None when more ciphertext is needed; and what is
    /// to be sent. Raises ssl.SSLError.
    fn receive<'py>(
        &self,
        py: Python<'py>,
        ciphertext: &[u8],
        size: usize,
    ) -> PyResult<(Option<Bound<'py, PyBytes>>, Bound<'py, PyBytes>)> {
        let mut plain = vec![0; size.clamp(1, 4 * RECORD_BYTES)];
        let mut out = Vec::new();
        let plain = match self.take_in(py, ciphertext, &mut plain, &mut out) {
            Ok(Plain::Bytes { n, .. }) => Some(plain.get(..n).unwrap_or_default()),
            Ok(Plain::Ended) => Some(&[][..]),
            Ok(Plain::Hungry) => None,
            Err(fault) => return Err(self.raised(py, &fault)),
        };
        Ok((plain.map(|plain| PyBytes::new(py, plain)), PyBytes::new(py, &out)))
    }

    /// There will be no more ciphertext. With `suppress_ragged_eofs` OpenSSL is not told: it would
    /// say no more either, and what it has not decrypted by now can't be.
    pub(super) fn end(&self, py: Python<'_>) -> PyResult<()> {
        if self.classes.suppress && self.is_established() {
            return Ok(());
        }
        self.over.store(true, Ordering::Relaxed);
        self.incoming.call_method0(py, intern!(py, "write_eof")).map(drop)
    }

    /// Encrypts `plain`. Raises ssl.SSLError.
    fn encrypt<'py>(&self, py: Python<'py>, plain: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        self.send(py, plain, &mut out).map_err(|fault| self.raised(py, &fault))?;
        Ok(PyBytes::new(py, &out))
    }

    /// TLS's goodbye, if it is in a state for one.
    fn goodbye<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut out = Vec::new();
        self.farewell(py, &mut out);
        PyBytes::new(py, &out)
    }
}

impl TlsSession {
    fn raised(&self, py: Python<'_>, fault: &Fault) -> PyErr {
        if let Some(error) = self.classes.state.interrupted.get() {
            return error.clone_ref(py);
        }
        let made = match fault {
            Fault::Refused(text) => self.classes.error.bind(py).call1((text,)),
            Fault::Ragged => {
                self.classes.eof.bind(py).call1(("EOF occurred in violation of protocol",))
            }
            Fault::Failed(text) => return PyOSError::new_err(text.clone()),
        };
        made.map_or_else(|failure| failure, PyErr::from_value)
    }
}

/// Reads from `fd` without waiting, through `session`. What the protocol itself has to say is
/// left to whoever writes next.
pub(super) fn receive(
    session: &Py<TlsSession>,
    fd: BorrowedFd<'_>,
    into: &mut [u8],
) -> io::Result<Transfer> {
    let mut cipher = [0; RECORD_BYTES];
    let (mut came, mut over) = (0, false);
    loop {
        let ciphertext = cipher.get(..came).unwrap_or_default();
        let got = Python::attach(|py| {
            let session = session.get();
            let _turn = session.turn.lock_py_attached(py);
            session.decrypt(py, ciphertext, into)
        });
        match got {
            Ok(Plain::Bytes { n, .. }) => return Ok(Transfer::Bytes(n)),
            Ok(Plain::Ended) => return Ok(Transfer::Bytes(0)),
            Ok(Plain::Hungry) if over => return Ok(Transfer::Bytes(0)),
            Ok(Plain::Hungry) => {}
            Err(Fault::Ragged) => return Err(socket::gone()),
            Err(Fault::Refused(text) | Fault::Failed(text)) => return Err(io::Error::other(text)),
        }
        match socket::receive(fd, &mut cipher)? {
            Transfer::Blocked => return Ok(Transfer::Blocked),
            Transfer::Bytes(0) => {
                (came, over) = (0, true);
                Python::attach(|py| session.get().end(py)).map_err(io::Error::other)?;
            }
            Transfer::Bytes(n) => came = n,
        }
    }
}
