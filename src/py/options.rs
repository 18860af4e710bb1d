//! `cfg` to [`Options`], read once per worker. The only Rust file that spells setting names.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::static_files;
use crate::engine::timekeeper::Bounds;
use crate::engine::{Options, Patience};
use crate::http::{AllowList, HeaderMap, IdHeader, Limits, Policy, ProxyMode};

/// Calls that last longer than this, on average, go to a thread of their own. With the GIL a second
/// thread is of use only when the first one waits; without it, as soon as it costs less than the
/// way there.
const INLINE_UP_TO: Duration = Duration::from_millis(1);
const INLINE_UP_TO_WITHOUT_GIL: Duration = Duration::from_micros(50);

/// Memory of a worker for requests and responses that wait for their clients: so many clients may
/// stall at once that each can only be given a part of what the settings allow one.
const WAITING_MEMORY: usize = 32 << 20;

/// Which worker asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One thread.
    Sync,
    /// `threads` of them.
    Threads,
}

/// Reads what a worker's engine needs. Values have passed the settings' validators. `timeout`:
/// seconds without a heartbeat that the worker allows itself.
pub(super) fn read(
    cfg: &Bound<'_, PyAny>,
    server: &str,
    timeout: f64,
    kind: Kind,
) -> PyResult<Options> {
    let seconds = |name: &str| -> PyResult<Duration> {
        Ok(Duration::from_secs(cfg.getattr(name)?.extract::<u64>()?))
    };
    let limit = |name: &str| limit(cfg, name);
    let size = |name: &str| -> PyResult<u64> { cfg.getattr(name)?.extract() };
    let memory = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    let idle_timeout = seconds("keepalive")?;
    let (keeps, app_threads) = match kind {
        Kind::Sync => (cfg.getattr("sync_keepalive")?.is_truthy()?, 1),
        Kind::Threads => (true, cfg.getattr("threads")?.extract::<usize>()?.max(1)),
    };
    let body_limit = size("request_buffer_limit")?;
    let response_limit = size("response_buffer_limit")?;
    // A limit counts memory and file together, and wins over the default of the size.
    let response_memory = size("response_buffer_size")?.min(response_limit);
    let spool_dir: Option<PathBuf> = cfg.getattr("tmp_upload_dir")?.extract()?;
    Ok(Options {
        policy: policy(cfg)?,
        server: server.as_bytes().to_vec(),
        id_header: id_header(cfg)?,
        keep_alive: keeps && !idle_timeout.is_zero(),
        idle_timeout,
        header_timeout: limit("client_header_timeout")?,
        body_timeout: limit("client_body_timeout")?,
        write_timeout: limit("client_write_timeout")?,
        graceful_timeout: seconds("graceful_timeout")?,
        own_queue: cfg.getattr("reuse_port")?.is_truthy()?,
        app_threads,
        watched: kind == Kind::Threads,
        inline_up_to: if has_gil(cfg.py())? { INLINE_UP_TO } else { INLINE_UP_TO_WITHOUT_GIL },
        patience: Patience {
            max_queue: cfg.getattr("max_queue")?.extract()?,
            max_wait: limit("max_queue_time")?,
        },
        static_map: static_files::map(cfg)?,
        sendfile: cfg.getattr("sendfile")?.is_truthy()?,
        max_connections: cfg.getattr("worker_connections")?.extract::<usize>()?.max(1),
        body_memory: memory(size("request_buffer_size")?.min(body_limit)),
        body_limit,
        waiting_memory: WAITING_MEMORY,
        spool_dir,
        response_memory: memory(response_memory),
        response_limit: response_limit - response_memory,
        // The arbiter looks once a second; `timeout` 0 turns it off but not the parent check.
        tick: Duration::from_secs_f64(if timeout > 0.0 { timeout.clamp(0.1, 1.0) } else { 1.0 }),
    })
}

/// The field that carries the name of a request. A configuration of somebody's own may be older than
/// the setting.
pub(super) fn id_header(cfg: &Bound<'_, PyAny>) -> PyResult<Option<IdHeader>> {
    let name = cfg.getattr_opt("request_id_header")?;
    let name: Option<String> = name.map(|name| name.extract()).transpose()?.flatten();
    Ok(name.filter(|name| !name.is_empty()).map(|name| IdHeader::new(&name)))
}

/// What of requests that take long is to be watched.
pub(super) fn bounds(cfg: &Bound<'_, PyAny>) -> PyResult<Bounds> {
    Ok(Bounds { timeout: limit(cfg, "request_timeout")?, slow: limit(cfg, "log_slow")? })
}

/// A duration; none when it is 0.
fn limit(cfg: &Bound<'_, PyAny>, name: &str) -> PyResult<Option<Duration>> {
    let seconds: f64 = cfg.getattr(name)?.extract()?;
    let limit = Duration::try_from_secs_f64(seconds)
        .map_err(|error| PyValueError::new_err(format!("{name}: {error}")))?;
    Ok(Some(limit).filter(|limit| !limit.is_zero()))
}

/// The rules for requests.
pub(super) fn policy(cfg: &Bound<'_, PyAny>) -> PyResult<Policy> {
    let protocol: String = cfg.getattr("protocol")?.extract()?;
    policy_for(cfg, protocol == "uwsgi")
}

/// The rules for requests of the one protocol or the other, whatever `protocol` says.
pub(super) fn policy_for(cfg: &Bound<'_, PyAny>, uwsgi: bool) -> PyResult<Policy> {
    let flag = |name: &str| -> PyResult<bool> { cfg.getattr(name)?.is_truthy() };
    let count = |name: &str| -> PyResult<usize> { cfg.getattr(name)?.extract() };
    let allow = |name: &str| -> PyResult<AllowList> {
        let entries: Vec<String> = cfg.getattr(name)?.extract()?;
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        AllowList::parse(&entries)
            .map_err(|words| PyValueError::new_err(format!("{name}: {words}")))
    };
    let forwarder_headers: Vec<String> = cfg.getattr("forwarder_headers")?.extract()?;
    let header_map: String = cfg.getattr("header_map")?.extract()?;
    let proxy_protocol: String = cfg.getattr("proxy_protocol")?.extract()?;
    Ok(Policy {
        limits: Limits::new(
            count("limit_request_line")?,
            count("limit_request_fields")?,
            count("limit_request_field_size")?,
        ),
        permit_unconventional_method: flag("permit_unconventional_http_method")?,
        permit_unconventional_version: flag("permit_unconventional_http_version")?,
        casefold_method: flag("casefold_http_method")?,
        strip_header_spaces: flag("strip_header_spaces")?,
        permit_obsolete_folding: flag("permit_obsolete_folding")?,
        header_map: match header_map.as_str() {
            "refuse" => HeaderMap::Refuse,
            "dangerous" => HeaderMap::Dangerous,
            _ => HeaderMap::Drop,
        },
        // As written: Gunicorn compares upper-case names exactly, and a list that trusts more
        // than it did there would be a surprise.
        forwarder_headers: forwarder_headers.into_iter().map(String::into_bytes).collect(),
        forwarded_allow: allow("forwarded_allow_ips")?,
        secure_scheme_headers: scheme_headers(&cfg.getattr("secure_scheme_headers")?)?,
        proxy: match proxy_protocol.as_str() {
            "v1" => ProxyMode::V1,
            "v2" => ProxyMode::V2,
            "auto" => ProxyMode::Auto,
            _ => ProxyMode::Off,
        },
        proxy_allow: allow("proxy_allow_ips")?,
        uwsgi: if uwsgi { Some(allow("uwsgi_allow_ips")?) } else { None },
        tls: flag("is_ssl")?,
        script_name_env: script_name(),
    })
}

/// Whether threads take turns. The function is there from CPython 3.13 on.
fn has_gil(py: Python<'_>) -> PyResult<bool> {
    match py.import("sys")?.getattr_opt("_is_gil_enabled")? {
        Some(is_enabled) => is_enabled.call0()?.is_truthy(),
        None => Ok(true),
    }
}

/// `SCRIPT_NAME` of the process environment: a prefix for every request (CGI heritage).
fn script_name() -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    std::env::var_os("SCRIPT_NAME").unwrap_or_default().into_vec()
}

fn scheme_headers(setting: &Bound<'_, PyAny>) -> PyResult<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut headers = Vec::new();
    for (name, value) in setting.cast::<PyDict>()?.iter() {
        let (name, value): (String, String) = (name.extract()?, value.extract()?);
        headers.push((name.into_bytes(), value.into_bytes()));
    }
    Ok(headers)
}
