//! rgunicorn's core: a pre-fork WSGI server below the Python face.
//!
//! # Layout
//!
//! ```text
//! floor 4   python/rgunicorn        the gunicorn face: CLI, Config, hooks, Worker and Arbiter classes, logging
//! floor 3   py                      the only place that knows pyo3: environ, start_response, wsgi.input, drivers
//! floor 2   engine, status          event loop, connections, outbox, deadlines; generic over `trait App`; what is shown
//! floor 1   sys                     system calls: poller, listener, socket, signals, scoreboard, spool, clock
//! floor 0   http, fleet, log        pure: bytes to events, events to actions, record to line. No I/O, no clock
//! ```
//!
//! Imports point down only; `tests/test_layers.py` checks that against `docs/architecture.md`.

#[forbid(unsafe_code)]
pub mod engine;
#[forbid(unsafe_code)]
pub mod fleet;
#[forbid(unsafe_code)]
pub mod http;
#[forbid(unsafe_code)]
pub mod log;
#[cfg(feature = "python")]
mod py;
#[forbid(unsafe_code)]
pub mod status;
pub mod sys;
