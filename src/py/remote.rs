//! What the environ says of a connection: who is at its other end, and what the application may
//! do with it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::app::PyApp;
use super::ffi::{has_references, is_unshared, latin1};
use super::keys::Keys;
use super::link::session_of;
use super::session::Handle;
use crate::engine::Conn;
use crate::http::{ProxyInfo, ProxyProtocol};
use crate::sys::listener::PeerAddr;

/// The last address that was written as text: clients and proxies come more than once.
#[derive(Default)]
pub(super) struct Remote {
    last: Option<(IpAddr, Py<PyString>)>,
}

impl Remote {
    /// Sets REMOTE_ADDR and REMOTE_PORT of the peer; a unix peer has no port. `known`: whose they are
    /// already.
    pub(super) fn put(
        &mut self,
        py: Python<'_>,
        keys: &Keys,
        environ: &Bound<'_, PyDict>,
        addr: &PeerAddr,
        known: Option<&PeerAddr>,
        means: &Means,
    ) -> PyResult<()> {
        if known.is_none_or(|known| known.ip() != addr.ip()) {
            let ip = match addr.ip() {
                Some(ip) => self.text(py, ip),
                None => keys.empty.bind(py).clone(),
            };
            environ.set_item(keys.remote_addr.bind(py), ip)?;
        }
        match &means.port {
            Some(port) => environ.set_item(keys.remote_port.bind(py), port.bind(py)),
            None => Ok(()),
        }
    }

    fn text<'py>(&mut self, py: Python<'py>, ip: IpAddr) -> Bound<'py, PyString> {
        match &self.last {
            Some((last, text)) if *last == ip => text.bind(py).clone(),
            _ => {
                let text = PyString::new(py, &ip.to_string());
                self.last = Some((ip, text.clone().unbind()));
                text
            }
        }
    }

    /// Sets all that is the same for every request of `conn`, but for its [`Means`].
    pub(super) fn put_all(
        &mut self,
        py: Python<'_>,
        keys: &Keys,
        environ: &Bound<'_, PyDict>,
        conn: &mut Conn<PyApp>,
        means: &Means,
    ) -> PyResult<()> {
        self.put(py, keys, environ, &conn.addr, None, means)?;
        if let Some(info) = &conn.proxy {
            self.put_proxy(py, keys, environ, info)?;
        }
        if let Some(session) = session_of(py, conn) {
            let facts = py
                .import("rgunicorn.tls")?
                .call_method1("connection_environ", (session.get().object(py),))?;
            environ.update(facts.cast::<PyDict>().map_err(PyErr::from)?.as_mapping())?;
        }
        Ok(())
    }

    fn put_proxy(
        &mut self,
        py: Python<'_>,
        keys: &Keys,
        environ: &Bound<'_, PyDict>,
        info: &ProxyInfo,
    ) -> PyResult<()> {
        let (Some(source), Some(destination)) = (info.source, info.destination) else {
            // LOCAL, UNKNOWN: the proxy speaks for itself, and the real peer counts.
            return Ok(());
        };
        environ.set_item(keys.remote_addr.bind(py), self.text(py, source.ip()))?;
        environ.set_item(keys.remote_port.bind(py), decimal(py, source.port())?)?;
        let protocol = match info.protocol {
            ProxyProtocol::Tcp6 => "TCP6",
            _ => "TCP4",
        };
        environ.set_item("PROXY_PROTOCOL", protocol)?;
        environ.set_item("PROXY_ADDR", destination.ip().to_string())?;
        environ.set_item("PROXY_PORT", destination.port().to_string())
    }
}

/// What an application may know and use of a connection, the same at each of its requests.
pub(super) struct Means {
    /// REMOTE_PORT of the peer.
    port: Option<Py<PyString>>,
    /// `gunicorn.socket`.
    pub(super) handle: Py<Handle>,
    /// The application has looked at that.
    pub(super) looked_at: Arc<AtomicBool>,
    /// `wsgi.early_hints`: a method of `handle`.
    hint: Py<PyAny>,
}

impl Means {
    /// For `conn`; of those that another connection had before, as far as nobody has kept them.
    pub(super) fn of(py: Python<'_>, conn: &Conn<PyApp>, before: Option<Self>) -> PyResult<Self> {
        let port = match conn.addr {
            PeerAddr::Ip(addr) => Some(decimal(py, addr.port())?.unbind()),
            PeerAddr::Unix => None,
        };
        if let Some(before) = before.filter(|before| before.is_free(py)) {
            if Handle::renew(before.handle.bind(py), conn.token()) {
                return Ok(Self { port, ..before });
            }
        }
        let looked_at = Arc::<AtomicBool>::default();
        let handle = Bound::new(py, Handle::new(conn.token(), looked_at.clone()))?;
        let hint = handle.getattr(pyo3::intern!(py, "hint"))?.unbind();
        Ok(Self { port, handle: handle.unbind(), looked_at, hint })
    }

    /// Whether the caller alone has them: beside him only `hint` knows `handle`.
    fn is_free(&self, py: Python<'_>) -> bool {
        is_unshared(self.hint.bind(py)) && has_references(self.handle.bind(py), 2)
    }

    /// Sets the client's socket, and what says something on it before the response.
    pub(super) fn put(
        &self,
        py: Python<'_>,
        keys: &Keys,
        environ: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        environ.set_item(keys.early_hints.bind(py), self.hint.bind(py))?;
        environ.set_item(keys.socket.bind(py), self.handle.bind(py))
    }
}

fn decimal(py: Python<'_>, number: u16) -> PyResult<Bound<'_, PyString>> {
    latin1(py, itoa::Buffer::new().format(number).as_bytes())
}
