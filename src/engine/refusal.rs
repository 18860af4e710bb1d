//! Why a request is answered by the engine and not by the application.

use crate::http::{ParseError, error_page, retry_page};
use crate::log::notice::{Notice, Phase};

/// A request that the application never sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It breaks HTTP or the configured policy.
    Parse(ParseError),
    /// Its head was fine, its body breaks HTTP.
    BadBody(ParseError),
    /// The client stopped half-way (RFC 9110 §15.5.9).
    TimedOut(Phase),
    /// The client ended its side inside the body (RFC 9112 §8).
    CutShort,
    /// The body could not be buffered: the system's words.
    NoSpool(String),
    /// Its head needs a large buffer, and too many clients hold theirs already.
    NoMemory,
    /// More requests wait than may.
    QueueFull {
        /// Seconds after which to try again.
        retry_after_s: u64,
    },
    /// It has waited for longer than it may.
    TooLate {
        /// Seconds after which to try again.
        retry_after_s: u64,
    },
    /// The server stops, and the time for that is nearly over.
    Stopping,
    /// Its client has left while it waited. The status is nginx's, for the log only.
    ClientLeft,
}

impl Refusal {
    /// Status code of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Parse(error) | Self::BadBody(error) => error.status(),
            Self::TimedOut(_) => 408,
            Self::CutShort => 400,
            Self::NoSpool(_) => 500,
            Self::NoMemory | Self::QueueFull { .. } | Self::TooLate { .. } | Self::Stopping => 503,
            Self::ClientLeft => 499,
        }
    }

    /// Reason phrase of the answer.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Parse(error) | Self::BadBody(error) => error.reason(),
            Self::TimedOut(_) => "Request Timeout",
            Self::CutShort => "Bad Request",
            Self::NoSpool(_) => "Internal Server Error",
            Self::NoMemory | Self::QueueFull { .. } | Self::TooLate { .. } | Self::Stopping => {
                "Service Unavailable"
            }
            Self::ClientLeft => "Client Closed Request",
        }
    }

    /// What the page says, not yet escaped.
    pub fn message(&self) -> String {
        match self {
            Self::Parse(error) | Self::BadBody(error) => error.page_message(),
            Self::TimedOut(phase) => format!("Timed out {phase}"),
            Self::CutShort => "The request body ended early".to_owned(),
            Self::NoSpool(_) => String::new(),
            Self::NoMemory => "Too many large requests at once".to_owned(),
            Self::QueueFull { .. } => "Too many requests are waiting".to_owned(),
            Self::TooLate { .. } => "The request has waited too long".to_owned(),
            Self::Stopping => "The server is shutting down".to_owned(),
            Self::ClientLeft => String::new(),
        }
    }

    /// Whether nobody is there to be answered.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::ClientLeft)
    }

    /// Appends the whole answer to `out`.
    pub fn answer(&self, out: &mut Vec<u8>) {
        match self {
            Self::ClientLeft => {}
            Self::QueueFull { retry_after_s } | Self::TooLate { retry_after_s } => {
                retry_page(*retry_after_s, self.reason(), &self.message(), out);
            }
            // Another server, or the next one here.
            Self::Stopping => retry_page(1, self.reason(), &self.message(), out),
            _ => error_page(self.status(), self.reason(), &self.message(), out),
        }
    }

    /// What the error log says; `ip` is the peer's address, empty for a unix peer. `None`: one line
    /// tells of many.
    pub fn notice(&self, ip: String) -> Option<Notice> {
        Some(match self {
            Self::QueueFull { .. } | Self::TooLate { .. } | Self::Stopping => return None,
            Self::ClientLeft => Notice::PrematureDisconnect {
                error: "Its request was waiting, and is not run.".to_owned(),
            },
            Self::Parse(error) | Self::BadBody(error) => {
                Notice::InvalidRequest { ip, error: error.to_string() }
            }
            Self::TimedOut(phase) => Notice::ClientTimeout { ip, phase: *phase },
            Self::CutShort => {
                Notice::PrematureDisconnect { error: "The request body ended early.".to_owned() }
            }
            Self::NoSpool(error) => Notice::SpoolFailed { error: error.clone() },
            Self::NoMemory => Notice::NoMemory { ip },
        })
    }

    /// Whether the request was understood well enough for an access line, as in Gunicorn: its
    /// head was complete.
    pub fn has_request(&self) -> bool {
        match self {
            Self::Parse(error) => error.has_request(),
            Self::NoMemory => false,
            Self::TimedOut(phase) => *phase == Phase::Body,
            Self::BadBody(_) | Self::CutShort | Self::NoSpool(_) => true,
            Self::QueueFull { .. } | Self::TooLate { .. } => true,
            Self::Stopping | Self::ClientLeft => true,
        }
    }
}
