//! The WSGI application as the engine sees it: one request in, one response out.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use super::access::Access;
use super::environ::{Environ, Unfit};
use super::ffi::Port;
use super::hooks::{Hooks, Views};
use super::input::Input;
use super::notices::{departure, gone_notice};
use super::respond::{self, Outcome};
use super::session::Session;
use super::start_response::{Announced, StartResponse};
use crate::engine::{App, Exchange, Gone, Refusal, Room, Stage, Verdict, Wake};
use crate::log::notice::Notice;
use crate::sys::clock::Clock;

/// Notices said in one loop turn at most: a flood of bad clients must not flood the log.
const NOTICES_PER_TURN: u64 = 100;

/// The application of one worker.
pub(crate) struct PyApp {
    pub(super) callable: Py<PyAny>,
    pub(super) worker: Py<PyAny>,
    pub(super) log: Py<PyAny>,
    pub(super) environ: Environ,
    pub(super) hooks: Hooks,
    pub(super) access: Access,
    pub(super) port: Arc<Port>,
    pub(super) file_wrapper: Py<PyAny>,
    pub(super) sendfile: bool,
    pub(super) spare: Option<Box<Announced>>,
    pub(super) requests: u64,
    pub(super) max_requests: u64,
    pub(super) stage: Stage,
    pub(super) parent: i32,
    pub(super) notices: u64,
    /// What a signal handler raised outside of any request; the worker leaves with it.
    pub(super) parting: Option<PyErr>,
}

/// How a request went wrong before the response was complete.
pub(super) enum Failure {
    /// The application, or a hook, raised.
    Raised(PyErr),
    /// The client went away while the response was sent.
    Gone(Gone),
    /// The request cannot be served here.
    Unfit(Refusal),
    /// The application speaks on the socket itself from here.
    Taken,
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Request(error) => Self::Unfit(Refusal::Parse(error)),
            Unfit::Python(error) => Self::Raised(error),
        }
    }
}

impl App for PyApp {
    type Chunk = PyBackedBytes;
    type Session = Session;

    fn call(&mut self, exchange: &mut Exchange<'_, Self>) -> Verdict {
        Python::attach(|py| self.run(py, exchange))
    }

    fn refused(&mut self, exchange: &mut Exchange<'_, Self>, refusal: &Refusal) {
        let ip = exchange.conn().addr.ip_text();
        self.notice(&refusal.notice(ip));
        if refusal.has_request() {
            Python::attach(|py| self.log_error_access(py, exchange, refusal.status()));
        }
    }

    fn notice(&mut self, notice: &Notice) {
        self.notices += 1;
        if self.notices > NOTICES_PER_TURN {
            return;
        }
        self.say(notice);
    }

    fn woken(&mut self) -> Wake {
        Python::attach(|py| {
            // Handlers run here: TERM's end of `alive`, USR1's reopening, QUIT's SystemExit.
            if let Err(error) = py.check_signals() {
                self.parting = Some(error);
                return Wake::Leave;
            }
            self.refresh(py);
            if self.stage == Stage::Stopping { Wake::Drain } else { Wake::Serve }
        })
    }

    fn stage(&self) -> Stage {
        self.stage
    }

    fn turn_over(&mut self, _clock: &Clock) {
        if self.notices > NOTICES_PER_TURN {
            self.say(&Notice::Suppressed { count: self.notices - NOTICES_PER_TURN });
        }
        self.notices = 0;
        self.access.flush();
    }
}

impl PyApp {
    fn run(&mut self, py: Python<'_>, exchange: &mut Exchange<'_, Self>) -> Verdict {
        let started_ns = exchange.clock().now_ns();
        let mut views = Views::default();
        let mut announced = self.spare.take().unwrap_or_default();
        announced.clear();
        let result = self.serve(py, exchange, &mut views, announced);
        let verdict = match result {
            Ok(outcome) => self.complete(py, exchange, &mut views, outcome, started_ns),
            Err((failure, announced)) => {
                let verdict =
                    self.fail(py, exchange, &mut views, failure, announced.as_deref(), started_ns);
                self.spare = announced;
                verdict
            }
        };
        exchange.clock().tick();
        verdict
    }

    /// Runs hooks and application up to the last body byte.
    fn serve<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        views: &mut Views<'py>,
        mut announced: Box<Announced>,
    ) -> Result<Outcome<'py>, (Failure, Option<Box<Announced>>)> {
        if let Err(error) = self.hooks.before(py, &self.worker, exchange, views) {
            return Err((error.into(), Some(announced)));
        }
        let fields = views.changed_fields();
        let (conn, policy) = exchange.conn_and_policy();
        let environ = match self.environ.build(py, conn, policy, fields.as_deref()) {
            Ok(environ) => environ,
            Err(unfit) => return Err((unfit.into(), Some(announced))),
        };
        if let Err(error) = self.access.observe(py, &environ) {
            return Err((error.into(), Some(announced)));
        }
        views.environ = Some(environ.clone());
        if let Err(error) = self.count(py) {
            return Err((error.into(), Some(announced)));
        }
        announced.keep_alive = self.stage == Stage::Serving;
        let start_response = StartResponse::new(self.port.clone(), announced);
        let start_response = match Bound::new(py, start_response) {
            Ok(object) => object,
            Err(error) => return Err((error.into(), None)),
        };
        let served = self.call_app(py, exchange, &environ, &start_response);
        // Another thread of the application may be inside: then it stays as it is.
        let announced = start_response.try_borrow_mut().ok().and_then(|mut this| this.retire());
        match served {
            Ok(iterable) => Ok(Outcome { iterable, announced }),
            Err(failure) => Err((failure, announced)),
        }
    }

    fn call_app<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        environ: &Bound<'py, PyDict>,
        start_response: &Bound<'py, StartResponse>,
    ) -> Result<Bound<'py, PyAny>, Failure> {
        let body = exchange.take_body();
        let input = if body.spool.is_empty() && body.rest.is_none() {
            None
        } else {
            let input = Input::new(body, exchange).map_err(PyErr::from)?;
            let input = Bound::new(py, input)?;
            environ.set_item(self.environ.keys.wsgi_input.bind(py), &input)?;
            Some(input)
        };
        let callable = self.callable.bind(py);
        let called = self
            .port
            .open(exchange, || callable.call1((environ.clone(), start_response.clone())))
            .map_err(Failure::Raised);
        let sent = called.and_then(|iterable| {
            let sent = respond::send(py, self, exchange, &iterable, start_response);
            match sent {
                Ok(()) => Ok(iterable),
                Err(failure) => {
                    // PEP 3333: close() however the iteration ended.
                    self.close(py, exchange, &iterable)?;
                    Err(failure)
                }
            }
        });
        if let Some(input) = &input {
            match input.try_borrow_mut() {
                Ok(mut input) => {
                    if let Some(decoder) = input.give_back() {
                        exchange.return_body(decoder);
                    }
                }
                // A thread of the application still reads: the connection can't be used again.
                Err(_) => exchange.close_after(),
            }
        }
        let taken = exchange.conn().session.handle.as_ref();
        if taken.is_some_and(|handle| handle.try_borrow(py).is_ok_and(|this| this.is_taken())) {
            return Err(Failure::Taken);
        }
        sent
    }

    /// The response is complete: log, close, hooks, in Gunicorn's order.
    fn complete<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        views: &mut Views<'py>,
        outcome: Outcome<'py>,
        started_ns: u64,
    ) -> Verdict {
        let Outcome { iterable, announced } = outcome;
        let finish = exchange.end();
        let announced = announced.unwrap_or_default();
        let mut verdict = if finish.keep_alive { Verdict::Keep } else { Verdict::Close };
        let has_close = !respond::is_plain(&iterable);
        if has_close {
            // The client need not wait for the application's own tidying up.
            if exchange.flush().is_err() {
                verdict = Verdict::Drop;
            }
        }
        if finish.short_by > 0 {
            let (method, uri) = request_words(exchange);
            self.notice(&Notice::ShortResponse { method, uri, missing: finish.short_by });
            verdict = Verdict::Drop;
            // What there is still goes out; then the end tells the client.
            let _ = exchange.flush();
        }
        if finish.dropped_body {
            let (method, _) = request_words(exchange);
            self.notice(&Notice::BodyOnNoBodyResponse { method, status: announced.code });
        }
        self.log_access(py, exchange, views, &announced, started_ns);
        if has_close {
            if let Err(error) = self.close(py, exchange, &iterable) {
                self.report(py, error, "Error handling request", &[]);
                verdict = Verdict::Close;
            }
        }
        self.hooks.after(py, &self.worker, &self.log, exchange, views, Some(&announced));
        self.spare = Some(announced);
        verdict
    }

    /// The response is not complete.
    fn fail<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        views: &mut Views<'py>,
        failure: Failure,
        announced: Option<&Announced>,
        started_ns: u64,
    ) -> Verdict {
        self.hooks.after(py, &self.worker, &self.log, exchange, views, announced);
        let verdict = match failure {
            Failure::Taken => return Verdict::Drop,
            Failure::Gone(gone) => {
                self.notice(&gone_notice(&gone, exchange));
                Verdict::Drop
            }
            Failure::Unfit(refusal) => {
                let status = refusal.status();
                let ip = exchange.conn().addr.ip_text();
                self.notice(&refusal.notice(ip));
                exchange.refuse(&refusal);
                self.log_error_access(py, exchange, status);
                return Verdict::Close;
            }
            Failure::Raised(error) => {
                if respond::is_stop(py, &error) {
                    // A WebSocket handler that is done says so with StopIteration.
                    return Verdict::Drop;
                }
                if let Some(notice) = departure(py, &error, exchange) {
                    self.notice(&notice);
                    return Verdict::Drop;
                }
                let verdict = exchange.fail();
                if verdict == Verdict::Drop {
                    self.report(py, error, "Error handling request", &[]);
                } else {
                    let (method, uri) = request_words(exchange);
                    self.report(py, error, "Error handling request %s %s", &[&method, &uri]);
                    self.log_error_access(py, exchange, 500);
                    self.refresh(py);
                    return verdict;
                }
                verdict
            }
        };
        // Part of a response went out: that is what the line tells.
        if let Some(announced) = announced.filter(|announced| announced.code != 0) {
            self.log_access(py, exchange, views, announced, started_ns);
        }
        self.refresh(py);
        verdict
    }

    fn close(
        &self,
        py: Python<'_>,
        exchange: &mut Exchange<'_, Self>,
        iterable: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(close) = iterable.getattr_opt(pyo3::intern!(py, "close"))? else { return Ok(()) };
        self.port.open(exchange, || close.call0()).map(drop)
    }

    fn count(&mut self, py: Python<'_>) -> PyResult<()> {
        self.requests += 1;
        self.worker.bind(py).setattr(pyo3::intern!(py, "nr"), self.requests)?;
        if self.requests >= self.max_requests && self.stage == Stage::Serving {
            self.say(&Notice::MaxRequests);
            self.stage = Stage::Enough;
            self.worker.bind(py).setattr("alive", false)?;
        }
        Ok(())
    }

    /// Takes over what Python's signal handlers decided.
    fn refresh(&mut self, py: Python<'_>) {
        let alive = self.worker.bind(py).getattr("alive").and_then(|alive| alive.is_truthy());
        if !matches!(alive, Ok(true)) && self.stage == Stage::Serving {
            self.stage = Stage::Stopping;
        }
        if nix::unistd::getppid().as_raw() != self.parent && self.stage == Stage::Serving {
            let said = self
                .log
                .bind(py)
                .call_method1("info", ("Parent changed, shutting down: %s", self.worker.bind(py)));
            if let Err(error) = said {
                error.write_unraisable(py, None);
            }
            self.stage = Stage::Stopping;
        }
        self.access.choose(py, self.log.bind(py));
    }
}

/// Appends `data` to the response, the head first if need be; sends it when `now`.
pub(super) fn deliver(
    py: Python<'_>,
    exchange: &mut Exchange<'_, PyApp>,
    announced: &Announced,
    data: Bound<'_, PyBytes>,
    now: bool,
) -> Result<(), Failure> {
    if !exchange.encoder().head_sent() {
        exchange.start(&announced.status, &announced.fields, announced.keep_alive);
    }
    exchange.push(PyBackedBytes::from(data));
    if now {
        exchange.flush().map_err(Failure::Gone)?;
    }
    while !exchange.has_room() {
        if py.detach(|| exchange.wait_room()).map_err(Failure::Gone)? == Room::Signal {
            py.check_signals()?;
        }
    }
    Ok(())
}

/// Method and target for messages.
pub(super) fn request_words(exchange: &mut Exchange<'_, PyApp>) -> (String, String) {
    let conn = exchange.conn();
    let bytes = conn.head_bytes();
    let text = |octets: &[u8]| octets.iter().map(|byte| char::from(*byte)).collect();
    (text(conn.head.method.of(bytes)), text(conn.head.target.of(bytes)))
}
