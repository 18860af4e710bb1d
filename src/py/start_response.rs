//! `start_response` and the `write` callable it returns (PEP 3333).

use std::sync::Arc;

use pyo3::exceptions::{PyAssertionError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use super::app::Failure;
use super::errors;
use super::ffi::{has_references, is_unshared, reach};
use super::memo::{Memo, Status};
use super::respond::deliver;
use super::state::State;
use crate::http::{ResponseFields, parse_status};
use crate::sys::poller::Token;

/// What the application said its response is; its buffers are used again for the next one.
#[derive(Default)]
pub(super) struct Announced {
    /// `200 OK`, as given; empty before `start_response`.
    pub(super) status: Vec<u8>,
    /// The number in it.
    pub(super) code: u16,
    pub(super) fields: ResponseFields,
    /// Whether the worker goes on, for the connection to be kept.
    pub(super) state: Option<Arc<State>>,
}

impl Announced {
    /// Whether the connection may be kept, from the application's side: asked when the head goes
    /// out, for the worker may have been told to stop while the application ran.
    pub(super) fn may_keep_alive(&self, py: Python<'_>) -> bool {
        self.state.as_ref().is_none_or(|state| state.goes_on(py))
    }

    pub(super) fn clear(&mut self) {
        self.status.clear();
        self.code = 0;
        self.fields.clear();
    }

    /// Takes what `start_response` was given, in place of what it was given before. `memo` is of
    /// earlier responses.
    ///
    /// # Errors
    /// A status or a field that can't be sent; something of the wrong type.
    pub(super) fn say(
        &mut self,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        memo: &mut Memo,
    ) -> PyResult<()> {
        let py = status.py();
        let said = match memo.take_status(status) {
            Some(known) => known,
            None => {
                let text = text_octets(status)?;
                let code = parse_status(&text);
                let code = code.map_err(|error| errors::response_error(py, &error))?;
                Status::new(status, code, &text)
            }
        };
        self.fields.clear();
        if let Ok(list) = headers.cast_exact::<PyList>() {
            for item in list.iter() {
                add(&mut self.fields, &item, memo)?;
            }
        } else {
            for item in headers.try_iter()? {
                add(&mut self.fields, &item?, memo)?;
            }
        }
        self.status.clear();
        self.status.extend_from_slice(&said.text);
        self.code = said.code;
        memo.keep_status(py, said);
        Ok(())
    }
}

/// The `start_response` of one request; of the next one too, when nobody has kept it.
pub(super) struct StartResponse {
    /// A method, as in Gunicorn: Python calls those without a tuple of arguments.
    callable: Py<PyAny>,
    response: Py<Response>,
    write: Py<Write>,
}

impl StartResponse {
    /// Of a connection that is at no request yet.
    pub(super) fn new(py: Python<'_>, token: Token) -> PyResult<Self> {
        let write = Py::new(py, Write { token, announced: None, memo: Memo::default() })?;
        let response = Bound::new(py, Response { write: write.clone_ref(py) })?;
        let callable = response.getattr(pyo3::intern!(py, "start_response"))?.unbind();
        Ok(Self { callable, response: response.unbind(), write })
    }

    /// Whether nobody else holds it, what it is a method of, or what it returns.
    pub(super) fn is_unshared(&self, py: Python<'_>) -> bool {
        is_unshared(self.callable.bind(py))
            && has_references(self.response.bind(py), 2)
            && has_references(self.write.bind(py), 2)
    }

    /// What the application is given.
    pub(super) fn callable<'a, 'py>(&'a self, py: Python<'py>) -> &'a Bound<'py, PyAny> {
        self.callable.bind(py)
    }

    /// What it returns, and what is said so far.
    pub(super) fn response<'a, 'py>(&'a self, py: Python<'py>) -> &'a Bound<'py, Write> {
        self.write.bind(py)
    }
}

/// What `start_response` is a method of.
#[pyclass(frozen, module = "rgunicorn._core")]
struct Response {
    write: Py<Write>,
}

#[pymethods]
impl Response {
    #[pyo3(signature = (status, headers, exc_info=None))]
    fn start_response<'py>(
        &self,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Py<Write>> {
        let py = status.py();
        // A header iterable may call back.
        let mut this = self.write.bind(py).try_borrow_mut()?;
        if let Some(exc_info) = exc_info.filter(|info| info.is_truthy().unwrap_or(true)) {
            let head_sent = reach(this.token, |exchange| exchange.encoder().head_sent());
            if head_sent == Some(true) {
                let (_, error, _): (Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>) =
                    exc_info.extract()?;
                return Err(PyErr::from_value(error));
            }
        } else if this.announced.as_ref().ok_or_else(over)?.code != 0 {
            return Err(PyAssertionError::new_err("Response headers already set!"));
        }
        let Write { announced, memo, .. } = &mut *this;
        announced.as_mut().ok_or_else(over)?.say(status, headers, memo)?;
        Ok(self.write.clone_ref(py))
    }

    /// What a call returns.
    #[getter]
    fn write(&self, py: Python<'_>) -> Py<Write> {
        self.write.clone_ref(py)
    }
}

/// What `start_response` returns: sends a piece of the response at once.
#[pyclass(module = "rgunicorn._core")]
pub(super) struct Write {
    token: Token,
    /// `None` once the request is over.
    announced: Option<Box<Announced>>,
    memo: Memo,
}

impl Write {
    pub(super) fn announced(&self) -> Option<&Announced> {
        self.announced.as_deref()
    }

    /// Begins the request that runs on the connection `token`.
    pub(super) fn begin(&mut self, token: Token, announced: Box<Announced>) {
        (self.token, self.announced) = (token, Some(announced));
    }

    /// Ends the request: what the application kept of this object is inert from now on.
    pub(super) fn retire(&mut self) -> Option<Box<Announced>> {
        self.announced.take()
    }
}

#[pymethods]
impl Write {
    /// Sends `data` at once, after the head if that has not been sent.
    fn __call__(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let data = data.cast::<PyBytes>().map_err(|_| not_bytes(data))?;
        let this = slf.try_borrow()?;
        let announced = this.announced().ok_or_else(over)?;
        let sent =
            reach(this.token, |exchange| deliver(py, exchange, announced, data.clone(), true));
        sent.ok_or_else(over)?.map_err(|failure| match failure {
            Failure::Raised(error) => error,
            Failure::Gone(gone) => errors::gone(&gone),
            Failure::Unfit(_) | Failure::Taken(_) => over(),
        })
    }
}

/// The error for a body piece of the wrong type.
pub(super) fn not_bytes(item: &Bound<'_, PyAny>) -> PyErr {
    let shown = item.repr().map_or_else(|_| "item".to_owned(), |repr| repr.to_string());
    PyTypeError::new_err(format!("{shown} is not a byte"))
}

/// Octets of a `str` (Latin-1, PEP 3333) or `bytes`.
pub(super) fn octets(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    match value.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes().to_vec()),
        Err(_) => text_octets(value).map(Vec::from),
    }
}

fn over() -> PyErr {
    PyRuntimeError::new_err("the request this callable belongs to is over")
}

fn add(fields: &mut ResponseFields, item: &Bound<'_, PyAny>, memo: &mut Memo) -> PyResult<()> {
    let (name, value) = match item.cast_exact::<PyTuple>() {
        Ok(pair) if pair.len() == 2 => (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?),
        _ => {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            return add_pair(fields, &name, &value, memo);
        }
    };
    add_pair(fields, &name, &value, memo)
}

fn add_pair(
    fields: &mut ResponseFields,
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    memo: &mut Memo,
) -> PyResult<()> {
    let wrong = |error| errors::response_error(name.py(), &error);
    if let Some(field) = memo.field(name, value) {
        return fields.push_again(field).map_err(wrong);
    }
    let (octets, text) = (text_octets(name)?, text_octets(value)?);
    let count = fields.count();
    fields.push(&octets, &text).map_err(wrong)?;
    // Some are the server's business and not sent.
    if fields.count() > count {
        memo.keep_field(name, value, &text, fields);
    }
    Ok(())
}

/// Octets of a `str`; ASCII, the usual case, is borrowed.
fn text_octets<'a>(text: &'a Bound<'_, PyAny>) -> PyResult<std::borrow::Cow<'a, [u8]>> {
    let Ok(text) = text.cast::<PyString>() else {
        let shown = text.repr()?;
        return Err(PyTypeError::new_err(format!("{shown} is not a string")));
    };
    let utf8 = text.to_str()?;
    if utf8.is_ascii() {
        return Ok(utf8.as_bytes().into());
    }
    let narrow: Result<Vec<u8>, _> = utf8.chars().map(u8::try_from).collect();
    match narrow {
        Ok(octets) => Ok(octets.into()),
        // Let Python say what is wrong, in its words.
        Err(_) => Ok(text.call_method1("encode", ("latin-1",))?.extract::<Vec<u8>>()?.into()),
    }
}
