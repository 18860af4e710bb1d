//! Floor 2: the event loop that serves connections, generic over the application.
//!
//! ```text
//!   listener ─accept─▶ Conn ─recv─▶ HeadReader ─▶ BodyDecoder ─▶ Spool ─▶ ready queue
//!                        ▲                                                    │ one at a time
//!                        │ next request, linger, close                        ▼
//!   socket ◀─send── Outbox ◀──────── Exchange (encoder, back-pressure) ◀─ App::call
//! ```
//!
//! A connection is owned by exactly one place at a time: the [`table`] while the loop reads or
//! writes for it, the ready queue, or the running [`Exchange`]. Any number of slow clients are
//! read and written by the loop; the application only ever sees complete requests (or, past
//! [`Options::body_limit`], the start of a large one).

pub mod about;
mod accounts;
mod answers;
mod bill;
mod body;
mod booking;
mod burden;
pub mod conn;
pub mod crew;
pub mod deadlines;
mod departing;
mod deposit;
mod dispatch;
pub mod drain;
pub mod exchange;
mod giving;
pub mod hand;
pub mod herald;
mod hoard;
mod keeping;
mod lateness;
mod letter;
mod limited;
mod line;
mod lobby;
mod naming;
mod newcomer;
mod notices;
pub mod outbox;
mod overload;
pub mod pace;
mod parcel;
mod parking;
mod progress;
pub mod reactor;
mod reading;
mod reception;
pub mod refusal;
mod securing;
mod shared;
mod slow_reader;
pub mod static_files;
mod static_reply;
mod stretch;
mod sweep;
pub mod sync;
pub mod table;
mod takeout;
#[cfg(test)]
mod test_outbox;
#[cfg(test)]
mod test_transport;
mod thrift;
pub mod timekeeper;
pub mod transport;
mod unread;
mod waiting;
pub mod watch;

use std::path::PathBuf;
use std::time::Duration;

use crate::http::{IdHeader, Policy};
use crate::log::notice::Notice;

pub use conn::Conn;
pub use crew::Crew;
pub use exchange::{Exchange, Gone};
pub use hand::Hand;
pub use letter::{about_stray, reopened};
pub use overload::Patience;
pub use reactor::{Engine, Sources};
pub use refusal::Refusal;
pub use shared::Shared;
pub use slow_reader::Room;
pub use static_files::StaticMap;
pub use static_reply::Served;
pub use transport::Secured;

/// What happens to the connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The response is complete; the connection serves the next request.
    Keep,
    /// The response is complete; the connection ends after it.
    Close,
    /// The response cannot be completed; the connection ends now, without a proper end, so that
    /// the client can tell.
    Drop,
}

/// What the application makes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Go on.
    Serve,
    /// Stop gracefully: no new connections, what has begun to its end.
    Drain,
    /// Leave the loop at once.
    Leave,
}

/// How the application stands between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// It takes requests.
    Serving,
    /// It has had enough (`max_requests`); siblings go on.
    Enough,
    /// It was told to stop.
    Stopping,
    /// Its master is gone: it stops, and nobody may be there for those who come.
    Alone,
}

/// The application side of the engine.
pub trait App: Sized {
    /// A piece of a response body that the application's runtime owns.
    type Chunk: AsRef<[u8]> + Send;
    /// What the application keeps with a connection from request to request.
    type Session: Default + Send;

    /// Runs one request to its end.
    fn call(&mut self, exchange: &mut Exchange<'_, Self>) -> Verdict;

    /// A request was refused; the page is on its way. Logs it.
    fn refused(&mut self, exchange: &mut Exchange<'_, Self>, refusal: &Refusal);

    /// A request was answered with a file, without the application. Logs it.
    fn served(&mut self, exchange: &mut Exchange<'_, Self>, served: Served);

    /// Something worth a line in the error log.
    fn notice(&mut self, notice: &Notice);

    /// Called when a signal came in and about once a second.
    fn woken(&mut self) -> Wake;

    /// How the application stands, asked between requests.
    fn stage(&self) -> Stage;

    /// The loop is about to wait: write what was held back.
    fn turn_over(&mut self);

    /// Runs `work`, which calls the application again and again and never waits, but in
    /// [`App::apart`]: what each call needs of its runtime may be taken once.
    fn together<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    /// Runs `wait` without what [`App::together`] has taken: others may have it meanwhile.
    fn apart<R: Send>(wait: impl FnOnce() -> R + Send) -> R {
        wait()
    }
}

/// What the engine needs to know, fixed for the life of a worker.
#[derive(Debug)]
pub struct Options {
    /// Parsing rules and limits.
    pub policy: Policy,
    /// Value of the `Server` header; empty for none.
    pub server: Vec<u8>,
    /// The field that carries the name of a request, if requests have names.
    pub id_header: Option<IdHeader>,
    /// Whether connections may serve more than one request.
    pub keep_alive: bool,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How long a client may make no progress with a request head; no limit when none.
    pub header_timeout: Option<Duration>,
    /// The same with a request body.
    pub body_timeout: Option<Duration>,
    /// The same with taking a response.
    pub write_timeout: Option<Duration>,
    /// How long requests in flight may take once the worker is told to stop.
    pub graceful_timeout: Duration,
    /// The listeners are this worker's alone (`reuse_port`).
    pub own_queue: bool,
    /// Threads that run the application.
    pub app_threads: usize,
    /// Whether the main thread only watches; it beats the heart then.
    pub watched: bool,
    /// Calls that last longer, on average, are not run by the thread that leads the engine.
    pub inline_up_to: Duration,
    /// How many requests may wait for a thread, and how long.
    pub patience: Patience,
    /// Files that are served without the application.
    pub static_map: StaticMap,
    /// Whether those may be sent by sendfile(2).
    pub sendfile: bool,
    /// Most connections held at once.
    pub max_connections: usize,
    /// Bytes of a request body kept in memory.
    pub body_memory: usize,
    /// Bytes of a request body taken in before the application starts.
    pub body_limit: u64,
    /// Bytes of memory for what waits for its clients, over all connections. Past it bodies and
    /// responses go to files, and heads that need a larger buffer are refused.
    pub waiting_memory: usize,
    /// Where larger bodies and responses go; the system's default when none.
    pub spool_dir: Option<PathBuf>,
    /// Bytes of a response kept in memory for a slow reader.
    pub response_memory: usize,
    /// Bytes of a response kept in an unlinked file for a slow reader.
    pub response_limit: u64,
    /// Longest sleep of the loop; also the pace of [`App::woken`] without signals.
    pub tick: Duration,
}
