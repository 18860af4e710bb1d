//! Floor 0: HTTP/1.1 and uwsgi packets, bytes to events. No I/O, no clock, no Python.
//!
//! ```text
//! poll_preamble ─▶ HeadReader::poll ─▶ Head ─▶ BodyDecoder::next ─▶ data … End ─▶ next head
//!  (PROXY)       request_line, fields; uwsgi       chunks, trailers
//!
//! ResponseFields ─▶ Encoder::head ─▶ begin_chunk · end_chunk … ─▶ finish
//! ```
//!
//! Whatever is wrong with a request is a [`ParseError`], which knows its status and page. "Not all
//! there yet" is a value. How the input was split into reads never changes the outcome.

mod beneath;
mod body;
mod cgi;
mod chunk;
pub mod codings;
pub mod conditional;
mod encoder;
mod error;
mod fields;
mod framing;
mod head;
mod judge;
mod limits;
mod path;
mod peer;
mod policy;
mod proxy;
pub mod queue_time;
pub mod range;
mod recent;
mod repr;
pub mod request_id;
mod request_line;
mod response;
mod scan;
mod span;
#[cfg(test)]
mod test_policy;
mod token;
mod uwsgi;

pub use beneath::beneath;
pub use body::{BodyDecoder, BodyEvent, Standing};
pub use encoder::{CONTINUE, Encoder, Facts, Finish, add_field, early_hints};
pub use error::{Answer, BadVersion, ParseError, error_page, retry_page};
pub use head::{Field, Framing, Head, HeadReader};
pub use limits::Limits;
pub use path::{split_script_name, unquote};
pub use peer::{AllowList, Peer};
pub use policy::{HeaderMap, Policy, ProxyMode};
pub use proxy::{LONGEST_PREAMBLE, Preamble, ProxyInfo, ProxyProtocol, poll_preamble};
pub use recent::Recent;
pub use request_id::IdHeader;
pub use response::{ResponseError, ResponseFields, SaidField, parse_status};
pub use span::Span;
pub use uwsgi::{admit, vars as uwsgi_vars};
