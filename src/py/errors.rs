//! The one place where the floors below become Python exceptions.

use std::collections::TryReserveError;
use std::io;

use pyo3::exceptions::{PyMemoryError, PyOSError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;

use crate::engine::Gone;
use crate::http::{Answer, ParseError, ResponseError};

const MODULE: &str = "rgunicorn.http.errors";
const UWSGI: &str = "rgunicorn.uwsgi.errors";

/// A request that is refused; a broken request body, as `wsgi.input` raises it.
pub(super) fn parse_error(py: Python<'_>, error: &ParseError) -> PyErr {
    let (name, text) = (error.name(), error.to_string());
    let worded = |module: &str| py.import(module)?.getattr("worded");
    let made = match error {
        ParseError::InvalidUwsgiHeader(lack) => {
            worded(UWSGI).and_then(|make| make.call1((name, *lack, text)))
        }
        ParseError::UnsupportedModifier(modifier) => {
            worded(UWSGI).and_then(|make| make.call1((name, *modifier, text)))
        }
        ParseError::ForbiddenUwsgiRequest(host) => {
            worded(UWSGI).and_then(|make| make.call1((name, host.as_str(), text)))
        }
        _ => worded(MODULE).and_then(|make| make.call1((name, text))),
    };
    made.map_or_else(|failure| failure, PyErr::from_value)
}

/// There is no room for what the application asked for at once.
pub(super) fn no_memory(_: TryReserveError) -> PyErr {
    PyMemoryError::new_err(())
}

/// The client ended its side inside the body.
pub(super) fn no_more_data(py: Python<'_>) -> PyErr {
    let made = py.import(MODULE).and_then(|module| module.call_method1("NoMoreData", (b"",)));
    made.map_or_else(|failure| failure, PyErr::from_value)
}

/// Whether `error` is what [`no_more_data`] makes.
pub(super) fn is_no_more_data(py: Python<'_>, error: &PyErr) -> bool {
    // Asked for failed requests only.
    let class = py.import(MODULE).and_then(|module| module.getattr("NoMoreData"));
    class.is_ok_and(|class| error.matches(py, class).unwrap_or(false))
}

/// Status, reason and page text for an exception class `name` that says `text`; None when it is
/// not the client's mistake. For worker classes with a loop of their own.
#[pyfunction]
pub(super) fn refusal(name: &str, text: &str) -> Option<(u16, &'static str, String)> {
    Answer::to(name).map(|answer| (answer.status, answer.reason(), answer.page(text)))
}

/// A response head that must not be sent. A bad status is a `ValueError`, as in Gunicorn.
pub(super) fn response_error(py: Python<'_>, error: &ResponseError) -> PyErr {
    let name = error.name();
    if name == "ValueError" {
        return PyValueError::new_err(error.to_string());
    }
    let made = py
        .import(MODULE)
        .and_then(|module| module.getattr(name))
        .and_then(|class| class.call1((error.to_string(),)));
    made.map_or_else(|failure| failure, PyErr::from_value)
}

/// A client that takes no more of the response, as `write` raises it.
pub(super) fn gone(gone: &Gone) -> PyErr {
    match gone {
        Gone::Broken(error) => broken(error),
        Gone::Stalled => PyTimeoutError::new_err("the client does not read the response"),
    }
}

/// A connection that failed, as `write` and `wsgi.input` raise it: with its `errno`, which the
/// conversion of PyO3 leaves out.
pub(super) fn broken(error: &io::Error) -> PyErr {
    match error.raw_os_error() {
        // Python picks BrokenPipeError, ConnectionResetError … by the number.
        Some(errno) => PyOSError::new_err((errno, error.to_string())),
        None => PyOSError::new_err(error.to_string()),
    }
}
