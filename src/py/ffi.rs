//! The few raw calls of the Python floor, each behind a safe signature. The only file of this
//! floor with `unsafe`.

use std::cell::Cell;
use std::ffi::c_char;
use std::ptr;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::app::PyApp;
use crate::engine::Exchange;
use crate::sys::poller::Token;

/// A `str` of `bytes` read as Latin-1, which is how PEP 3333 has environ values.
///
/// # Errors
/// MemoryError.
pub(super) fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let len = pyo3::ffi::Py_ssize_t::try_from(bytes.len())?;
    // SAFETY: the pointer is valid for `len` bytes during the call, which copies them; a non-null
    // result is a new reference to a str.
    unsafe {
        let data = bytes.as_ptr().cast::<c_char>();
        let object = pyo3::ffi::PyUnicode_DecodeLatin1(data, len, ptr::null());
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}

/// A `bytes` of `data`. PyO3's own constructor panics where there is no memory for it, and how long it is
/// may be the client's choice.
///
/// # Errors
/// MemoryError.
pub(super) fn bytes<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let len = pyo3::ffi::Py_ssize_t::try_from(data.len())?;
    // SAFETY: the pointer is valid for `len` bytes during the call, which copies them; a non-null
    // result is a new reference to a bytes.
    unsafe {
        let object = pyo3::ffi::PyBytes_FromStringAndSize(data.as_ptr().cast::<c_char>(), len);
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}

/// `callable(first, second)`, without a tuple where the callable needs none.
///
/// # Errors
/// What it raises.
pub(super) fn call_with_two<'py>(
    callable: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    second: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let end = ptr::null_mut::<pyo3::ffi::PyObject>();
    // SAFETY: all three are alive during the call, and null ends the list; a non-null result is a new
    // reference.
    unsafe {
        let (first, second) = (first.as_ptr(), second.as_ptr());
        let result = pyo3::ffi::PyObject_CallFunctionObjArgs(callable.as_ptr(), first, second, end);
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}

/// Whether the caller has the only reference to `object`. Nobody can get another one then.
pub(super) fn is_unshared<T>(object: &Bound<'_, T>) -> bool {
    has_references(object, 1)
}

/// Whether there are so many references to `object`, and no more. Where the caller knows who has each
/// of them, nobody else has one.
pub(super) fn has_references<T>(object: &Bound<'_, T>, count: pyo3::ffi::Py_ssize_t) -> bool {
    // SAFETY: the object is alive, and the GIL (or its counter being atomic) makes this a plain read.
    unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) == count }
}

thread_local! {
    /// The exchange whose application code is running on this thread.
    static RUNNING: Cell<*mut Exchange<'static, PyApp>> = const { Cell::new(ptr::null_mut()) };
}

/// Runs `code` of the application while its callbacks (`write`, `wsgi.early_hints`) may use
/// `exchange`.
pub(super) fn open<R>(exchange: &mut Exchange<'_, PyApp>, code: impl FnOnce() -> R) -> R {
    let _restored = Restore(RUNNING.replace(ptr::from_mut(exchange).cast()));
    code()
}

/// Gives the exchange of the connection `token` to `job`; `None` when that is not what runs on
/// this thread, or inside another `reach`.
pub(super) fn reach<R>(token: Token, job: impl FnOnce(&mut Exchange<'_, PyApp>) -> R) -> Option<R> {
    let pointer = RUNNING.replace(ptr::null_mut());
    let _restored = Restore(pointer);
    if pointer.is_null() {
        return None;
    }
    // SAFETY: `open` is on this thread's stack and holds the only `&mut` to the exchange, unused
    // while `code` runs; the pointer was taken out, so there is no second borrow.
    let exchange = unsafe { &mut *pointer };
    // A callable may outlive its request, or be called inside somebody else's.
    (exchange.conn().token() == token).then(|| job(exchange))
}

/// Puts a pointer back, also when the application's code panics.
struct Restore(*mut Exchange<'static, PyApp>);

impl Drop for Restore {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}
