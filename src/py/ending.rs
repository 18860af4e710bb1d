//! How a request ends: the response is complete, or something went wrong.

use pyo3::prelude::*;

use super::app::{Failure, PyApp};
use super::ffi::open;
use super::hooks::Views;
use super::notices::{departure, gone_notice};
use super::respond::{self, Outcome};
use super::start_response::Announced;
use crate::engine::{App, Exchange, Verdict};
use crate::log::notice::Notice;

impl PyApp {
    /// The response is complete: log, close, hooks, in Gunicorn's order.
    pub(super) fn complete<'py>(
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
                exchange.note_exception();
                self.report(py, error, "Error handling request", &[]);
                verdict = Verdict::Close;
            }
        }
        self.state.hooks.after(
            py,
            &self.state.worker,
            &self.state.log,
            exchange,
            views,
            Some(&announced),
        );
        self.spare = Some(announced);
        verdict
    }

    /// The response is not complete.
    pub(super) fn fail<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &mut Exchange<'_, Self>,
        views: &mut Views<'py>,
        failure: Failure,
        announced: Option<&Announced>,
        started_ns: u64,
    ) -> Verdict {
        self.state.hooks.after(py, &self.state.worker, &self.state.log, exchange, views, announced);
        let verdict = match failure {
            Failure::Taken(error) => {
                // What was said on the socket, only the application knows.
                exchange.conclude(101);
                // A WebSocket handler that is done says so with StopIteration.
                if let Some(error) = error.filter(|error| !respond::is_stop(py, error)) {
                    if let Some(notice) = departure(py, &error, true) {
                        self.notice(&notice);
                    } else {
                        self.report_request(py, exchange, error);
                    }
                }
                self.state.refresh(py);
                return Verdict::Drop;
            }
            Failure::Gone(gone) => {
                self.notice(&gone_notice(&gone, exchange));
                Verdict::Drop
            }
            Failure::Unfit(refusal) => {
                let status = refusal.status();
                let ip = exchange.conn().addr.ip_text();
                if let Some(notice) = refusal.notice(ip) {
                    self.notice(&notice);
                }
                exchange.refuse(&refusal);
                self.log_error_access(py, exchange, status);
                return Verdict::Close;
            }
            Failure::Raised(error) => {
                if respond::is_stop(py, &error) {
                    exchange.conclude(101);
                    return Verdict::Drop;
                }
                if let Some(notice) = departure(py, &error, exchange.is_broken()) {
                    self.notice(&notice);
                    return Verdict::Drop;
                }
                exchange.note_exception();
                let verdict = exchange.fail();
                if verdict == Verdict::Drop {
                    self.report(py, error, "Error handling request", &[]);
                } else {
                    self.report_request(py, exchange, error);
                    self.log_error_access(py, exchange, 500);
                    self.state.refresh(py);
                    return verdict;
                }
                verdict
            }
        };
        // Part of a response went out: that is what the line tells.
        if let Some(announced) = announced.filter(|announced| announced.code != 0) {
            self.log_access(py, exchange, views, announced, started_ns);
        }
        self.state.refresh(py);
        verdict
    }

    /// Logs what a request has raised.
    fn report_request(&self, py: Python<'_>, exchange: &mut Exchange<'_, Self>, error: PyErr) {
        let (method, uri) = request_words(exchange);
        match exchange.conn().request_id() {
            b"" => self.report(py, error, "Error handling request %s %s", &[&method, &uri]),
            name => {
                let name: String = name.iter().map(|byte| char::from(*byte)).collect();
                let words: [&str; 3] = [&method, &uri, &name];
                self.report(py, error, "Error handling request %s %s (id: %s)", &words);
            }
        }
    }

    pub(super) fn close(
        &self,
        py: Python<'_>,
        exchange: &mut Exchange<'_, Self>,
        iterable: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(close) = iterable.getattr_opt(pyo3::intern!(py, "close"))? else { return Ok(()) };
        open(exchange, || close.call0()).map(drop)
    }
}

/// Method and target for messages.
pub(super) fn request_words(exchange: &mut Exchange<'_, PyApp>) -> (String, String) {
    let conn = exchange.conn();
    let bytes = conn.head_bytes();
    let text = |octets: &[u8]| octets.iter().map(|byte| char::from(*byte)).collect();
    (text(conn.head.method.of(bytes)), text(conn.head.target.of(bytes)))
}
