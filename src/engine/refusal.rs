//! Why a request is answered by the engine and not by the application.

use crate::http::ParseError;
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
}

impl Refusal {
    /// Status code of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Parse(error) | Self::BadBody(error) => error.status(),
            Self::TimedOut(_) => 408,
            Self::CutShort => 400,
            Self::NoSpool(_) => 500,
            Self::NoMemory => 503,
        }
    }

    /// Reason phrase of the answer.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Parse(error) | Self::BadBody(error) => error.reason(),
            Self::TimedOut(_) => "Request Timeout",
            Self::CutShort => "Bad Request",
            Self::NoSpool(_) => "Internal Server Error",
            Self::NoMemory => "Service Unavailable",
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
        }
    }

    /// What the error log says; `ip` is the peer's address, empty for a unix peer.
    pub fn notice(&self, ip: String) -> Notice {
        match self {
            Self::Parse(error) | Self::BadBody(error) => {
                Notice::InvalidRequest { ip, error: error.to_string() }
            }
            Self::TimedOut(phase) => Notice::ClientTimeout { ip, phase: *phase },
            Self::CutShort => {
                Notice::PrematureDisconnect { error: "The request body ended early.".to_owned() }
            }
            Self::NoSpool(error) => Notice::SpoolFailed { error: error.clone() },
            Self::NoMemory => Notice::NoMemory { ip },
        }
    }

    /// Whether the request was understood well enough for an access line, as in Gunicorn: its
    /// head was complete.
    pub fn has_request(&self) -> bool {
        match self {
            Self::Parse(error) => error.has_request(),
            Self::NoMemory => false,
            Self::TimedOut(phase) => *phase == Phase::Body,
            Self::BadBody(_) | Self::CutShort | Self::NoSpool(_) => true,
        }
    }
}
