//! What the application sees of a request: the environ of PEP 3333 with Gunicorn's additions.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::ffi::latin1;
use super::keys::Keys;
use super::mould::{Made, Moulds, Original};
use super::remote::{Means, Remote};
use super::variables::{put_method, put_scheme, put_target, put_unix_server, put_version};
use crate::engine::{Conn, Exchange};
use crate::http::{Field, Head, ParseError, Policy};

/// Connections in the first so many places of a worker's table may keep an environ each: some KiB.
const MOST_CASTS: u32 = 64;

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

/// Builds environs: from that of an earlier request that was like it, else from a template per
/// listener.
pub(super) struct Environ {
    pub(super) keys: Keys,
    templates: Vec<(Py<PyDict>, ServerName)>,
    moulds: Moulds,
    remote: Remote,
    /// What the last connection had that ended with its request.
    means: Option<Means>,
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
            for key in [&keys.socket, &keys.early_hints] {
                template.set_item(key.bind(py), py.None())?;
            }
            template.set_item(keys.server_protocol.bind(py), "HTTP/1.1")?;
            template.set_item(keys.url_scheme.bind(py), keys.http.bind(py))?;
            template.set_item(keys.script_name.bind(py), latin1(py, script_name)?)?;
            if let ServerName::Inet(host, port) = &server {
                template.set_item(keys.server_name.bind(py), host)?;
                template.set_item(keys.server_port.bind(py), port.to_string())?;
            }
            templates.push((template.unbind(), server));
        }
        Ok(Self {
            keys,
            templates,
            moulds: Moulds::default(),
            remote: Remote::default(),
            means: None,
            path: Vec::new(),
        })
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
        // Nothing but the head is another one from request to request of a connection.
        if fields.is_none() {
            if let Some(again) = conn.session.cast.again(py, &conn.head) {
                return Ok(again?);
            }
        }
        let means = match conn.session.means.take() {
            Some(means) => means,
            None => Means::of(py, conn, self.means.take())?,
        };
        let environ = self.make(py, conn, policy, fields, &means).and_then(|made| match made {
            Made::Whole(environ) => {
                conn.session.cast.renew(&conn.head);
                Ok(environ)
            }
            Made::Common(environ, shape) => {
                means.put(py, &self.keys, &environ)?;
                let may_keep = conn.token().place < MOST_CASTS;
                conn.session.cast.note(shape, &environ, may_keep)?;
                Ok(environ)
            }
        });
        conn.session.means = Some(means);
        environ
    }

    /// The same but for the means of the connection.
    fn make<'py>(
        &mut self,
        py: Python<'py>,
        conn: &mut Conn<super::app::PyApp>,
        policy: &Policy,
        fields: Option<&[(Vec<u8>, Vec<u8>)]>,
        means: &Means,
    ) -> Result<Made<'py>, Unfit> {
        let Some((template, server)) = self.templates.get(conn.listener) else {
            return Err(Unfit::Python(pyo3::exceptions::PyIndexError::new_err("listener")));
        };
        let keys = &mut self.keys;
        let unix = if let ServerName::Unix(path) = server { Some(path.as_str()) } else { None };
        // What a proxy said of the connection or of the request, and what TLS says of the client,
        // is the connection's own.
        let is_common = fields.is_none()
            && conn.proxy.is_none()
            && !conn.head.uwsgi
            && conn.tls().is_none()
            && conn.head.params.is_empty();
        if is_common {
            let original = Original::of(conn, policy, unix);
            let remote = |environ: &_, known: &_| {
                self.remote.put(py, keys, environ, &original.addr, Some(known), means)
            };
            let (known, scratch) = (&conn.session.cast, &mut self.path);
            if let Some(made) = self.moulds.cast(py, keys, scratch, &original, known, remote)? {
                return Ok(made);
            }
        }
        let environ = match &conn.session.environ {
            Some(known) => known.bind(py).copy()?,
            None => {
                let fresh = template.bind(py).copy()?;
                self.remote.put_all(py, keys, &fresh, conn, means)?;
                // What there is to say of a client's certificate is not said twice.
                if !is_common && (conn.served > 0 || conn.tls().is_some()) {
                    conn.session.environ = Some(fresh.copy()?.unbind());
                }
                fresh
            }
        };
        let head = &conn.head;
        let bytes = conn.head_bytes();
        put_method(py, keys, &environ, head, bytes)?;
        put_target(py, keys, &environ, head, bytes, policy, &mut self.path)?;
        if head.version != (1, 1) {
            put_version(py, keys, &environ, head.version)?;
        }
        if head.https {
            put_scheme(py, keys, &environ, true)?;
        }
        let mut repeats = false;
        match fields {
            None => {
                for field in &head.fields {
                    let (name, value) = (field.name.of(bytes), field.value.of(bytes));
                    repeats |= add_field(py, keys, &environ, name, value)?;
                }
            }
            Some(fields) => {
                for (name, value) in fields {
                    add_field(py, keys, &environ, name, value)?;
                }
            }
        }
        if let Some(path) = unix {
            let host = head.field(bytes, "host");
            put_unix_server(py, keys, &environ, path, host, head.https)?;
        }
        if !head.params.is_empty() {
            add_params(py, keys, &environ, head, bytes)?;
        }
        if is_common && !repeats {
            let original = Original::of(conn, policy, unix);
            self.moulds.learn(&environ, &original, || {
                let name = |field: &Field| field.name.of(original.bytes);
                let fields = original.head.fields.iter();
                fields.map(|field| Ok(keys.header(py, name(field))?.unbind())).collect()
            })?;
        }
        Ok(Made::Common(environ, 0))
    }
}

impl<'a> Original<'a> {
    fn of(conn: &'a Conn<super::app::PyApp>, policy: &'a Policy, unix: Option<&'a str>) -> Self {
        Self {
            listener: conn.listener,
            unix,
            addr: conn.addr,
            head: &conn.head,
            bytes: conn.head_bytes(),
            policy,
        }
    }
}

impl Environ {
    /// Keeps what a connection had that ends.
    pub(super) fn keep(&mut self, means: Option<Means>) {
        self.means = means.or(self.means.take());
    }

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

/// Repeated fields are joined with `,` and no blank, as Gunicorn does, `Cookie` included. Returns
/// whether this was one.
fn add_field<'py>(
    py: Python<'py>,
    keys: &mut Keys,
    environ: &Bound<'py, PyDict>,
    name: &[u8],
    value: &[u8],
) -> PyResult<bool> {
    let key = keys.header(py, name)?;
    let text = latin1(py, value)?;
    let Some(before) = set_default(environ, &key, &text)? else { return Ok(false) };
    let joined = before.add(",")?.add(&text)?;
    environ.set_item(&key, joined)?;
    Ok(true)
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
