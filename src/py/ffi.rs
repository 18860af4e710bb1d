//! The few raw calls of the Python floor, each behind a safe signature. The only file of this
//! floor with `unsafe`.

use std::ffi::c_char;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread::{self, ThreadId};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::app::PyApp;
use crate::engine::Exchange;

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

/// Where Python callbacks (`write`, `wsgi.early_hints`) find the exchange that is running.
///
/// It holds a pointer only while the application's code runs, and gives it out only on the
/// thread that put it there and only to one caller at a time.
pub(super) struct Port {
    owner: ThreadId,
    exchange: AtomicPtr<Exchange<'static, PyApp>>,
}

impl Port {
    /// A port of the calling thread.
    pub(super) fn new() -> Self {
        Self { owner: thread::current().id(), exchange: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Runs `code` while callbacks may use `exchange`.
    pub(super) fn open<R>(
        &self,
        exchange: &mut Exchange<'_, PyApp>,
        code: impl FnOnce() -> R,
    ) -> R {
        let before = self.exchange.swap(ptr::from_mut(exchange).cast(), Ordering::Relaxed);
        let result = code();
        self.exchange.store(before, Ordering::Relaxed);
        result
    }

    /// Gives the running exchange to `job`; `None` on another thread, outside of a request, or
    /// inside another `reach`.
    pub(super) fn reach<R>(&self, job: impl FnOnce(&mut Exchange<'_, PyApp>) -> R) -> Option<R> {
        if thread::current().id() != self.owner {
            return None;
        }
        let pointer = self.exchange.swap(ptr::null_mut(), Ordering::Relaxed);
        if pointer.is_null() {
            return None;
        }
        // SAFETY: `open` is on this thread's stack and holds the only `&mut` to the exchange,
        // unused while `code` runs; the pointer was taken out, so there is no second borrow.
        let result = job(unsafe { &mut *pointer });
        self.exchange.store(pointer, Ordering::Relaxed);
        Some(result)
    }
}
