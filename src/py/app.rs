//! The WSGI application as the engine sees it: one request in, one response out.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyDict;

use super::access::Access;
use super::environ::{Environ, Unfit};
use super::ffi::{call_with_two, open};
use super::hooks::Views;
use super::input::Input;
use super::respond::{self, Outcome};
use super::session::{Handle, Session};
use super::start_response::{Announced, StartResponse, Write};
use super::state::State;
use super::timekeeper::Deadline;
use crate::engine::{App, Exchange, Gone, Refusal, Served, Stage, Verdict, Wake};
use crate::log::notice::Notice;
use crate::sys::poller::Token;

/// The application as one thread of the worker runs it.
pub(crate) struct PyApp {
    pub(super) state: Arc<State>,
    pub(super) environ: Environ,
    pub(super) access: Access,
    pub(super) spare: Option<Box<Announced>>,
    /// What was announced for the response that is being taken, where it is complete already.
    said: Option<Box<Announced>>,
    /// The `start_response` of the request before.
    ready: Option<StartResponse>,
    /// The [`State::epoch`] that `access` has seen.
    pub(super) epoch: u64,
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
    /// The application speaks on the socket itself from here; what it raised after that.
    Taken(Option<PyErr>),
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
        if let Some(notice) = refusal.notice(ip) {
            self.notice(&notice);
        }
        if refusal.has_request() {
            Python::attach(|py| self.log_error_access(py, exchange, refusal.status()));
        }
    }

    fn served(&mut self, exchange: &mut Exchange<'_, Self>, served: Served) {
        self.log_served(exchange, served);
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Suppressed { count } => self.state.leave_out(*count),
            notice if self.state.may_say() => self.say(notice),
            _ => {}
        }
    }

    fn woken(&mut self) -> Wake {
        Python::attach(|py| {
            // Handlers run here: TERM's end of `alive`, USR1's reopening, QUIT's SystemExit.
            let raised = py.check_signals().err();
            let raised = raised.or_else(|| Some(self.state.interrupted.get()?.clone_ref(py)));
            if let Some(error) = raised {
                self.parting = Some(error);
                return Wake::Leave;
            }
            self.state.refresh(py);
            self.state.look_again();
            self.state.say_rest(py);
            self.state.look_at_memory(py);
            match self.stage() {
                Stage::Stopping | Stage::Alone => Wake::Drain,
                Stage::Serving | Stage::Enough => Wake::Serve,
            }
        })
    }

    fn stage(&self) -> Stage {
        self.state.stage()
    }

    fn turn_over(&mut self) {
        self.access.flush();
    }

    fn together<R>(work: impl FnOnce() -> R) -> R {
        Python::attach(|_| work())
    }

    fn apart<R: Send>(wait: impl FnOnce() -> R + Send) -> R {
        Python::attach(|py| py.detach(wait))
    }
}

impl PyApp {
    /// For the calling thread. What Python objects it keeps for itself (templates of the environ,
    /// known names, the empty body) no other thread touches.
    pub(super) fn new(py: Python<'_>, state: &Arc<State>) -> PyResult<Self> {
        let base = state.base_environ.bind(py).copy()?;
        base.set_item("wsgi.input", Bound::new(py, Input::empty())?)?;
        let mut app = Self {
            environ: Environ::new(py, &base, state.servers.clone(), &state.script_name)?,
            access: Access::new(py, &state.access_lines, state.next_slate()),
            spare: None,
            said: None,
            ready: None,
            epoch: state.epoch(),
            parting: None,
            state: state.clone(),
        };
        app.access.choose(py, app.state.log.bind(py));
        Ok(app)
    }

    fn run(&mut self, py: Python<'_>, exchange: &mut Exchange<'_, Self>) -> Verdict {
        exchange.begin();
        self.look_at_log(py);
        let started_ns = exchange.clock().now_ns();
        let mut views = Views::default();
        let mut announced = self.spare.take().unwrap_or_default();
        announced.clear();
        announced.state.get_or_insert_with(|| self.state.clone());
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
        exchange.conn().session.release(py);
        if verdict != Verdict::Keep {
            self.environ.keep(exchange.conn().session.end());
        }
        verdict
    }

    /// Looks at the logger again if somebody may have changed it. Also after the call: its access
    /// line must not go to a file that was rotated away meanwhile.
    pub(super) fn look_at_log(&mut self, py: Python<'_>) {
        let epoch = self.state.epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            self.access.choose(py, self.state.log.bind(py));
        }
    }

    /// Runs hooks and application up to the last body byte.
    fn serve<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        views: &mut Views<'py>,
        announced: Box<Announced>,
    ) -> Result<Outcome<'py>, (Failure, Option<Box<Announced>>)> {
        if let Err(error) = self.state.hooks.before(py, &self.state.worker, exchange, views) {
            return Err((error.into(), Some(announced)));
        }
        let fields = views.changed_fields();
        let (conn, policy) = exchange.conn_and_policy();
        let environ = match self.environ.build(py, conn, policy, fields.as_deref()) {
            Ok(environ) => environ,
            Err(unfit) => return Err((unfit.into(), Some(announced))),
        };
        let named = self.environ.name(py, &environ, exchange);
        if let Err(error) = named.and_then(|()| self.access.observe(py, &environ)) {
            return Err((error.into(), Some(announced)));
        }
        if let Some(timed) = exchange.timed().filter(|timed| timed.is_limited()) {
            if let Err(error) = Deadline::announce(py, timed, &environ) {
                return Err((error.into(), Some(announced)));
            }
        }
        views.environ = Some(environ.clone());
        if let Err(error) = self.state.count(py) {
            return Err((error.into(), Some(announced)));
        }
        let token = exchange.conn().token();
        let start_response = match self.start_response(py, token) {
            Ok(object) => object,
            Err(error) => return Err((error.into(), Some(announced))),
        };
        let response = start_response.response(py);
        match response.try_borrow_mut() {
            Ok(mut this) => this.begin(token, announced),
            Err(error) => return Err((PyErr::from(error).into(), Some(announced))),
        }
        let served = self.call_app(py, exchange, &environ, &start_response);
        let announced = self.said.take().or_else(|| retired(response));
        self.ready = Some(start_response);
        match served {
            Ok(iterable) => Ok(Outcome { iterable, announced }),
            Err(failure) => Err((failure, announced)),
        }
    }

    /// That of an earlier request, unless the application holds on to it or to its `write`.
    fn start_response(&mut self, py: Python<'_>, token: Token) -> PyResult<StartResponse> {
        match self.ready.take() {
            Some(ready) if ready.is_unshared(py) => Ok(ready),
            _ => StartResponse::new(py, token),
        }
    }

    fn call_app<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        environ: &Bound<'py, PyDict>,
        start_response: &StartResponse,
    ) -> Result<Bound<'py, PyAny>, Failure> {
        let input = if !exchange.has_body() {
            None
        } else {
            let input = Input::new(exchange.take_body(), exchange).map_err(PyErr::from)?;
            let input = Bound::new(py, input)?;
            environ.set_item(self.environ.keys.wsgi_input.bind(py), &input)?;
            Some(input)
        };
        let callable = self.state.callable.bind(py);
        let second = start_response.callable(py);
        let called =
            open(exchange, || call_with_two(callable, environ, second)).map_err(Failure::Raised);
        let sent = called.and_then(|iterable| {
            // A WebSocket handler that failed: its framework has made an error page of that.
            if is_given_up(py, exchange, environ) {
                return match self.close(py, exchange, &iterable) {
                    Ok(()) => Err(Failure::Taken(None)),
                    Err(error) => Err(error.into()),
                };
            }
            let response = start_response.response(py);
            // All is there: what the application has kept of the response is over now and not later,
            // and its pieces need not be asked whether it is.
            self.said = if respond::is_plain(&iterable) { retired(response) } else { None };
            let sent = match &self.said {
                Some(said) => respond::send_plain(py, exchange, &iterable, said),
                None => respond::send(py, self, exchange, &iterable, response),
            };
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
                    if let Some((decoder, unseen)) = input.give_back() {
                        exchange.return_body(decoder, &unseen);
                    }
                }
                // A thread of the application still reads: the connection can't be used again.
                Err(_) => exchange.close_after(),
            }
        }
        if !is_taken(py, exchange) {
            return sent;
        }
        match sent {
            Ok(iterable) if !is_given_up(py, exchange, environ) => {
                // It said something of its own, `102 Processing` perhaps, and then answered.
                exchange.close_after();
                if let Some(handle) = exchange.conn().session.handle() {
                    Handle::give_back(handle.bind(py));
                }
                Ok(iterable)
            }
            Err(Failure::Raised(error)) => Err(Failure::Taken(Some(error))),
            _ => Err(Failure::Taken(None)),
        }
    }
}

/// What was announced; from here on `response` is inert. `None`: another
/// thread of the application is inside, and it stays as it is.
fn retired(response: &Bound<'_, Write>) -> Option<Box<Announced>> {
    response.try_borrow_mut().ok().and_then(|mut this| this.retire())
}

/// Whether the application has taken the connection for itself.
fn is_taken(py: Python<'_>, exchange: &mut Exchange<'_, PyApp>) -> bool {
    let handle = exchange.conn().session.handle();
    handle.is_some_and(|handle| handle.try_borrow(py).is_ok_and(|this| this.is_taken()))
}

/// Whether it has done so for good: the client had asked for another protocol, or the socket has
/// gone to somebody else.
fn is_given_up(
    py: Python<'_>,
    exchange: &mut Exchange<'_, PyApp>,
    environ: &Bound<'_, PyDict>,
) -> bool {
    if !is_taken(py, exchange) {
        return false;
    }
    let handle = exchange.conn().session.handle();
    environ.contains("HTTP_UPGRADE").unwrap_or(false)
        || handle.is_some_and(|handle| Handle::is_gone(handle.bind(py)))
}
