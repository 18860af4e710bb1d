//! `cfg` to [`Options`], read once per worker. The only Rust file that spells setting names.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::engine::Options;
use crate::http::{AllowList, HeaderMap, Limits, Policy, ProxyMode};

/// How long a client may make no progress.
const STALL: Duration = Duration::from_secs(60);
/// Request body bytes kept in memory, and taken in (on disk) before the application starts.
const BODY_MEMORY: usize = 64 * 1024;
const BODY_LIMIT: u64 = 16 << 20;
/// Response bytes kept in memory, and on disk, for a slow reader.
const RESPONSE_MEMORY: usize = 1 << 20;
const RESPONSE_LIMIT: u64 = 64 << 20;

/// Reads what the engine of a sync worker needs. Values have passed the settings' validators.
pub(super) fn read(cfg: &Bound<'_, PyAny>, server: &str, timeout: f64) -> PyResult<Options> {
    let seconds = |name: &str| -> PyResult<Duration> {
        Ok(Duration::from_secs(cfg.getattr(name)?.extract::<u64>()?))
    };
    let idle_timeout = seconds("keepalive")?;
    let spool_dir: Option<PathBuf> = cfg.getattr("tmp_upload_dir")?.extract()?;
    Ok(Options {
        policy: policy(cfg)?,
        server: server.as_bytes().to_vec(),
        keep_alive: cfg.getattr("sync_keepalive")?.is_truthy()? && !idle_timeout.is_zero(),
        idle_timeout,
        stall_timeout: STALL,
        graceful_timeout: seconds("graceful_timeout")?,
        max_connections: cfg.getattr("worker_connections")?.extract::<usize>()?.max(1),
        body_memory: BODY_MEMORY,
        body_limit: BODY_LIMIT,
        spool_dir,
        response_memory: RESPONSE_MEMORY,
        response_limit: RESPONSE_LIMIT,
        // The arbiter looks once a second; `timeout` 0 turns it off but not the parent check.
        tick: Duration::from_secs_f64(if timeout > 0.0 { timeout.clamp(0.1, 1.0) } else { 1.0 }),
    })
}

fn policy(cfg: &Bound<'_, PyAny>) -> PyResult<Policy> {
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
        tls: false,
        script_name_env: script_name(),
    })
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
