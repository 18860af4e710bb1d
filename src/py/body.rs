//! Request bodies for worker classes with a loop of their own.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::decoder::Rules;
use super::errors;
use super::ffi::latin1;
use crate::http::{BodyDecoder, BodyEvent, Framing, ParseError};

/// The body of one request, by length or in chunks.
#[pyclass(module = "rgunicorn._core", name = "BodyDecoder")]
pub(crate) struct Body {
    decoder: BodyDecoder,
    rest: Vec<u8>,
    /// What broke behind the bytes that were handed out last.
    failure: Option<ParseError>,
}

#[pymethods]
impl Body {
    /// `length`: bytes; None for a body in chunks.
    #[new]
    #[pyo3(signature = (rules, length=None))]
    fn new(rules: &Bound<'_, Rules>, length: Option<u64>) -> Self {
        let framing = length.map_or(Framing::Chunked, Framing::Length);
        let decoder = BodyDecoder::new(framing, &rules.get().policy);
        Self { decoder, rest: Vec::new(), failure: None }
    }

    /// Takes bytes of the connection; returns those that are body. What follows the body is kept
    /// for `rest`.
    fn decode<'py>(
        &mut self,
        py: Python<'py>,
        data: &Bound<'py, PyBytes>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if let Some(error) = &self.failure {
            return Err(errors::parse_error(py, error));
        }
        let input = data.as_bytes();
        let (mut at, mut body) = (0, Vec::new());
        loop {
            let left = input.get(at..).unwrap_or_default();
            match self.decoder.next(left) {
                Ok((used, event)) => {
                    at += used;
                    match event {
                        BodyEvent::Data { start, end } => {
                            body.extend_from_slice(left.get(start..end).unwrap_or_default());
                        }
                        BodyEvent::NeedMore => break,
                        BodyEvent::End => {
                            self.rest.extend_from_slice(input.get(at..).unwrap_or_default());
                            break;
                        }
                    }
                }
                Err(error) if body.is_empty() => {
                    let raised = errors::parse_error(py, &error);
                    self.failure = Some(error);
                    return Err(raised);
                }
                // First what came before it.
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(PyBytes::new(py, &body))
    }

    /// The connection ended: raises what that means for a body that is not over.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        if self.decoder.is_done() {
            return Ok(());
        }
        Err(match self.failure.clone().or_else(|| self.decoder.on_eof()) {
            Some(error) => errors::parse_error(py, &error),
            None => errors::no_more_data(py),
        })
    }

    /// The body is over.
    #[getter]
    fn done(&self) -> bool {
        self.decoder.is_done()
    }

    /// The next `decode` raises, whatever it is given.
    #[getter]
    fn broken(&self) -> bool {
        self.failure.is_some()
    }

    /// What was decoded beyond the body: the next request.
    fn rest<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &std::mem::take(&mut self.rest))
    }

    /// Trailer fields with upper-case names, once the body is over.
    fn trailers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let trailers = PyList::empty(py);
        for (name, value) in self.decoder.trailers() {
            trailers.append((latin1(py, &name.to_ascii_uppercase())?, latin1(py, value)?))?;
        }
        Ok(trailers)
    }
}
