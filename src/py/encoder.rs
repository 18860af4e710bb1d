//! Responses for worker classes with a loop of their own: the same floor 0 as the engine's.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::errors;
use super::ffi::latin1;
use super::memo::Memo;
use super::start_response::{Announced, octets};
use crate::http::{Encoder, Facts, IdHeader, add_field, early_hints as append_hints};
use crate::sys::clock::Clock;

/// One response: what the application announced, and its framing.
#[pyclass(module = "rgunicorn._core")]
pub(crate) struct ResponseEncoder {
    version: (u8, u8),
    is_head: bool,
    chunks: bool,
    announced: Announced,
    encoder: Encoder,
    /// A field was added to the head.
    #[pyo3(get)]
    named: bool,
}

#[pymethods]
impl ResponseEncoder {
    /// `method` of the request; `version` of the response; `chunks`: whoever reads it can take a
    /// body in chunks, if the version has them.
    #[new]
    #[pyo3(signature = (method, version, chunks=true))]
    fn new(method: &str, version: (u8, u8), chunks: bool) -> Self {
        Self {
            version,
            is_head: method == "HEAD",
            chunks,
            announced: Announced::default(),
            encoder: Encoder::default(),
            named: false,
        }
    }

    /// Checks and keeps what `start_response` was given; returns the status code.
    fn announce(&mut self, status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<u16> {
        self.announced.say(status, headers, &mut Memo::default())?;
        Ok(self.announced.code)
    }

    /// The head. `keep_alive`: request and worker allow another request; `named`: name and value of a
    /// field to add unless the application has set it.
    #[pyo3(signature = (keep_alive, server, named=None))]
    fn head<'py>(
        &mut self,
        py: Python<'py>,
        keep_alive: bool,
        server: &Bound<'py, PyAny>,
        named: Option<(String, String)>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let Self { version, is_head, chunks, .. } = *self;
        let facts = Facts { version, is_head, keep_alive, chunks };
        let (mut out, server, clock) = (Vec::with_capacity(512), octets(server)?, Clock::new());
        let Announced { status, fields, .. } = &self.announced;
        self.encoder.head(&mut out, &facts, status, fields, &server, clock.http_date());
        if let Some((name, value)) = named {
            let header = IdHeader::new(&name);
            self.named = !fields.iter().any(|(name, _)| header.is(name));
            if self.named {
                add_field(&mut out, 0, header.name(), value.as_bytes());
            }
        }
        Ok(PyBytes::new(py, &out))
    }

    /// A piece of the body as it goes on the wire: what the framing lets through.
    fn piece<'py>(&mut self, py: Python<'py>, data: &Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
        let data = data.as_bytes();
        let mut out = Vec::with_capacity(data.len() + 24);
        let taken = self.encoder.begin_chunk(&mut out, data.len());
        out.extend_from_slice(data.get(..taken).unwrap_or_default());
        self.encoder.end_chunk(&mut out);
        PyBytes::new(py, &out)
    }

    /// Announces `size` bytes of a file: what goes before them, and how many may be sent.
    fn begin<'py>(&mut self, py: Python<'py>, size: usize) -> (Bound<'py, PyBytes>, usize) {
        let mut out = Vec::new();
        let taken = self.encoder.begin_chunk(&mut out, size);
        (PyBytes::new(py, &out), taken)
    }

    /// What goes behind the bytes that `begin` announced.
    fn after<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut out = Vec::new();
        self.encoder.end_chunk(&mut out);
        PyBytes::new(py, &out)
    }

    /// Ends the body: last bytes; whether the connection can take another request; bytes missing of
    /// Content-Length; whether a body was dropped where none may be.
    fn finish<'py>(&mut self, py: Python<'py>) -> (Bound<'py, PyBytes>, bool, u64, bool) {
        let mut out = Vec::new();
        let finish = self.encoder.finish(&mut out);
        (PyBytes::new(py, &out), finish.keep_alive, finish.short_by, finish.dropped_body)
    }

    /// The application's header fields that are sent.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let headers = PyList::empty(py);
        for (name, value) in self.announced.fields.iter() {
            headers.append((latin1(py, name)?, latin1(py, value)?))?;
        }
        Ok(headers)
    }

    /// Content-Length.
    #[getter]
    fn length(&self) -> Option<u64> {
        self.announced.fields.content_length()
    }

    /// The application answers an upgrade.
    #[getter]
    fn upgrade(&self) -> bool {
        self.announced.fields.asks_upgrade()
    }

    /// The body goes out in chunks; known from `head` on.
    #[getter]
    fn chunked(&self) -> bool {
        self.encoder.is_chunked()
    }

    /// Bytes of body let through so far.
    #[getter]
    fn sent(&self) -> u64 {
        self.encoder.body_bytes()
    }
}

/// A `103 Early Hints` response with these pairs of str; nothing for HTTP/1.0.
#[pyfunction]
pub(crate) fn early_hints<'py>(
    py: Python<'py>,
    version: (u8, u8),
    headers: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for item in headers.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
        fields.push((octets(&name)?, octets(&value)?));
    }
    let mut out = Vec::new();
    append_hints(&mut out, version, fields.iter().map(|(name, value)| (&name[..], &value[..])))
        .map_err(|error| errors::response_error(py, &error))?;
    Ok(PyBytes::new(py, &out))
}
