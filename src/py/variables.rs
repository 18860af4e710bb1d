//! The variables of an environ that the head of a request decides, one by one.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::environ::Unfit;
use super::ffi::latin1;
use super::keys::Keys;
use crate::http::{Head, Policy, split_script_name, unquote};

/// Sets REQUEST_METHOD.
pub(super) fn put_method(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    head: &Head,
    bytes: &[u8],
) -> PyResult<()> {
    environ.set_item(keys.request_method.bind(py), keys.method(py, head.method.of(bytes))?)
}

/// Sets RAW_URI, and what it falls into: SCRIPT_NAME, PATH_INFO and QUERY_STRING.
///
/// # Errors
/// [`Unfit::Request`] when the path is not below SCRIPT_NAME.
pub(super) fn put_target(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    head: &Head,
    bytes: &[u8],
    policy: &Policy,
    scratch: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let uri = head.uri(bytes);
    let target_text = latin1(py, &uri)?;
    environ.set_item(keys.raw_uri.bind(py), &target_text)?;
    let script_name = head.script_name(bytes, policy);
    if let Some(path) = head.path_info {
        environ.set_item(keys.path_info.bind(py), latin1(py, path.of(bytes))?)?;
    } else {
        let raw_path = head.path.of(bytes);
        let path = split_script_name(raw_path, script_name).map_err(Unfit::Request)?;
        if path.len() == uri.len() && memchr::memchr(b'%', path).is_none() {
            environ.set_item(keys.path_info.bind(py), &target_text)?;
        } else {
            scratch.clear();
            unquote(path, scratch);
            environ.set_item(keys.path_info.bind(py), latin1(py, scratch)?)?;
        }
    }
    environ.set_item(keys.script_name.bind(py), latin1(py, script_name)?)?;
    let query = head.query.of(bytes);
    environ.set_item(keys.query_string.bind(py), latin1(py, query)?)?;
    Ok(())
}

/// Sets SERVER_PROTOCOL.
pub(super) fn put_version(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    (major, minor): (u8, u8),
) -> PyResult<()> {
    environ.set_item(keys.server_protocol.bind(py), format!("HTTP/{major}.{minor}"))
}

/// Sets `wsgi.url_scheme`.
pub(super) fn put_scheme(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    https: bool,
) -> PyResult<()> {
    let scheme = if https { &keys.https } else { &keys.http };
    environ.set_item(keys.url_scheme.bind(py), scheme.bind(py))
}

/// Sets SERVER_NAME and SERVER_PORT where the listener has no name of its own, being a unix socket:
/// the Host header has one, or the path stands in.
pub(super) fn put_unix_server(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    path: &str,
    host: Option<&[u8]>,
    https: bool,
) -> PyResult<()> {
    let (name, port) = match host {
        Some(host) => {
            let mut parts = host.splitn(3, |byte| *byte == b':');
            let name = parts.next().unwrap_or_default();
            let default: &[u8] = if https { b"443" } else { b"80" };
            (latin1(py, name)?, latin1(py, parts.next().unwrap_or(default))?)
        }
        None => (PyString::new(py, path), keys.empty.bind(py).clone()),
    };
    environ.set_item(keys.server_name.bind(py), name)?;
    environ.set_item(keys.server_port.bind(py), port)
}
