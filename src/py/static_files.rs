//! `static_map` for Python: read out of `cfg`, and the answers for worker classes with a loop of
//! their own.

use std::collections::HashMap;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::ffi::latin1;
use super::start_response::octets;
use crate::engine::StaticMap;
use crate::engine::static_files::{self, Ask, Body};
use crate::http::conditional::Conditions;
use crate::sys::clock::wall_seconds;

/// The fields of a request that matter, as the environ and as HTTP call them.
const FIELDS: [(&str, &[u8]); 7] = [
    ("HTTP_ACCEPT_ENCODING", b"accept-encoding"),
    ("HTTP_IF_MATCH", b"if-match"),
    ("HTTP_IF_MODIFIED_SINCE", b"if-modified-since"),
    ("HTTP_IF_NONE_MATCH", b"if-none-match"),
    ("HTTP_IF_RANGE", b"if-range"),
    ("HTTP_IF_UNMODIFIED_SINCE", b"if-unmodified-since"),
    ("HTTP_RANGE", b"range"),
];

/// Reads the setting. What files are is Python's to say, which knows the system's table.
pub(super) fn map(cfg: &Bound<'_, PyAny>) -> PyResult<StaticMap> {
    if !cfg.getattr("static_map")?.is_truthy()? {
        return Ok(StaticMap::default());
    }
    let module = cfg.py().import("rgunicorn.static_map")?;
    let places: Vec<(String, PathBuf)> = module.call_method1("places", (cfg,))?.extract()?;
    let types: HashMap<String, String> = module.call_method0("media_types")?.extract()?;
    Ok(StaticMap {
        places: places.into_iter().map(|(prefix, dir)| (prefix.into_bytes(), dir)).collect(),
        types: types.into_iter().map(|(end, kind)| (end.into_bytes(), kind.into_bytes())).collect(),
    })
}

/// The files of `static_map`, for `rgunicorn.workers.static_files`. One thread at a time.
#[pyclass(module = "rgunicorn._core")]
pub(crate) struct StaticFiles {
    files: Option<static_files::StaticFiles>,
}

/// Status, fields, the whole body or an open file with the part of it that is the body (offset and
/// length), and what the error log shall know.
type Answer<'py> = (
    &'static str,
    Bound<'py, PyList>,
    Option<Bound<'py, PyBytes>>,
    Option<(RawFd, i64, u64)>,
    Option<String>,
);

#[pymethods]
impl StaticFiles {
    /// Opens the directories that `cfg` names.
    #[new]
    fn new(cfg: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { files: static_files::StaticFiles::open(&map(cfg)?) })
    }

    /// The answer to the request of `environ`; None leaves it to the application. The descriptor in
    /// it is the caller's to close.
    fn answer<'py>(&mut self, environ: &Bound<'py, PyDict>) -> PyResult<Option<Answer<'py>>> {
        let py = environ.py();
        let value = |name: &str| match environ.get_item(name)? {
            Some(value) => octets(&value).map(Some),
            None => PyResult::Ok(None),
        };
        let method = value("REQUEST_METHOD")?.unwrap_or_default();
        let Some(files) = &mut self.files else { return Ok(None) };
        if !matches!(method.as_slice(), b"GET" | b"HEAD") {
            return Ok(None);
        }
        let path = value("PATH_INFO")?.unwrap_or_default();
        let mut fields = Vec::new();
        for (variable, name) in FIELDS {
            fields.extend(value(variable)?.map(|value| (name, value)));
        }
        let fields = fields.iter().map(|(name, value)| (*name, value.as_slice()));
        let reply = files.answer(&Ask {
            path: &path,
            is_head: method == b"HEAD",
            conditions: Conditions::read(fields),
            now_s: wall_seconds(),
        });
        let Some(reply) = reply else { return Ok(None) };
        let headers = PyList::empty(py);
        for (name, value) in reply.fields.iter() {
            headers.append::<(Bound<'_, PyString>, Bound<'_, PyString>)>((
                latin1(py, name)?,
                latin1(py, value)?,
            ))?;
        }
        let (bytes, part) = match reply.body {
            Body::Bytes(bytes) => (Some(PyBytes::new(py, &bytes)), None),
            Body::File { file, offset, len } => (None, Some((file.into_raw_fd(), offset, len))),
        };
        Ok(Some((reply.status, headers, bytes, part, reply.notice.map(|n| n.to_string()))))
    }
}
