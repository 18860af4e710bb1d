//! The access line of a request: rendered in Rust where nobody can see the difference, by the
//! configured logger otherwise.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::app::PyApp;
use super::fields::{AnswerFields, RequestFields};
use super::hooks::Views;
use super::start_response::Announced;
use super::watched::Watched;
use crate::engine::{Exchange, Served};
use crate::http::unquote;
use crate::log::{Choice, Format, Record};
use crate::sys::clock::wall_time;
use crate::sys::journal::{Journal, News, OwnSlate};
use crate::sys::listener::PeerAddr;

/// Lines are written at the latest when so many bytes are waiting.
const WRITE_AT: usize = 32 * 1024;

enum Road {
    /// Nobody wants access lines.
    Off,
    /// Rendered here, written to this file.
    Native(File),
    /// `log.access(resp, req, environ, request_time)`.
    Python,
}

/// What a worker's access lines are like.
pub(super) struct Custom {
    /// `access_log_format`.
    pub(super) format: String,
    /// Which requests get one.
    pub(super) choice: Arc<Choice>,
    /// Number of the worker's slot.
    pub(super) slot: Option<u32>,
}

/// How access lines are written.
pub(super) struct Access {
    road: Road,
    format: Option<Format>,
    choice: Arc<Choice>,
    worker_slot: Option<u32>,
    watched: Watched,
    /// What must happen before lines are written (sys.stdout.flush).
    flush_first: Option<Py<PyAny>>,
    journal: Journal,
    scratch: Vec<u8>,
    pid: u32,
}

impl Access {
    /// For lines as `custom` has them.
    pub(super) fn new(py: Python<'_>, custom: &Custom, slate: Option<OwnSlate>) -> Self {
        let format = Format::compile(&custom.format);
        let keys = format.as_ref().map(Format::environ_keys).unwrap_or_default();
        Self {
            road: Road::Off,
            watched: Watched::new(py, keys),
            format,
            choice: custom.choice.clone(),
            worker_slot: custom.slot,
            flush_first: None,
            journal: Journal::new(slate),
            scratch: Vec::new(),
            pid: std::process::id(),
        }
    }

    /// Looks at the logger again: at start, and after each signal, for USR1 reopens files and a
    /// handler may have been added.
    pub(super) fn choose(&mut self, py: Python<'_>, log: &Bound<'_, PyAny>) {
        self.flush();
        let road = self.road_for(py, log);
        self.road = road.unwrap_or_else(|error| {
            error.write_unraisable(py, None);
            Road::Python
        });
    }

    /// Remembers what the format shows of `environ`, before the application can change it.
    pub(super) fn observe(&mut self, py: Python<'_>, environ: &Bound<'_, PyDict>) -> PyResult<()> {
        if matches!(self.road, Road::Native(_)) {
            return self.watched.observe(py, environ);
        }
        self.watched.forget();
        Ok(())
    }

    /// Writes the lines that wait, in one call.
    pub(super) fn flush(&mut self) {
        if self.journal.is_empty() {
            return;
        }
        if let Some(flush) = &self.flush_first {
            Python::attach(|py| {
                if let Err(error) = flush.bind(py).call0() {
                    error.write_unraisable(py, None);
                }
            });
        }
        let Road::Native(file) = &mut self.road else {
            return self.journal.clear();
        };
        // As logging.Handler.handleError: to stderr, and on.
        match self.journal.write(file) {
            None => {}
            Some(News::Refused(error)) => {
                eprintln!("rgunicorn: cannot write the access log: {error}");
            }
            Some(News::Restored { lost }) => {
                eprintln!("rgunicorn: the access log is written again; lines lost: {lost}");
            }
        }
    }

    fn road_for(&mut self, py: Python<'_>, log: &Bound<'_, PyAny>) -> PyResult<Road> {
        let native = match log.getattr_opt("native_access_fd")? {
            Some(method) if self.format.is_some() => method.call0()?.extract::<Option<i32>>()?,
            // A logger that is not derived from ours.
            _ => None,
        };
        if let Some(fd) = native {
            if let Some(file) = crate::sys::file::duplicate(fd)? {
                let flush = log.call_method0("native_access_flush")?;
                self.flush_first = if flush.is_none() { None } else { Some(flush.unbind()) };
                return Ok(Road::Native(file.into()));
            }
        }
        let enabled = match log.getattr_opt("access_log_enabled")? {
            Some(enabled) => enabled.is_truthy()?,
            None => true,
        };
        // A subclass may count requests in `access` with the log itself off (statsd does).
        let own_access = py
            .import("rgunicorn.glogging")?
            .getattr("Logger")?
            .getattr("access")?
            .is(&log.get_type().getattr("access")?);
        Ok(if enabled || !own_access { Road::Python } else { Road::Off })
    }

    /// The line of this request is made: if the worker dies from here on, nobody makes another.
    /// One that still waits to be written, and is on no slate, would be lost with us.
    fn settle(&self, exchange: &Exchange<'_, PyApp>) {
        if self.journal.survives() || self.journal.is_empty() {
            exchange.mark_logged();
        }
    }

    /// Makes the line of a request, unless it is to have none.
    fn render(&mut self, exchange: &Exchange<'_, PyApp>, response: Answer<'_>, when: &When<'_>) {
        let Some(format) = &self.format else { return };
        let (conn, policy, _) = exchange.facts();
        let bytes = conn.head_bytes();
        let head = &conn.head;
        let target = head.uri(bytes);
        if !self.choice.wants(response.status, when.duration_ns / 1_000, &target) {
            return;
        }
        let script_name = head.script_name(bytes, policy);
        self.scratch.clear();
        match head.path_info {
            Some(path) => self.scratch.extend_from_slice(path.of(bytes)),
            None => {
                let path = head.path.of(bytes);
                unquote(path.strip_prefix(script_name).unwrap_or(path), &mut self.scratch);
            }
        }
        let path_end = self.scratch.len();
        let remote = match conn.proxy.as_ref().and_then(|info| info.source) {
            Some(source) => Some(source),
            None => match conn.addr {
                PeerAddr::Ip(addr) => Some(addr),
                PeerAddr::Unix => None,
            },
        };
        match head.param(bytes, b"REMOTE_ADDR") {
            Some(addr) => self.scratch.extend_from_slice(addr),
            None => push_ip(remote, &mut self.scratch),
        }
        let (path, remote_addr) = self.scratch.split_at(path_end);
        let record = Record {
            remote_addr,
            time: when.time,
            method: head.method.of(bytes),
            target: &target,
            path,
            query: head.query.of(bytes),
            version: head.version,
            status: response.status,
            body_bytes: response.body_bytes,
            duration_ns: when.duration_ns,
            at: when.at,
            queue_ns: when.queue_ns,
            request_id: conn.request_id(),
            pid: self.pid,
            slot: self.worker_slot,
            request_fields: &RequestFields { head, bytes, name: exchange.named() },
            response_fields: &response.fields,
        };
        let kept = self.journal.add(|lines| format.render(&record, lines));
        if !kept || self.journal.len() >= WRITE_AT {
            self.flush();
        }
    }
}

impl PyApp {
    /// The line of a request that the application answered.
    pub(super) fn log_access<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        views: &mut Views<'py>,
        announced: &Announced,
        started_ns: u64,
    ) {
        self.look_at_log(py);
        if !exchange.claim_line() || matches!(self.access.road, Road::Off) {
            return;
        }
        exchange.clock().tick();
        let duration_ns = exchange.clock().now_ns().saturating_sub(started_ns);
        let body_bytes = exchange.encoder().body_bytes();
        let unchanged = match &views.environ {
            Some(environ) => self.access.watched.unchanged(py, environ).unwrap_or(false),
            None => true,
        };
        if matches!(self.access.road, Road::Native(_)) && unchanged {
            let answer = Answer {
                status: announced.code,
                body_bytes,
                fields: AnswerFields(Some(&announced.fields)),
            };
            self.access.render(exchange, answer, &When::now(exchange, duration_ns));
            self.access.settle(exchange);
            return;
        }
        // The lines of those before it come before it.
        self.access.flush();
        let said = views.log_access(py, self, exchange, announced, duration_ns);
        self.access.settle(exchange);
        if let Err(error) = said {
            self.report(py, error, "Error handling request", &[]);
        }
    }

    /// The line of a request that the engine has answered with a file. Where it is rendered here it
    /// takes no GIL.
    pub(super) fn log_served(&mut self, exchange: &mut Exchange<'_, Self>, served: Served) {
        if self.epoch != self.state.epoch() {
            Python::attach(|py| self.look_at_log(py));
        }
        match self.access.road {
            Road::Off => {}
            Road::Native(_) => {
                let when = When {
                    time: &served.log_time,
                    at: served.at,
                    duration_ns: served.duration_ns,
                    // It waited for no thread.
                    queue_ns: None,
                };
                let answer = Answer {
                    status: served.code(),
                    body_bytes: served.encoder.body_bytes(),
                    fields: AnswerFields(Some(&served.fields)),
                };
                self.access.render(exchange, answer, &when);
            }
            Road::Python => Python::attach(|py| {
                let said = Views::default().log_served(py, self, exchange, served);
                if let Err(error) = said {
                    self.report(py, error, "Error handling request", &[]);
                }
            }),
        }
    }

    /// The line of a request that was answered with an error page.
    pub(super) fn log_error_access(
        &mut self,
        py: Python<'_>,
        exchange: &mut Exchange<'_, Self>,
        status: u16,
    ) {
        self.look_at_log(py);
        if !exchange.claim_line() {
            return;
        }
        exchange.clock().tick();
        let duration_ns = exchange.ran_ns();
        match self.access.road {
            Road::Off => {}
            Road::Native(_) => {
                let answer = Answer { status, body_bytes: 0, fields: AnswerFields(None) };
                self.access.render(exchange, answer, &When::now(exchange, duration_ns));
            }
            Road::Python => {
                let said =
                    Views::default().log_error_access(py, self, exchange, status, duration_ns);
                if let Err(error) = said {
                    self.report(py, error, "Error handling request", &[]);
                }
            }
        }
        self.access.settle(exchange);
    }
}

/// When a request ended, and how long it took.
struct When<'a> {
    time: &'a [u8],
    at: Duration,
    duration_ns: u64,
    queue_ns: Option<u64>,
}

impl<'a> When<'a> {
    fn now(exchange: &'a Exchange<'_, PyApp>, duration_ns: u64) -> Self {
        let (_, _, clock) = exchange.facts();
        let queue_ns = exchange.waited_ns();
        Self { time: clock.log_time(), at: wall_time(), duration_ns, queue_ns }
    }
}

struct Answer<'a> {
    status: u16,
    body_bytes: u64,
    fields: AnswerFields<'a>,
}

fn push_ip(addr: Option<SocketAddr>, into: &mut Vec<u8>) {
    if let Some(addr) = addr {
        // Writing into a Vec cannot fail.
        let _ = write!(into, "{}", addr.ip());
    }
}
