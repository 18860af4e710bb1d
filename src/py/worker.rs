//! `_core.serve_sync(worker)`: an engine and an application for one worker process.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::access::Access;
use super::app::PyApp;
use super::environ::{Environ, ServerName};
use super::ffi::Port;
use super::hooks::Hooks;
use super::input::Input;
use super::options;
use super::scoreboard::Slot;
use crate::engine::{Engine, Stage, sync};
use crate::sys::file;
use crate::sys::listener::Listener;
use crate::sys::scoreboard;

/// Serves with one thread until the worker is told to stop. Called in the worker process, by
/// `SyncWorker.run`.
///
/// # Errors
/// OSError when there are no descriptors left for the event queue; whatever a signal handler
/// raises outside of requests (SystemExit on QUIT); whatever a setting of the wrong type raises.
#[pyfunction]
pub(super) fn serve_sync(py: Python<'_>, worker: &Bound<'_, PyAny>) -> PyResult<()> {
    let cfg = worker.getattr("cfg")?;
    let package = py.import("rgunicorn.http.wsgi")?;
    let server: String = package.getattr("SERVER")?.extract()?;
    let timeout: f64 = worker.getattr("timeout")?.extract()?;
    let options = options::read(&cfg, &server, timeout)?;
    let (listeners, servers) = listeners(worker)?;
    let port = Arc::new(Port::new());
    let base = package.getattr("base_environ")?.call1((&cfg,))?.cast_into::<PyDict>()?;
    base.set_item("wsgi.input", Bound::new(py, Input::empty())?)?;
    let script_name = options.policy.script_name_env.clone();
    let log = worker.getattr("log")?;
    let format: String = cfg.getattr("access_log_format")?.extract()?;
    let mut app = PyApp {
        callable: worker.getattr("wsgi")?.unbind(),
        worker: worker.clone().unbind(),
        environ: Environ::new(py, &base, servers, &script_name, port.clone())?,
        hooks: hooks(&cfg, &log)?,
        access: Access::new(py, &format),
        port,
        file_wrapper: package.getattr("FileWrapper")?.unbind(),
        sendfile: cfg.getattr("sendfile")?.is_truthy()?,
        spare: None,
        requests: worker.getattr("nr")?.extract()?,
        max_requests: max_requests(worker)?,
        stage: Stage::Serving,
        parent: worker.getattr("ppid")?.extract()?,
        notices: 0,
        parting: None,
        log: log.unbind(),
    };
    app.access.choose(py, app.log.bind(py));
    let mut engine = Engine::new(options, listeners, wake_fd(worker)?, pulse(worker)?)?;
    py.detach(|| sync::serve(&mut engine, &mut app))?;
    app.parting.take().map_or(Ok(()), Err)
}

fn listeners(worker: &Bound<'_, PyAny>) -> PyResult<(Vec<Listener>, Vec<ServerName>)> {
    let (mut listeners, mut servers) = (Vec::new(), Vec::new());
    for socket in worker.getattr("sockets")?.try_iter()? {
        let socket = socket?;
        let raw: i32 = socket.call_method0("fileno")?.extract()?;
        let name = socket.call_method0("getsockname")?;
        let server = match name.extract::<String>() {
            Ok(path) => ServerName::Unix(path),
            // Abstract names are bytes.
            Err(_) => match name.extract::<Vec<u8>>() {
                Ok(path) => ServerName::Unix(String::from_utf8_lossy(&path).into_owned()),
                Err(_) => {
                    ServerName::Inet(name.get_item(0)?.extract()?, name.get_item(1)?.extract()?)
                }
            },
        };
        let is_unix = matches!(server, ServerName::Unix(_));
        let own = file::duplicate(raw)?
            .ok_or_else(|| pyo3::exceptions::PyOSError::new_err((libc::EBADF, "listener")))?;
        listeners.push(Listener::from_owned(own, is_unix)?);
        servers.push(server);
    }
    Ok((listeners, servers))
}

/// The hooks that are not the settings' defaults. The default `pre_request` writes a debug line.
fn hooks(cfg: &Bound<'_, PyAny>, log: &Bound<'_, PyAny>) -> PyResult<Hooks> {
    let own = |name: &str| -> PyResult<Option<Py<PyAny>>> {
        let setting = cfg.getattr("settings")?.get_item(name)?;
        let hook = setting.call_method0("get")?;
        Ok(if hook.is(setting.getattr("default")?) { None } else { Some(hook.unbind()) })
    };
    let mut hooks = Hooks { pre_request: own("pre_request")?, post_request: own("post_request")? };
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

/// `sys.maxsize` stands for no limit in Gunicorn.
fn max_requests(worker: &Bound<'_, PyAny>) -> PyResult<u64> {
    worker.getattr("max_requests")?.extract()
}

/// The reading end of the pipe that Python's signal handler writes to.
fn wake_fd(worker: &Bound<'_, PyAny>) -> PyResult<Option<OwnedFd>> {
    let pipe = worker.getattr("PIPE")?;
    if pipe.len()? == 0 {
        return Ok(None);
    }
    Ok(file::duplicate(pipe.get_item(0)?.extract()?)?)
}

/// The worker's heartbeat; a `worker.tmp` of somebody else's making has no slot, and is left to
/// whoever made it.
fn pulse(worker: &Bound<'_, PyAny>) -> PyResult<Option<scoreboard::Slot>> {
    let tmp = worker.getattr("tmp")?;
    let Some(slot) = tmp.getattr_opt("slot")? else { return Ok(None) };
    Ok(slot.cast::<Slot>().ok().map(|slot| slot.get().handle()))
}
