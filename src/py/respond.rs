//! From what the application returned to bytes in the outbox.

use std::os::fd::OwnedFd;

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::app::{Failure, PyApp};
use super::ffi::open;
use super::start_response::{Announced, Write, not_bytes};
use crate::engine::{Exchange, Room};

/// A response whose last byte is in the outbox.
pub(super) struct Outcome<'py> {
    /// What the application returned; its `close` is still to be called.
    pub(super) iterable: Bound<'py, PyAny>,
    /// What it said in `start_response`.
    pub(super) announced: Option<Box<Announced>>,
}

/// Whether `iterable` is a list or a tuple: complete, and nothing to close.
pub(super) fn is_plain(iterable: &Bound<'_, PyAny>) -> bool {
    iterable.is_exact_instance_of::<PyList>() || iterable.is_exact_instance_of::<PyTuple>()
}

/// Whether the application said by StopIteration that it has answered on the socket itself.
pub(super) fn is_stop(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyStopIteration>(py)
}

/// Takes a response that is there already ([`is_plain`]): it leaves in one piece.
pub(super) fn send_plain(
    py: Python<'_>,
    exchange: &mut Exchange<'_, PyApp>,
    iterable: &Bound<'_, PyAny>,
    said: &Announced,
) -> Result<(), Failure> {
    if let Ok(list) = iterable.cast_exact::<PyList>() {
        // By index: the application may still hold the list.
        for item in list.iter() {
            let data = piece(item)?;
            deliver(py, exchange, stated(said)?, data, false)?;
        }
    } else if let Ok(tuple) = iterable.cast_exact::<PyTuple>() {
        for item in tuple.iter() {
            let data = piece(item)?;
            deliver(py, exchange, stated(said)?, data, false)?;
        }
    }
    send_head(py, exchange, said)
}

/// Takes a stream: each chunk is on its way before the next one is asked for.
pub(super) fn send<'py>(
    py: Python<'py>,
    app: &PyApp,
    exchange: &mut Exchange<'_, PyApp>,
    iterable: &Bound<'py, PyAny>,
    response: &Bound<'py, Write>,
) -> Result<(), Failure> {
    if !send_file(py, app, exchange, iterable, response)? {
        let mut iterator = iterable.try_iter()?;
        // Callbacks (`write`, early hints) are open while the application runs.
        while let Some(item) = open(exchange, || iterator.next()) {
            let data = piece(item?)?;
            let this = response.try_borrow().map_err(PyErr::from)?;
            deliver(py, exchange, announced_of(&this)?, data, true)?;
        }
    }
    if exchange.encoder().head_sent() {
        return Ok(());
    }
    let this = response.try_borrow().map_err(PyErr::from)?;
    send_head(py, exchange, announced_of(&this)?)
}

/// The head alone, if there was no piece at all.
fn send_head(
    py: Python<'_>,
    exchange: &mut Exchange<'_, PyApp>,
    said: &Announced,
) -> Result<(), Failure> {
    if exchange.encoder().head_sent() {
        return Ok(());
    }
    let said = stated(said)?;
    let keep_alive = said.may_keep_alive(py);
    exchange.start(&said.status, &said.fields, keep_alive).map_err(Failure::Gone)
}

fn piece(item: Bound<'_, PyAny>) -> Result<Bound<'_, PyBytes>, Failure> {
    item.cast_into::<PyBytes>().map_err(|error| Failure::Raised(not_bytes(&error.into_inner())))
}

fn announced_of(response: &Write) -> Result<&Announced, Failure> {
    response.announced().map_or_else(|| Err(unannounced()), stated)
}

/// What was announced, if that was anything.
fn stated(said: &Announced) -> Result<&Announced, Failure> {
    if said.code == 0 { Err(unannounced()) } else { Ok(said) }
}

#[cold]
fn unannounced() -> Failure {
    let words = "the application returned a body without calling start_response";
    Failure::Raised(pyo3::exceptions::PyRuntimeError::new_err(words))
}

/// Sends the file of a `wsgi.file_wrapper` by sendfile(2). False: there is none to send so.
fn send_file<'py>(
    py: Python<'py>,
    app: &PyApp,
    exchange: &mut Exchange<'_, PyApp>,
    iterable: &Bound<'py, PyAny>,
    response: &Bound<'py, Write>,
) -> Result<bool, Failure> {
    if !app.state.sendfile || !iterable.is_instance(app.state.file_wrapper.bind(py))? {
        return Ok(false);
    }
    let this = response.try_borrow().map_err(PyErr::from)?;
    let announced = announced_of(&this)?;
    let Some((file, offset, available)) = open_range(py, iterable)? else { return Ok(false) };
    let len = announced.fields.content_length().unwrap_or(available);
    if len > available {
        // Shorter than promised: read it like any other iterable, and see how that ends.
        return Ok(false);
    }
    if !exchange.encoder().head_sent() {
        let keep_alive = announced.may_keep_alive(py);
        exchange.start(&announced.status, &announced.fields, keep_alive).map_err(Failure::Gone)?;
    }
    exchange.push_file(file, offset, len);
    Ok(true)
}

/// A duplicate of the wrapped file's descriptor, where it stands, and how much follows.
fn open_range(py: Python<'_>, wrapper: &Bound<'_, PyAny>) -> PyResult<Option<(OwnedFd, i64, u64)>> {
    let filelike = wrapper.getattr("filelike")?;
    let Some(fileno) = filelike.getattr_opt(pyo3::intern!(py, "fileno"))? else {
        return Ok(None);
    };
    // io.UnsupportedOperation (BytesIO) is an OSError and a ValueError.
    let Ok(raw) = fileno.call0().and_then(|number| number.extract::<i32>()) else {
        return Ok(None);
    };
    let Some(file) = crate::sys::file::duplicate(raw)? else { return Ok(None) };
    // The descriptor's own offset, as Gunicorn takes it: buffered reads of the application have
    // moved it.
    let Some((offset, available)) = crate::sys::file::rest(&file) else { return Ok(None) };
    Ok(Some((file, offset, available)))
}

/// Appends `data` to the response, the head first if need be; sends it when `now`.
pub(super) fn deliver(
    py: Python<'_>,
    exchange: &mut Exchange<'_, PyApp>,
    announced: &Announced,
    data: Bound<'_, PyBytes>,
    now: bool,
) -> Result<(), Failure> {
    if !exchange.encoder().head_sent() {
        let keep_alive = exchange.may_keep_alive() && announced.may_keep_alive(py);
        exchange.start(&announced.status, &announced.fields, keep_alive).map_err(Failure::Gone)?;
    }
    exchange.push(data.as_bytes(), || PyBackedBytes::from(data.clone()));
    if now {
        exchange.flush().map_err(Failure::Gone)?;
    }
    while !exchange.has_room() {
        if py.detach(|| exchange.wait_room()).map_err(Failure::Gone)? == Room::NotYet {
            py.check_signals()?;
        }
    }
    Ok(())
}
