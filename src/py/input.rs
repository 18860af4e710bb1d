//! `wsgi.input`: the request body, buffered before the application started; past the engine's
//! limit, the rest is read from the socket as it is asked for.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::app::PyApp;
use super::errors;
use super::ffi;
use super::link::session_of;
use super::tls::{self, TlsSession};
use crate::engine::Exchange;
use crate::engine::exchange::{self, Body, Upload};
use crate::engine::timekeeper::Timed;
use crate::http::{BodyDecoder, BodyEvent, ParseError};
use crate::sys::clock::monotonic_ns;
use crate::sys::scoreboard::Slot;
use crate::sys::socket::{self, Transfer};
use crate::sys::spool::SpoolReader;
use crate::sys::tally::Event;

/// Read from the socket, or scanned for a line end, at once.
const STEP: usize = 64 * 1024;

/// The body of one request.
#[pyclass(module = "rgunicorn._core", name = "Input")]
pub(super) struct Input {
    spool: SpoolReader,
    rest: Option<Rest>,
    /// Bytes taken from either but not yet asked for (what follows a line end).
    pending: Vec<u8>,
    at: usize,
}

/// The part of a large body that is still on its way.
struct Rest {
    decoder: BodyDecoder,
    unseen: Vec<u8>,
    upload: Arc<Upload>,
    socket: OwnedFd,
    /// What decrypts it, if it is encrypted.
    tls: Option<Py<TlsSession>>,
    /// How long the client may send nothing; no limit when none.
    patience: Option<Duration>,
    pulse: Option<Slot>,
    slot: Option<Slot>,
    timed: Option<Arc<Timed>>,
}

enum Shortage {
    /// The client ended its side, or stalled.
    Ended,
    Broken(io::Error),
    Bad(ParseError),
    /// A signal came in: let its handler run, then ask again.
    Signal,
}

impl Input {
    pub(super) fn new(body: Body, exchange: &mut Exchange<'_, PyApp>) -> io::Result<Self> {
        let rest = match body.rest {
            None => None,
            Some(exchange::Rest { decoder, unseen, upload }) => {
                let socket = exchange
                    .conn()
                    .socket()
                    .ok_or(io::ErrorKind::NotConnected)?
                    .try_clone_to_owned()?;
                let patience = exchange.body_timeout();
                let tls = Python::attach(|py| session_of(py, exchange.conn()));
                let pulse = exchange.pulse();
                let (slot, timed) = (exchange.slot(), exchange.timed().cloned());
                Some(Rest { decoder, unseen, upload, socket, tls, patience, pulse, slot, timed })
            }
        };
        Ok(Self { spool: body.spool.into_reader()?, rest, pending: Vec::new(), at: 0 })
    }

    /// The empty body.
    pub(super) fn empty() -> Self {
        Self { spool: SpoolReader::default(), rest: None, pending: Vec::new(), at: 0 }
    }

    /// Hands back what decoded a body that was not complete at first, and what it has not seen.
    pub(super) fn give_back(&mut self) -> Option<(BodyDecoder, Vec<u8>)> {
        self.rest.take().map(|rest| (rest.decoder, rest.unseen))
    }

    fn buffered(&self) -> &[u8] {
        self.pending.get(self.at..).unwrap_or_default()
    }

    /// Makes at least one byte available in `pending`; false at the end of the body.
    fn refill(&mut self, py: Python<'_>) -> PyResult<bool> {
        self.pending.clear();
        self.at = 0;
        if self.spool.left() > 0 {
            let want = usize::try_from(self.spool.left()).unwrap_or(STEP).min(STEP);
            self.pending.resize(want, 0);
            let got = self.spool.read(&mut self.pending)?;
            self.pending.truncate(got);
            if got == 0 {
                return Err(errors::no_more_data(py));
            }
            return Ok(true);
        }
        let Some(rest) = &mut self.rest else { return Ok(false) };
        loop {
            let pending = &mut self.pending;
            match py.detach(|| rest.receive(pending)) {
                Ok(more) => return Ok(more),
                Err(Shortage::Signal) => py.check_signals()?,
                Err(Shortage::Ended) => return Err(errors::no_more_data(py)),
                Err(Shortage::Broken(error)) => return Err(errors::broken(&error)),
                Err(Shortage::Bad(error)) => return Err(errors::parse_error(py, &error)),
            }
        }
    }

    /// Takes up to `size` bytes (all when `None`).
    fn take<'py>(&mut self, py: Python<'py>, size: Option<usize>) -> PyResult<Bound<'py, PyBytes>> {
        if self.buffered().is_empty() && self.rest.is_none() {
            // All of it is at hand: straight into the object.
            let left = usize::try_from(self.spool.left())?;
            let want = size.map_or(left, |size| size.min(left));
            if let Some(memory) = self.spool.in_memory() {
                let bytes = ffi::bytes(py, memory.get(..want).unwrap_or_default())?;
                self.spool.consume(want);
                return Ok(bytes);
            }
            return PyBytes::new_with(py, want, |into| Ok(self.spool.read_exact(into)?));
        }
        let mut out = Vec::new();
        while size.is_none_or(|size| out.len() < size) {
            if self.buffered().is_empty() && !self.refill(py)? {
                break;
            }
            let want = size.map_or(usize::MAX, |size| size - out.len());
            let have = self.buffered();
            let step = have.len().min(want);
            out.try_reserve(step).map_err(errors::no_memory)?;
            out.extend_from_slice(&have[..step]);
            self.at += step;
        }
        ffi::bytes(py, &out)
    }

    fn line<'py>(&mut self, py: Python<'py>, size: Option<usize>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        while size.is_none_or(|size| out.len() < size) {
            if self.buffered().is_empty() && !self.refill(py)? {
                break;
            }
            let want = size.map_or(usize::MAX, |size| size - out.len());
            let have = self.buffered();
            let have = &have[..have.len().min(want)];
            let end = memchr::memchr(b'\n', have).map(|at| at + 1);
            let step = end.unwrap_or(have.len());
            out.try_reserve(step).map_err(errors::no_memory)?;
            out.extend_from_slice(&have[..step]);
            self.at += step;
            if end.is_some() {
                break;
            }
        }
        ffi::bytes(py, &out)
    }
}

#[pymethods]
impl Input {
    /// Reads up to `size` bytes; all there is when `size` is None or negative.
    #[pyo3(signature = (size=None))]
    fn read<'py>(
        &mut self,
        py: Python<'py>,
        size: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.take(py, limit(size)?)
    }

    /// Reads up to and including the next line end, `size` bytes at most.
    #[pyo3(signature = (size=None))]
    fn readline<'py>(
        &mut self,
        py: Python<'py>,
        size: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.line(py, limit(size)?)
    }

    /// All lines; the hint is ignored, as PEP 3333 allows.
    #[pyo3(signature = (hint=None))]
    fn readlines<'py>(
        &mut self,
        py: Python<'py>,
        hint: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let _ = hint;
        let lines = PyList::empty(py);
        loop {
            let line = self.line(py, None)?;
            if line.as_bytes().is_empty() {
                return Ok(lines);
            }
            lines.append(line)?;
        }
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.line(py, None)?;
        Ok(if line.as_bytes().is_empty() { None } else { Some(line) })
    }
}

impl Rest {
    /// Appends decoded bytes to `into`, waiting for the client; false at the end of the body.
    fn receive(&mut self, into: &mut Vec<u8>) -> Result<bool, Shortage> {
        let mut give_up_ns = self.give_up_ns();
        loop {
            while !self.unseen.is_empty() && !self.decoder.is_done() {
                let (used, event) = self.decoder.next(&self.unseen).map_err(Shortage::Bad)?;
                if let BodyEvent::Data { start, end } = event {
                    into.extend_from_slice(self.unseen.get(start..end).unwrap_or_default());
                }
                self.unseen.drain(..used);
                if self.decoder.is_done() {
                    // What follows is the next request.
                    self.upload.over.store(true, Ordering::Relaxed);
                    return Ok(!into.is_empty());
                }
                if matches!(event, BodyEvent::NeedMore) {
                    break;
                }
            }
            if !into.is_empty() {
                return Ok(true);
            }
            if self.decoder.is_done() {
                return Ok(false);
            }
            let filled = self.unseen.len();
            self.unseen.resize(filled + STEP, 0);
            let space = self.unseen.get_mut(filled..).unwrap_or_default();
            let got = match &self.tls {
                None => socket::receive(self.socket.as_fd(), space),
                Some(session) => tls::receive(session, self.socket.as_fd(), space),
            };
            let n = if let Ok(Transfer::Bytes(n)) = got { n } else { 0 };
            self.unseen.truncate(filled + n);
            if let Some(slot) = self.slot {
                slot.add_bytes(n as u64, 0);
                slot.count_event(Event::ReadError, u64::from(got.is_err()));
            }
            if got.is_err() {
                self.upload.broken.store(true, Ordering::Relaxed);
            }
            match got.map_err(Shortage::Broken)? {
                Transfer::Bytes(0) => return Err(Shortage::Ended),
                Transfer::Bytes(_) => give_up_ns = self.give_up_ns(),
                Transfer::Blocked if monotonic_ns() >= give_up_ns => return Err(Shortage::Ended),
                // Its request has been answered without it.
                Transfer::Blocked if self.is_overruled() => return Err(Shortage::Ended),
                Transfer::Blocked => self.wait(give_up_ns)?,
            }
        }
    }

    fn is_overruled(&self) -> bool {
        self.timed.as_ref().is_some_and(|timed| timed.is_overruled())
    }

    fn give_up_ns(&self) -> u64 {
        self.patience.map_or(u64::MAX, |patience| monotonic_ns() + patience.as_nanos() as u64)
    }

    /// Waits for bytes, a second at most: a slow client is no reason for the arbiter to think
    /// that the worker hangs.
    fn wait(&self, give_up_ns: u64) -> Result<(), Shortage> {
        let now_ns = monotonic_ns();
        if let Some(slot) = self.pulse {
            slot.beat(now_ns);
        }
        // Rounded up, or the last millisecond is spun away.
        let left_ms = give_up_ns.saturating_sub(now_ns).div_ceil(1_000_000).min(1000);
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(left_ms as u16)) {
            Ok(_) => Ok(()),
            Err(Errno::EINTR) => Err(Shortage::Signal),
            Err(errno) => Err(Shortage::Broken(errno.into())),
        }
    }
}

fn limit(size: Option<&Bound<'_, PyAny>>) -> PyResult<Option<usize>> {
    let Some(size) = size.filter(|size| !size.is_none()) else { return Ok(None) };
    let size: i64 = size.extract()?;
    Ok(usize::try_from(size).ok())
}
