//! `pre_request`, `post_request`, and the `req` and `resp` objects they and custom loggers see.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::app::PyApp;
use super::ffi::latin1;
use super::start_response::{Announced, octets};
use crate::engine::{Exchange, Served};
use crate::http::uwsgi_vars;
use crate::sys::listener::PeerAddr;

/// The hooks of a request that are not the defaults.
pub(super) struct Hooks {
    pub(super) pre_request: Option<Py<PyAny>>,
    /// Already brought to four arguments by the setting's validator.
    pub(super) post_request: Option<Py<PyAny>>,
}

/// Python's views of one request, made when somebody looks.
#[derive(Default)]
pub(super) struct Views<'py> {
    pub(super) environ: Option<Bound<'py, PyDict>>,
    request: Option<Bound<'py, PyAny>>,
    /// Whether a hook may have changed `request.headers`.
    touched: bool,
}

impl Hooks {
    /// Those that are not the settings' defaults. The default `pre_request` writes a debug line.
    pub(super) fn of(cfg: &Bound<'_, PyAny>, log: &Bound<'_, PyAny>) -> PyResult<Self> {
        let own = |name: &str| -> PyResult<Option<Py<PyAny>>> {
            let setting = cfg.getattr("settings")?.get_item(name)?;
            let hook = setting.call_method0("get")?;
            Ok(if hook.is(setting.getattr("default")?) { None } else { Some(hook.unbind()) })
        };
        let mut hooks =
            Self { pre_request: own("pre_request")?, post_request: own("post_request")? };
        if hooks.pre_request.is_none() {
            let error_log = log.getattr_opt("error_log")?;
            let debugging = match &error_log {
                Some(logger) => logger.call_method1("isEnabledFor", (10,))?.is_truthy()?,
                None => true,
            };
            if debugging {
                let setting = cfg.getattr("settings")?.get_item("pre_request")?;
                hooks.pre_request = Some(setting.call_method0("get")?.unbind());
            }
        }
        Ok(hooks)
    }

    /// Calls `pre_request(worker, req)`.
    pub(super) fn before<'py>(
        &self,
        py: Python<'py>,
        worker: &Py<PyAny>,
        exchange: &mut Exchange<'_, PyApp>,
        views: &mut Views<'py>,
    ) -> PyResult<()> {
        let Some(hook) = &self.pre_request else { return Ok(()) };
        let request = views.request(py, exchange)?;
        views.touched = true;
        hook.bind(py).call1((worker.bind(py), request)).map(drop)
    }

    /// Calls `post_request(worker, req, environ, resp)`; what it raises goes to the log.
    pub(super) fn after<'py>(
        &self,
        py: Python<'py>,
        worker: &Py<PyAny>,
        log: &Py<PyAny>,
        exchange: &mut Exchange<'_, PyApp>,
        views: &mut Views<'py>,
        announced: Option<&Announced>,
    ) {
        let Some(hook) = &self.post_request else { return };
        let called = views.request(py, exchange).and_then(|request| {
            let environ = match &views.environ {
                Some(environ) => environ.clone(),
                None => PyDict::new(py),
            };
            let response = match (&views.environ, announced) {
                (Some(_), Some(announced)) => views.response(py, exchange, announced)?,
                _ => py.None().into_bound(py),
            };
            hook.bind(py).call1((worker.bind(py), request, environ, response))
        });
        if let Err(error) = called {
            report(py, log.bind(py), error, "Exception in post_request hook", &[]);
        }
    }
}

impl<'py> Views<'py> {
    /// The header fields as `pre_request` left them, when one ran.
    pub(super) fn changed_fields(&self) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let request = self.request.as_ref().filter(|_| self.touched)?;
        let headers = request.getattr("headers").ok()?;
        let mut fields = Vec::new();
        for item in headers.try_iter().ok()? {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.ok()?.extract().ok()?;
            fields.push((octets(&name).ok()?, octets(&value).ok()?));
        }
        Some(fields)
    }

    /// `log.access(resp, req, environ, request_time)`.
    pub(super) fn log_access(
        &mut self,
        py: Python<'py>,
        app: &PyApp,
        exchange: &mut Exchange<'_, PyApp>,
        announced: &Announced,
        duration_ns: u64,
    ) -> PyResult<()> {
        let request = self.request(py, exchange)?;
        tell_wait(&request, exchange)?;
        let response = self.response(py, exchange, announced)?;
        let environ = self.environ.clone().unwrap_or_else(|| PyDict::new(py));
        let elapsed = timedelta(py, duration_ns)?;
        app.state
            .log
            .bind(py)
            .call_method1("access", (response, request, environ, elapsed))
            .map(drop)
    }

    /// The same for a request that the engine has answered with a file.
    pub(super) fn log_served(
        &mut self,
        py: Python<'py>,
        app: &mut PyApp,
        exchange: &mut Exchange<'_, PyApp>,
        served: Served,
    ) -> PyResult<()> {
        let (conn, policy) = exchange.conn_and_policy();
        // Its path has been read once: the environ can be made.
        self.environ = app.environ.build(py, conn, policy, None).ok();
        let code = served.code();
        exchange.resume(served.encoder);
        let announced = Announced {
            status: served.status.as_bytes().to_vec(),
            code,
            fields: served.fields,
            state: None,
        };
        self.log_access(py, app, exchange, &announced, served.duration_ns)
    }

    /// The same for an error page. The environ is that of the request, not Gunicorn's bare one,
    /// in which filters find `None` for the path.
    pub(super) fn log_error_access(
        &mut self,
        py: Python<'py>,
        app: &mut PyApp,
        exchange: &mut Exchange<'_, PyApp>,
        status: u16,
        duration_ns: u64,
    ) -> PyResult<()> {
        let request = self.request(py, exchange)?;
        tell_wait(&request, exchange)?;
        let (conn, policy) = exchange.conn_and_policy();
        let environ = match app.environ.build(py, conn, policy, None) {
            Ok(environ) => {
                app.environ.name(py, &environ, exchange)?;
                environ
            }
            // The path is not below SCRIPT_NAME: show it as it came.
            Err(_) => request.call_method0("bare_environ")?.cast_into::<PyDict>()?,
        };
        let response = py
            .import("rgunicorn.http.wsgi")?
            .getattr("Response")?
            .call_method1("of_error", (&request, status))?;
        let elapsed = timedelta(py, duration_ns)?;
        app.state
            .log
            .bind(py)
            .call_method1("access", (response, request, environ, elapsed))
            .map(drop)
    }

    fn request(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, PyApp>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(request) = &self.request {
            return Ok(request.clone());
        }
        let trailers: Vec<_> = exchange.trailers().to_vec();
        let headers = PyList::empty(py);
        for (name, value) in exchange.fields() {
            headers.append((upper(py, name)?, latin1(py, value)?))?;
        }
        let (conn, ..) = exchange.facts();
        let bytes = conn.head_bytes();
        let head = &conn.head;
        let trailing = PyList::empty(py);
        for (name, value) in &trailers {
            trailing.append((upper(py, name)?, latin1(py, value)?))?;
        }
        let peer = match conn.addr {
            PeerAddr::Ip(addr) => (addr.ip().to_string(), addr.port()).into_pyobject(py)?,
            PeerAddr::Unix => PyTuple::new(py, ["", ""])?,
        };
        let proxy = PyDict::new(py);
        if let Some(info) = &conn.proxy {
            if let (Some(source), Some(destination)) = (info.source, info.destination) {
                let protocol = if source.is_ipv6() { "TCP6" } else { "TCP4" };
                proxy.set_item("proxy_protocol", protocol)?;
                proxy.set_item("client_addr", source.ip().to_string())?;
                proxy.set_item("client_port", source.port())?;
                proxy.set_item("proxy_addr", destination.ip().to_string())?;
                proxy.set_item("proxy_port", destination.port())?;
            }
        }
        let facts = PyDict::new(py);
        facts.set_item("method", latin1(py, head.method.of(bytes))?)?;
        facts.set_item("uri", latin1(py, &head.uri(bytes))?)?;
        facts.set_item("path", latin1(py, head.path.of(bytes))?)?;
        facts.set_item("query", latin1(py, head.query.of(bytes))?)?;
        facts.set_item("version", head.version)?;
        facts.set_item("headers", headers)?;
        facts.set_item("trailers", trailing)?;
        facts.set_item("scheme", if head.https { "https" } else { "http" })?;
        facts.set_item("peer_addr", peer)?;
        facts.set_item("proxy_protocol_info", proxy)?;
        facts.set_item("req_number", conn.served + 1)?;
        facts.set_item("keep_alive", head.keep_alive)?;
        if let Some((_, name)) = exchange.named() {
            facts.set_item("request_id", latin1(py, name)?)?;
        }
        let module = if head.uwsgi {
            let vars = PyDict::new(py);
            for (name, value) in uwsgi_vars(bytes) {
                vars.set_item(latin1(py, &name)?, latin1(py, value)?)?;
            }
            facts.set_item("uwsgi_vars", vars)?;
            let path_info = head.path_info.map(|path| latin1(py, path.of(bytes))).transpose()?;
            facts.set_item("path_info", path_info)?;
            ("rgunicorn.uwsgi.message", "UWSGIRequest")
        } else {
            ("rgunicorn.http.message", "Request")
        };
        let class = py.import(module.0)?.getattr(module.1)?;
        let request = class.call_method("of_core", (), Some(&facts))?;
        self.request = Some(request.clone());
        Ok(request)
    }

    fn response(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, PyApp>,
        announced: &Announced,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = self.request(py, exchange)?;
        let headers = PyList::empty(py);
        for (name, value) in announced.fields.iter() {
            headers.append((latin1(py, name)?, latin1(py, value)?))?;
        }
        let encoder = exchange.encoder();
        let facts = PyDict::new(py);
        let status = latin1(py, &announced.status)?;
        facts.set_item("status", if announced.code == 0 { None } else { Some(status) })?;
        facts.set_item("status_code", announced.code)?;
        facts.set_item("headers", headers)?;
        facts.set_item("headers_sent", encoder.head_sent())?;
        facts.set_item("sent", encoder.body_bytes())?;
        facts.set_item("response_length", announced.fields.content_length())?;
        facts.set_item("chunked", encoder.is_chunked())?;
        facts.set_item("upgrade", announced.fields.asks_upgrade())?;
        facts.set_item("must_close", !announced.may_keep_alive(py))?;
        py.import("rgunicorn.http.wsgi")?.getattr("Response")?.call_method(
            "of_core",
            (request,),
            Some(&facts),
        )
    }
}

/// Tells a logger how long the request had waited.
fn tell_wait(request: &Bound<'_, PyAny>, exchange: &Exchange<'_, PyApp>) -> PyResult<()> {
    let waited_us = exchange.waited_ns().map(|ns| ns / 1_000);
    request.setattr(pyo3::intern!(request.py(), "queue_us"), waited_us)
}

/// `log.exception(message, *words)` for `error`.
pub(super) fn report(
    py: Python<'_>,
    log: &Bound<'_, PyAny>,
    error: PyErr,
    message: &str,
    words: &[&str],
) {
    let said = (|| {
        let mut arguments = vec![message];
        arguments.extend_from_slice(words);
        let kwargs = PyDict::new(py);
        // With its traceback, which the bare value lacks before CPython 3.12.
        kwargs.set_item("exc_info", error.clone_ref(py).into_value(py))?;
        log.call_method("exception", PyTuple::new(py, arguments)?, Some(&kwargs))
    })();
    if let Err(failure) = said {
        // The logger itself is broken: say both, to stderr.
        error.write_unraisable(py, None);
        failure.write_unraisable(py, None);
    }
}

fn upper<'py>(py: Python<'py>, name: &[u8]) -> PyResult<Bound<'py, pyo3::types::PyString>> {
    latin1(py, &name.to_ascii_uppercase())
}

fn timedelta(py: Python<'_>, duration_ns: u64) -> PyResult<Bound<'_, PyAny>> {
    let class = py.import("datetime")?.getattr("timedelta")?;
    let seconds = duration_ns / 1_000_000_000;
    class.call1((0, seconds, duration_ns / 1_000 % 1_000_000))
}
