//! What the engine wants said in the error log.
//!
//! The engine must not wait for Python's logging, nor flood it, so it queues these values and the
//! Python floor says them once per loop turn. The words are Gunicorn's where Gunicorn has some.

use std::fmt;

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A request that breaks HTTP or the configured policy; it was answered with an error page.
    InvalidRequest {
        /// The peer's address without port; empty for a unix peer.
        ip: String,
        /// The parser's own words, client bytes in them already escaped.
        error: String,
    },
    /// A system call on a connection failed in an unusual way.
    SocketError {
        /// As Python shows it, `[Errno 5] Input/output error`.
        error: String,
    },
    /// `ECONNRESET`.
    ConnectionReset,
    /// `ENOTCONN`.
    NotConnected,
    /// `EPIPE`.
    BrokenPipe,
    /// A TLS client ended its side without a goodbye.
    TlsEnded,
    /// The peer left in the middle of a request.
    PrematureDisconnect {
        /// What was missing.
        error: String,
    },
    /// accept(2) failed for want of descriptors or memory; the worker pauses accepting.
    AcceptFailed {
        /// The system's words.
        error: String,
    },
    /// The thread that serves others while the application is busy could not be started.
    NoWatcher {
        /// The system's words.
        error: String,
    },
    /// Too many descriptors are on their way between processes of this user: what a kill would cost is
    /// not deposited for a while.
    NothingDeposited,
    /// A request body could not be written to `tmp_upload_dir`.
    SpoolFailed {
        /// The system's words.
        error: String,
    },
    /// A head was refused because clients that stall hold too much memory already.
    NoMemory {
        /// The peer's address without port; empty for a unix peer.
        ip: String,
    },
    /// The error page did not reach the client.
    ErrorPageUnsent,
    /// The client made no progress for as long as the setting allows.
    ClientTimeout {
        /// The peer's address without port; empty for a unix peer.
        ip: String,
        /// What it was expected to do.
        phase: Phase,
    },
    /// The app announced more body than it gave; the connection is closed so that the client sees it.
    ShortResponse {
        /// The request method.
        method: String,
        /// The request target.
        uri: String,
        /// Its `Content-Length` minus the bytes it gave.
        missing: u64,
    },
    /// Body bytes for HEAD, 1xx, 204 or 304 (RFC 9110 section 6.4.1), dropped.
    BodyOnNoBodyResponse {
        /// The request method.
        method: String,
        /// Status code of the response.
        status: u16,
    },
    /// This worker has served `max_requests`.
    MaxRequests,
    /// The time for a graceful stop is nearly over, and requests had not begun: 503.
    TurnedAway {
        /// How many.
        count: u64,
    },
    /// Requests were answered with 503 because too many waited, or for too long (`max_queue`,
    /// `max_queue_time`).
    Overloaded {
        /// Those that found the queue full.
        full: u64,
        /// Those that had waited too long.
        late: u64,
        /// Those of both, and of clients that left, that have no access line.
        unlogged: u64,
    },
    /// A file of `static_map` is there and can't be given; it was answered with 403 or 500.
    StaticFile {
        /// Its path, control characters escaped.
        file: String,
        /// The system's words.
        error: String,
    },
    /// More was to be said in this loop turn than the queue takes.
    Suppressed {
        /// How many notices were left out.
        count: u64,
    },
}

impl Notice {
    /// How loud to say it.
    pub fn level(&self) -> Level {
        match self {
            Self::ConnectionReset
            | Self::NotConnected
            | Self::BrokenPipe
            | Self::TlsEnded
            | Self::PrematureDisconnect { .. }
            | Self::ErrorPageUnsent => Level::Debug,
            Self::ClientTimeout { .. } | Self::MaxRequests => Level::Info,
            Self::InvalidRequest { .. }
            | Self::ShortResponse { .. }
            | Self::BodyOnNoBodyResponse { .. }
            | Self::NoMemory { .. }
            | Self::NothingDeposited
            | Self::TurnedAway { .. }
            | Self::Overloaded { .. }
            | Self::Suppressed { .. } => Level::Warning,
            Self::SocketError { .. }
            | Self::AcceptFailed { .. }
            | Self::NoWatcher { .. }
            | Self::SpoolFailed { .. }
            | Self::StaticFile { .. } => Level::Error,
        }
    }

    /// The Python logger to say it on; Gunicorn gives one warning to the response module's own.
    pub fn logger(&self) -> &'static str {
        match self {
            Self::BodyOnNoBodyResponse { .. } => "gunicorn.http.wsgi",
            _ => "gunicorn.error",
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidRequest { ip, error } => {
                write!(f, "Invalid request from ip={ip}: {error}")
            }
            // Where Gunicorn shows a traceback, its last line.
            Self::SocketError { error } => {
                write!(f, "Socket error processing request.\nOSError: {error}")
            }
            Self::ConnectionReset => f.write_str("Ignoring connection reset"),
            Self::NotConnected => f.write_str("Ignoring socket not connected"),
            Self::BrokenPipe => f.write_str("Ignoring EPIPE"),
            Self::TlsEnded => f.write_str("ssl connection closed"),
            Self::PrematureDisconnect { error } => {
                write!(f, "Ignored premature client disconnection. {error}")
            }
            Self::NoWatcher { error } => write!(
                f,
                "No thread for slow and idle clients ({error}): they wait while the application \
                 is busy"
            ),
            Self::NothingDeposited => f.write_str(
                "Too many descriptors are on their way between processes of this user: should a \
                 worker be killed, idle connections go down with it. Raise ulimit -n.",
            ),
            Self::NoMemory { ip } => write!(
                f,
                "Refused a large request head from ip={ip}: clients that stall hold too much memory"
            ),
            Self::AcceptFailed { error } => {
                write!(f, "Cannot accept connections: {error}. Pausing for 0.1 s.")
            }
            Self::SpoolFailed { error } => write!(
                f,
                "Cannot buffer a request body on disk: {error}. Check tmp_upload_dir and its \
                 free space."
            ),
            Self::ErrorPageUnsent => f.write_str("Failed to send error message."),
            Self::ClientTimeout { ip, phase } => write!(f, "Client timed out: ip={ip} {phase}"),
            Self::ShortResponse { method, uri, missing } => write!(
                f,
                "Response to {method} {uri} is {missing} bytes shorter than its Content-Length; \
                 closing the connection"
            ),
            Self::BodyOnNoBodyResponse { method, status } => write!(
                f,
                "WSGI app sent body bytes on a no-body response (method={method} \
                 status={status}); dropping per RFC 9110."
            ),
            Self::MaxRequests => f.write_str("Autorestarting worker after current request."),
            Self::TurnedAway { count } => write!(
                f,
                "graceful_timeout is nearly over: requests that had not begun were answered with \
                 503 ({count})"
            ),
            Self::Overloaded { full, late, unlogged } => {
                write!(f, "Overload: {} requests refused with 503", full + late)?;
                let mut mark = ":";
                if *full > 0 {
                    write!(f, "{mark} {full} found the queue full (max_queue)")?;
                    mark = ",";
                }
                if *late > 0 {
                    write!(f, "{mark} {late} had waited too long (max_queue_time)")?;
                }
                if *unlogged > 0 {
                    write!(f, "; {unlogged} access lines left out")?;
                }
                Ok(())
            }
            Self::StaticFile { file, error } => {
                write!(f, "static_map: {file} can not be served: {error}")
            }
            Self::Suppressed { count } => write!(f, "{count} more messages left out"),
        }
    }
}

/// What a client that timed out was expected to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Make the TLS handshake.
    Handshake,
    /// Send the request head.
    Head,
    /// Send the request body.
    Body,
    /// Take the response.
    Response,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "in the TLS handshake",
            Self::Head => "sending the request head",
            Self::Body => "sending the request body",
            Self::Response => "receiving the response",
        })
    }
}

/// Python's logging levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// `logging.DEBUG`
    Debug = 10,
    /// `logging.INFO`
    Info = 20,
    /// `logging.WARNING`
    Warning = 30,
    /// `logging.ERROR`
    Error = 40,
}

impl Level {
    /// The number Python's `Logger.log` takes.
    pub fn number(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
#[path = "test_notice.rs"]
mod tests;
