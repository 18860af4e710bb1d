//! What the application sees of a request: the environ of PEP 3333 with Gunicorn's additions.

use std::net::SocketAddr;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::ffi::latin1;
use super::keys::Keys;
use super::session::Handle;
use super::tls;
use crate::engine::{Conn, Exchange};
use crate::http::{Head, ParseError, Policy, ProxyInfo, ProxyProtocol, split_script_name, unquote};
use crate::sys::listener::PeerAddr;

/// What `getsockname` says of a listener.
#[derive(Clone)]
pub(super) enum ServerName {
    /// Host and port.
    Inet(String, u16),
    /// Path of the unix socket.
    Unix(String),
}

impl ServerName {
    /// What a listener is called among the workers.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Inet(host, port) => format!("{host}:{port}"),
            Self::Unix(path) => path.clone(),
        }
    }
}

/// Builds environs: a template per listener, a copy of it per connection, a copy of that per
/// request.
pub(super) struct Environ {
    pub(super) keys: Keys,
    templates: Vec<(Py<PyDict>, ServerName)>,
    path: Vec<u8>,
}

impl Environ {
    /// `base` holds what is the same for all requests of the worker.
    pub(super) fn new(
        py: Python<'_>,
        base: &Bound<'_, PyDict>,
        servers: Vec<ServerName>,
        script_name: &[u8],
    ) -> PyResult<Self> {
        let keys = Keys::new(py);
        let mut templates = Vec::with_capacity(servers.len());
        for server in servers {
            let template = base.copy()?;
            // All that is set below: with the room made now, a copy never has to grow.
            for key in [&keys.request_method, &keys.raw_uri, &keys.path_info, &keys.query_string] {
                template.set_item(key.bind(py), keys.empty.bind(py))?;
            }
            template.set_item(keys.server_protocol.bind(py), "HTTP/1.1")?;
            template.set_item(keys.url_scheme.bind(py), "http")?;
            template.set_item(keys.script_name.bind(py), latin1(py, script_name)?)?;
            if let ServerName::Inet(host, port) = &server {
                template.set_item(keys.server_name.bind(py), host)?;
                template.set_item(keys.server_port.bind(py), port.to_string())?;
            }
            templates.push((template.unbind(), server));
        }
        Ok(Self { keys, templates, path: Vec::new() })
    }

    /// The environ of the current request of `conn`, but for `wsgi.input`.
    ///
    /// `fields` replaces the request's own header fields when a `pre_request` hook changed them.
    ///
    /// # Errors
    /// [`Unfit::Request`] when the path is not below SCRIPT_NAME.
    pub(super) fn build<'py>(
        &mut self,
        py: Python<'py>,
        conn: &mut Conn<super::app::PyApp>,
        policy: &Policy,
        fields: Option<&[(Vec<u8>, Vec<u8>)]>,
    ) -> Result<Bound<'py, PyDict>, Unfit> {
        let Some((template, server)) = self.templates.get(conn.listener) else {
            return Err(Unfit::Python(pyo3::exceptions::PyIndexError::new_err("listener")));
        };
        let keys = &mut self.keys;
        let environ = match &conn.session.environ {
            Some(known) => known.bind(py).copy()?,
            None => {
                let fresh = template.bind(py).copy()?;
                add_connection(py, keys, &fresh, conn)?;
                // Connections that serve one request only never need the second copy. What there is
                // to say of a client's certificate is not said twice.
                if conn.served > 0 || conn.tls().is_some() {
                    conn.session.environ = Some(fresh.copy()?.unbind());
                }
                fresh
            }
        };
        let head = &conn.head;
        let bytes = conn.head_bytes();
        environ.set_item(keys.request_method.bind(py), keys.method(py, head.method.of(bytes))?)?;

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
                self.path.clear();
                unquote(path, &mut self.path);
                environ.set_item(keys.path_info.bind(py), latin1(py, &self.path)?)?;
            }
        }
        if head.has_script_name {
            environ.set_item(keys.script_name.bind(py), latin1(py, script_name)?)?;
        }
        if !head.query.is_empty() {
            let query = latin1(py, head.query.of(bytes))?;
            environ.set_item(keys.query_string.bind(py), query)?;
        }
        if head.version != (1, 1) {
            let text = format!("HTTP/{}.{}", head.version.0, head.version.1);
            environ.set_item(keys.server_protocol.bind(py), text)?;
        }
        if head.https {
            environ.set_item(keys.url_scheme.bind(py), keys.https.bind(py))?;
        }
        match fields {
            None => {
                for field in &head.fields {
                    let (name, value) = (field.name.of(bytes), field.value.of(bytes));
                    add_field(py, keys, &environ, name, value)?;
                }
            }
            Some(fields) => {
                for (name, value) in fields {
                    add_field(py, keys, &environ, name, value)?;
                }
            }
        }
        if let ServerName::Unix(path) = server {
            let host = head.field(bytes, "host");
            add_unix_server(py, keys, &environ, path, host, head.https)?;
        }
        if !head.params.is_empty() {
            add_params(py, keys, &environ, head, bytes)?;
        }
        Ok(environ)
    }
}

impl Environ {
    /// Puts the name of a request into its environ, in place of what its client may have called it.
    pub(super) fn name(
        &mut self,
        py: Python<'_>,
        environ: &Bound<'_, PyDict>,
        exchange: &Exchange<'_, super::app::PyApp>,
    ) -> PyResult<()> {
        let Some(header) = exchange.id_header() else { return Ok(()) };
        let key = self.keys.header(py, header.name())?;
        match exchange.named() {
            Some((_, name)) => {
                let name = latin1(py, name)?;
                environ.set_item(key, &name)?;
                environ.set_item(pyo3::intern!(py, "rgunicorn.request_id"), name)
            }
            None if environ.contains(&key)? => environ.del_item(key),
            None => Ok(()),
        }
    }
}

/// Why there is no environ.
pub(super) enum Unfit {
    /// The request cannot be served here.
    Request(ParseError),
    /// Python failed.
    Python(PyErr),
}

impl From<PyErr> for Unfit {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

/// Repeated fields are joined with `,` and no blank, as Gunicorn does, `Cookie` included.
fn add_field<'py>(
    py: Python<'py>,
    keys: &mut Keys,
    environ: &Bound<'py, PyDict>,
    name: &[u8],
    value: &[u8],
) -> PyResult<()> {
    let key = keys.header(py, name)?;
    let text = latin1(py, value)?;
    if let Some(before) = set_default(environ, &key, &text)? {
        let joined = before.add(",")?.add(&text)?;
        environ.set_item(&key, joined)?;
    }
    Ok(())
}

/// What the proxy says goes before what the connection shows: the peer is only the proxy.
fn add_params<'py>(
    py: Python<'py>,
    keys: &mut Keys,
    environ: &Bound<'py, PyDict>,
    head: &Head,
    bytes: &[u8],
) -> PyResult<()> {
    let has = |name: &[u8]| head.param(bytes, name).is_some();
    if has(b"REMOTE_ADDR") && !has(b"REMOTE_PORT") {
        // Another host's port.
        environ.as_any().call_method1("pop", (keys.remote_port.bind(py), py.None()))?;
    }
    for param in &head.params {
        let name = keys.param(py, param.name.of(bytes))?;
        environ.set_item(name, latin1(py, param.value.of(bytes))?)?;
    }
    Ok(())
}

/// Sets `key` unless it is there; returns the value that was there.
fn set_default<'py>(
    environ: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
    value: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let before = environ.get_item(key)?;
    if before.is_none() {
        environ.set_item(key, value)?;
    }
    Ok(before)
}

fn add_connection(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    conn: &mut Conn<super::app::PyApp>,
) -> PyResult<()> {
    if let Some(info) = &conn.proxy {
        add_proxy(py, keys, environ, info, &conn.addr)?;
    } else {
        add_peer(py, keys, environ, &conn.addr)?;
    }
    if let Some(session) = tls::session_of(py, conn) {
        let facts = py
            .import("rgunicorn.tls")?
            .call_method1("connection_environ", (session.get().object(py),))?;
        environ.update(facts.cast::<PyDict>().map_err(PyErr::from)?.as_mapping())?;
    }
    let handle = Bound::new(py, Handle::new(conn.token()))?;
    environ.set_item(keys.early_hints.bind(py), handle.getattr(pyo3::intern!(py, "hint"))?)?;
    environ.set_item(keys.socket.bind(py), &handle)?;
    conn.session.handle = Some(handle.unbind());
    Ok(())
}

fn add_peer(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    addr: &PeerAddr,
) -> PyResult<()> {
    match addr {
        PeerAddr::Ip(addr) => add_remote(py, keys, environ, addr),
        PeerAddr::Unix => environ.set_item(keys.remote_addr.bind(py), keys.empty.bind(py)),
    }
}

fn add_remote(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    addr: &SocketAddr,
) -> PyResult<()> {
    environ.set_item(keys.remote_addr.bind(py), addr.ip().to_string())?;
    environ.set_item(keys.remote_port.bind(py), addr.port().to_string())
}

fn add_proxy(
    py: Python<'_>,
    keys: &Keys,
    environ: &Bound<'_, PyDict>,
    info: &ProxyInfo,
    addr: &PeerAddr,
) -> PyResult<()> {
    let (Some(source), Some(destination)) = (info.source, info.destination) else {
        // LOCAL, UNKNOWN: the proxy speaks for itself, and the real peer counts.
        return add_peer(py, keys, environ, addr);
    };
    add_remote(py, keys, environ, &source)?;
    let protocol = match info.protocol {
        ProxyProtocol::Tcp6 => "TCP6",
        _ => "TCP4",
    };
    environ.set_item("PROXY_PROTOCOL", protocol)?;
    environ.set_item("PROXY_ADDR", destination.ip().to_string())?;
    environ.set_item("PROXY_PORT", destination.port().to_string())
}

/// A unix listener has no name of its own: the Host header has one, or the path stands in.
fn add_unix_server(
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
