//! How a worker counts: its engine alone, and everybody else beside it; see [`super::tally`].

use super::slot::Slot;
use super::tally::{Event, Outcome, TallyCells, add_alone, add_beside_others};

/// What the engine of a worker counts with: whoever has the engine is the only one who writes these
/// cells. Therefore no copies, and exclusive access to count.
#[derive(Debug)]
pub struct Till {
    cells: &'static TallyCells,
}

impl Till {
    /// The only one for these cells in any process that lives.
    fn new(cells: &'static TallyCells) -> Self {
        Self { cells }
    }

    /// How long a request took.
    #[inline]
    pub fn count_times(&mut self, outcome: &Outcome) {
        self.cells.add_times(outcome, add_alone);
    }

    /// Something has happened `n` times.
    #[inline]
    pub fn count_event(&mut self, event: Event, n: u64) {
        self.cells.count(event, n, add_alone);
    }

    /// Bytes that came from clients, and that went to them.
    #[inline]
    pub fn add_bytes(&mut self, bytes_in: u64, bytes_out: u64) {
        self.cells.add_bytes(bytes_in, bytes_out, add_alone);
    }
}

impl Slot {
    /// What the worker's engine counts with. By the engine of the worker that has the slot only, once:
    /// two tills lose what they count at the same moment.
    pub fn till(self) -> Till {
        Till::new(&self.cells.own)
    }

    /// A request is over.
    pub fn count_request(self, outcome: &Outcome) {
        self.count_response(outcome.status);
        self.count_times(outcome);
    }

    /// The first half of that: how it was answered.
    #[inline]
    pub fn count_response(self, status: u16) {
        self.cells.aside.add_response(status, add_beside_others);
    }

    /// The same by the only thread of a worker that runs requests: these cells nobody else writes.
    #[inline]
    pub fn count_response_alone(self, status: u16) {
        self.cells.own.add_response(status, add_alone);
    }

    /// The second half: how long it took.
    #[inline]
    pub fn count_times(self, outcome: &Outcome) {
        self.cells.aside.add_times(outcome, add_beside_others);
    }

    /// Something has happened `n` times.
    #[inline]
    pub fn count_event(self, event: Event, n: u64) {
        self.cells.aside.count(event, n, add_beside_others);
    }

    /// Bytes that came from clients, and that went to them.
    #[inline]
    pub fn add_bytes(self, bytes_in: u64, bytes_out: u64) {
        self.cells.aside.add_bytes(bytes_in, bytes_out, add_beside_others);
    }
}
