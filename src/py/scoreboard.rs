//! The scoreboard as Python sees it; `rgunicorn.workers.workertmp` wraps it into `worker.tmp`.

use std::path::PathBuf;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::display::shown;
use crate::sys::clock::monotonic_ns;
use crate::sys::course::Course;
use crate::sys::header::{Fact, Reason};
use crate::sys::scoreboard;
use crate::sys::tally::{Event, Outcome};
use crate::sys::tells::Tells;
use crate::sys::wish::Wish;

/// Wishes by the settings they come from.
const WISHES: [(&str, Wish); 5] = [
    ("max_requests", Wish::MaxRequests),
    ("max_worker_lifetime", Wish::Lifetime),
    ("max_rss", Wish::Rss),
    ("max_rss_hard", Wish::RssHard),
    ("request_timeout", Wish::Deadline),
];

/// Shared memory with one slot for each worker.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Scoreboard {
    board: scoreboard::Scoreboard,
}

#[pymethods]
impl Scoreboard {
    /// Anonymous memory, or an unlinked file in `directory`.
    #[new]
    #[pyo3(signature = (directory=None))]
    fn new(directory: Option<PathBuf>) -> PyResult<Self> {
        Ok(Self { board: scoreboard::Scoreboard::new(directory.as_deref())? })
    }

    /// Takes slot `index` for a worker, or any free one, counted from the far end so that
    /// workers without a number stay clear of those with one. RuntimeError when there is none.
    #[pyo3(signature = (index=None, age=0))]
    fn claim(&self, index: Option<usize>, age: u64) -> PyResult<Slot> {
        let claimed = match index {
            Some(index) => self.board.claim(index, age).map(|slot| Slot { slot, index }),
            None => self.board.last_free().and_then(|index| {
                let slot = self.board.slot(index)?;
                slot.claim(age);
                Some(Slot { slot, index })
            }),
        };
        claimed.ok_or_else(|| {
            PyRuntimeError::new_err(format!("no room for more than {} workers", scoreboard::SLOTS))
        })
    }

    /// Tells all workers what the server is about to do: `serving`, `parting`, `leaving`, `closing` or
    /// `quitting`. `until_ns`: when the limit of a stop is over. ValueError for another word.
    #[pyo3(signature = (name, until_ns=0))]
    fn set_course(&self, name: &str, until_ns: u64) -> PyResult<()> {
        let course = Course::named(name);
        let course = course.ok_or_else(|| PyValueError::new_err(format!("no course: {name}")))?;
        self.board.set_course(course, until_ns);
        Ok(())
    }

    /// Says something of the server; `header::Fact` has the names. ValueError for another name.
    fn set_fact(&self, name: &str, value: u64) -> PyResult<()> {
        self.board.set_fact(fact(name)?, value);
        Ok(())
    }

    /// Adds to what was said of the server. ValueError for another name.
    #[pyo3(signature = (name, n=1))]
    fn add_to_fact(&self, name: &str, n: u64) -> PyResult<()> {
        self.board.add_to_fact(fact(name)?, n);
        Ok(())
    }

    /// A worker has ended, for the reason of this name (`header::Reason`). ValueError for another
    /// name.
    fn count_end(&self, reason: &str) -> PyResult<()> {
        let known = Reason::named(reason);
        let known = known.ok_or_else(|| PyValueError::new_err(format!("no reason: {reason}")))?;
        self.board.count_end(known);
        Ok(())
    }

    /// Everything, now; see `_core.pyi`.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let now_ns = monotonic_ns();
        shown(py, &self.board.snapshot(now_ns), now_ns)
    }

    /// The descriptor behind the memory; open as long as the process.
    fn fileno(&self) -> i32 {
        self.board.as_raw_fd()
    }
}

/// One worker's place on the scoreboard. Times are `time.monotonic_ns()`.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Slot {
    slot: scoreboard::Slot,
    /// Number of the slot, from 0.
    #[pyo3(get)]
    index: usize,
}

#[pymethods]
impl Slot {
    /// Gives the slot back. The master does this, after the worker's end.
    fn release(&self) {
        self.slot.release();
    }

    /// For a child that the application has forked: nobody sees what it counts.
    fn secede(&self) -> PyResult<()> {
        Ok(self.slot.secede()?)
    }

    /// The worker lives.
    fn beat(&self, now_ns: u64) {
        self.slot.beat(now_ns);
    }

    /// Last heartbeat, `None` before the first.
    #[getter]
    fn heartbeat_ns(&self) -> Option<u64> {
        self.slot.heartbeat_ns()
    }

    /// When the worker had loaded its application, `None` before.
    #[getter]
    fn booted_ns(&self) -> Option<u64> {
        self.slot.booted_ns()
    }

    #[setter]
    fn set_booted_ns(&self, now_ns: Option<u64>) {
        self.slot.set_booted(now_ns);
    }

    /// Why the worker asks to be replaced: `max_requests`, `max_worker_lifetime`, `max_rss`,
    /// `max_rss_hard` or `request_timeout`; `None` when it does not. A later, less urgent wish
    /// changes nothing. ValueError for another word.
    #[getter]
    fn wish(&self) -> Option<&'static str> {
        self.slot.wish().and_then(wish_name)
    }

    #[setter]
    fn set_wish(&self, name: &str) -> PyResult<()> {
        let wish = WISHES.iter().find(|(it, _)| *it == name);
        let (_, wish) = wish.ok_or_else(|| PyValueError::new_err(format!("no wish: {name}")))?;
        self.slot.set_wish(*wish);
        Ok(())
    }

    /// What the server is about to do, as `Scoreboard.set_course` was told.
    #[getter]
    fn course(&self) -> &'static str {
        self.slot.course().name()
    }

    /// The worker has listeners that no worker after it will have. The master says so before it tells
    /// it to leave.
    fn set_heirless(&self) {
        self.slot.set_heirless();
    }

    /// Whether that was said.
    #[getter]
    fn heirless(&self) -> bool {
        self.slot.is_heirless()
    }

    /// A thread takes up a request; for workers whose loop is Python.
    fn begin_work(&self, now_ns: u64) {
        self.slot.work().begin(now_ns);
    }

    /// It is done with the one that it took up at `since_ns`.
    fn end_work(&self, since_ns: u64, now_ns: u64) {
        self.slot.work().end(since_ns, now_ns);
    }

    /// Whether all requests in the app, one at least, are past their deadline.
    #[getter]
    fn is_lost(&self) -> bool {
        self.slot.is_lost()
    }

    /// The process that has the slot, 0 before the fork.
    #[getter]
    fn pid(&self) -> u64 {
        self.slot.pid()
    }

    #[setter]
    fn set_pid(&self, pid: u64) {
        self.slot.set_pid(pid);
    }

    /// Serial number of the worker's fork.
    #[getter]
    fn age(&self) -> u64 {
        self.slot.age()
    }

    /// From now on the worker tells what has these names: `requests`, `queue`, `app`, `write`, `whole`,
    /// `bytes`, `connections`, `running`, `room`, and those of events. Without, there is nothing of it
    /// in a snapshot. ValueError for another name.
    #[pyo3(signature = (*names))]
    fn tell(&self, names: Vec<String>) -> PyResult<()> {
        for name in names {
            let known = Tells::named(&name);
            let unknown = || PyValueError::new_err(format!("nothing to tell: {name}"));
            self.slot.tell(known.ok_or_else(unknown)?);
        }
        Ok(())
    }

    /// How many requests the worker can run at once.
    fn set_room(&self, requests: u64) {
        self.slot.set_room(requests);
    }

    /// A request is over, in a worker whose loop is Python; times in nanoseconds, `None` for what
    /// there was not.
    #[pyo3(signature = (status, whole_ns, queue_ns=None, app_ns=None, write_ns=None))]
    fn count_request(
        &self,
        status: u16,
        whole_ns: u64,
        queue_ns: Option<u64>,
        app_ns: Option<u64>,
        write_ns: Option<u64>,
    ) {
        self.slot.count_request(&Outcome { status, queue_ns, app_ns, write_ns, whole_ns });
    }

    /// Something has happened; `tally::Event` has the names. ValueError for another name.
    #[pyo3(signature = (name, n=1))]
    fn count_event(&self, name: &str, n: u64) -> PyResult<()> {
        let known = Event::named(name);
        let known = known.ok_or_else(|| PyValueError::new_err(format!("no event: {name}")))?;
        self.slot.count_event(known, n);
        Ok(())
    }
}

/// The setting that a wish comes from.
pub(super) fn wish_name(wish: Wish) -> Option<&'static str> {
    WISHES.iter().find(|(_, it)| *it == wish).map(|(name, _)| *name)
}

fn fact(name: &str) -> PyResult<Fact> {
    Fact::named(name).ok_or_else(|| PyValueError::new_err(format!("no fact: {name}")))
}

impl Scoreboard {
    /// The board itself, for who reads it without Python.
    pub(crate) fn board(&self) -> scoreboard::Scoreboard {
        self.board
    }
}

impl Slot {
    /// The slot itself, for an engine that beats without Python.
    pub(crate) fn handle(&self) -> scoreboard::Slot {
        self.slot
    }
}
