//! Names that are the same for every request: interned once per worker.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::ffi::latin1;

/// Spellings of header names remembered at most. Clients choose names: past this they are made
/// anew each time.
const HEADER_NAMES: usize = 512;

/// Keys of the environ that the engine sets on every request.
pub(super) struct Keys {
    pub(super) request_method: Py<PyString>,
    pub(super) path_info: Py<PyString>,
    pub(super) query_string: Py<PyString>,
    pub(super) raw_uri: Py<PyString>,
    pub(super) script_name: Py<PyString>,
    pub(super) server_protocol: Py<PyString>,
    pub(super) server_name: Py<PyString>,
    pub(super) server_port: Py<PyString>,
    pub(super) url_scheme: Py<PyString>,
    pub(super) wsgi_input: Py<PyString>,
    pub(super) remote_addr: Py<PyString>,
    pub(super) remote_port: Py<PyString>,
    pub(super) socket: Py<PyString>,
    pub(super) early_hints: Py<PyString>,
    pub(super) empty: Py<PyString>,
    pub(super) http: Py<PyString>,
    pub(super) https: Py<PyString>,
    pub(super) http_host: Py<PyString>,
    headers: Names,
    params: Names,
    methods: Vec<(&'static [u8], Py<PyString>)>,
}

impl Keys {
    pub(super) fn new(py: Python<'_>) -> Self {
        let intern = |text: &str| PyString::intern(py, text).unbind();
        let methods: [&'static str; 8] =
            ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
        Self {
            request_method: intern("REQUEST_METHOD"),
            path_info: intern("PATH_INFO"),
            query_string: intern("QUERY_STRING"),
            raw_uri: intern("RAW_URI"),
            script_name: intern("SCRIPT_NAME"),
            server_protocol: intern("SERVER_PROTOCOL"),
            server_name: intern("SERVER_NAME"),
            server_port: intern("SERVER_PORT"),
            url_scheme: intern("wsgi.url_scheme"),
            wsgi_input: intern("wsgi.input"),
            remote_addr: intern("REMOTE_ADDR"),
            remote_port: intern("REMOTE_PORT"),
            socket: intern("gunicorn.socket"),
            early_hints: intern("wsgi.early_hints"),
            empty: intern(""),
            http: intern("http"),
            https: intern("https"),
            http_host: intern("HTTP_HOST"),
            headers: Names::default(),
            params: Names::default(),
            methods: methods.iter().map(|name| (name.as_bytes(), intern(name))).collect(),
        }
    }

    /// The method as a `str`.
    pub(super) fn method<'py>(
        &self,
        py: Python<'py>,
        method: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        match self.methods.iter().find(|(name, _)| *name == method) {
            Some((_, text)) => Ok(text.bind(py).clone()),
            None => latin1(py, method),
        }
    }

    /// The environ key of a request header: `CONTENT_TYPE`, `CONTENT_LENGTH`, else `HTTP_*`.
    pub(super) fn header<'py>(
        &mut self,
        py: Python<'py>,
        name: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        if let Some(key) = self.headers.get(name) {
            return Ok(key.bind(py).clone());
        }
        let mut text = Vec::with_capacity(name.len() + 5);
        let plain = name.eq_ignore_ascii_case(b"content-type")
            || name.eq_ignore_ascii_case(b"content-length");
        if !plain {
            text.extend_from_slice(b"HTTP_");
        }
        text.extend(name.iter().map(|byte| match byte {
            b'-' => b'_',
            other => other.to_ascii_uppercase(),
        }));
        let key = match std::str::from_utf8(&text) {
            Ok(text) if self.headers.len() < HEADER_NAMES => PyString::intern(py, text),
            _ => return latin1(py, &text),
        };
        self.headers.insert(name.into(), key.clone().unbind());
        Ok(key)
    }

    /// The environ key of a uwsgi parameter: its name.
    pub(super) fn param<'py>(
        &mut self,
        py: Python<'py>,
        name: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        if let Some(key) = self.params.get(name) {
            return Ok(key.bind(py).clone());
        }
        let key = match std::str::from_utf8(name) {
            Ok(text) if name.is_ascii() && self.params.len() < HEADER_NAMES => {
                PyString::intern(py, text)
            }
            _ => return latin1(py, name),
        };
        self.params.insert(name.into(), key.clone().unbind());
        Ok(key)
    }
}

type Names = HashMap<Box<[u8]>, Py<PyString>, BuildHasherDefault<Fnv>>;

/// FNV-1a: header names are short, and the number of remembered ones is bounded, so that nobody
/// gains from collisions.
#[derive(Default)]
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut hash = self.0 ^ 0xcbf2_9ce4_8422_2325;
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.0 = hash;
    }
}
