//! What the engine and the application's failures have to say, in Python's error log.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::app::PyApp;
use super::errors;
use crate::engine::{Exchange, Gone};
use crate::log::notice::{Level, Notice, Phase};

impl PyApp {
    /// `log.exception(message, *arguments)` for `error`.
    pub(super) fn report(&self, py: Python<'_>, error: PyErr, message: &str, words: &[&str]) {
        super::hooks::report(py, self.state.log.bind(py), error, message, words);
    }

    /// One line in the error log, now.
    pub(super) fn say(&self, notice: &Notice) {
        Python::attach(|py| say(py, self.state.log.bind(py), notice));
    }
}

/// One line in the error log, now.
pub(super) fn say(py: Python<'_>, log: &Bound<'_, PyAny>, notice: &Notice) {
    let said = match notice.logger() {
        "gunicorn.error" => {
            let method = match notice.level() {
                Level::Debug => "debug",
                Level::Info => "info",
                Level::Warning => "warning",
                Level::Error => "error",
            };
            log.call_method1(method, ("%s", notice.to_string()))
        }
        name => py.import("logging").and_then(|logging| {
            let logger = logging.call_method1("getLogger", (name,))?;
            let level = notice.level().number();
            logger.call_method1("log", (level, "%s", notice.to_string()))
        }),
    };
    if let Err(error) = said {
        error.write_unraisable(py, None);
    }
}

/// What to say of a client that takes no more of its response.
pub(super) fn gone_notice(gone: &Gone, exchange: &mut Exchange<'_, PyApp>) -> Notice {
    match gone {
        Gone::Broken(error) => match error.raw_os_error() {
            Some(libc::EPIPE) => Notice::BrokenPipe,
            Some(libc::ECONNRESET) => Notice::ConnectionReset,
            Some(libc::ENOTCONN) => Notice::NotConnected,
            _ => Notice::SocketError { error: error.to_string() },
        },
        Gone::Stalled => {
            Notice::ClientTimeout { ip: exchange.conn().addr.ip_text(), phase: Phase::Response }
        }
    }
}

/// What to say when the application let through that its client has left: what `write` raised,
/// or NoMoreData from `wsgi.input`. `None` for errors of its own, also those of other sockets,
/// which are told apart by whether the client's is `broken`.
pub(super) fn departure(py: Python<'_>, error: &PyErr, broken: bool) -> Option<Notice> {
    if errors::is_no_more_data(py, error) {
        return Some(Notice::PrematureDisconnect { error: error.value(py).to_string() });
    }
    if !broken || !error.is_instance_of::<PyOSError>(py) {
        return None;
    }
    let errno = error.value(py).getattr("errno").and_then(|errno| errno.extract::<i32>());
    match errno {
        Ok(libc::EPIPE) => Some(Notice::BrokenPipe),
        Ok(libc::ECONNRESET) => Some(Notice::ConnectionReset),
        Ok(libc::ENOTCONN) => Some(Notice::NotConnected),
        _ => None,
    }
}
