//! A scoreboard of loom's atomics, for the models in `scoreboard.rs`: the code of `src/sys`, and what
//! it needs around it.

use std::iter;

use crate::sync::{AtomicU64, Ordering, fence};

#[path = "scoreboard.rs"]
mod scoreboard;

mod turn {
    use super::{AtomicU64, Ordering, fence};

    include!(concat!(env!("OUT_DIR"), "/turn.rs"));

    pub(super) fn turn() -> Turn {
        Turn(AtomicU64::new(0))
    }
}

mod owed {
    use super::{AtomicU64, Ordering};

    include!(concat!(env!("OUT_DIR"), "/owed.rs"));

    pub(super) fn owed() -> Owed {
        Owed(AtomicU64::new(0))
    }
}

mod work {
    use super::{AtomicU64, Ordering};

    include!(concat!(env!("OUT_DIR"), "/work.rs"));

    pub(super) const UNIT_NS: u64 = 1 << UNIT_BITS;

    pub(super) fn work() -> WorkCells {
        WorkCells { running: AtomicU64::new(0), done_ns: AtomicU64::new(0) }
    }
}

mod tally {
    use super::{AtomicU64, Ordering};

    include!(concat!(env!("OUT_DIR"), "/tally.rs"));

    pub(super) fn cells<const N: usize>() -> [AtomicU64; N] {
        std::array::from_fn(|_| AtomicU64::new(0))
    }

    fn histogram() -> HistogramCells {
        HistogramCells { sum_ns: AtomicU64::new(0), buckets: cells() }
    }

    pub(super) fn tally() -> TallyCells {
        TallyCells {
            responses: cells(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            _line: AtomicU64::new(0),
            events: cells(),
            queue: histogram(),
            app: histogram(),
            write: histogram(),
            whole: histogram(),
        }
    }

    impl TallyCells {
        /// One number of all that `read_with` reads, which would be too many orders.
        pub(super) fn count_of(&self, other: &Self, event: Event) -> u64 {
            let one = std::array::from_ref(&self.events[event as usize]);
            let two = std::array::from_ref(&other.events[event as usize]);
            load_both(one, two)[0]
        }
    }
}

mod connections {
    use super::tally::{cells, is_counting, load};
    use super::{AtomicU64, Ordering};

    include!(concat!(env!("OUT_DIR"), "/connections.rs"));

    pub(super) fn connections() -> ConnectionCells {
        ConnectionCells(cells())
    }
}

mod till {
    use super::Slot;
    use super::tally::{Event, Outcome, TallyCells, add_alone, add_beside_others};

    include!(concat!(env!("OUT_DIR"), "/till.rs"));
}

mod course {
    use super::{Ordering, Scoreboard, Slot};

    include!(concat!(env!("OUT_DIR"), "/course.rs"));
}
use connections::Connections;
use tally::Tally;

const MAGIC: u64 = 77;
const VERSION: u64 = 10;
const SLOT_SIZE: usize = 2048;
const SLOTS: usize = 2;

#[derive(Debug)]
struct Header {
    magic: AtomicU64,
    version: AtomicU64,
    slot_size: AtomicU64,
    slots: AtomicU64,
    taken: AtomicU64,
    course: AtomicU64,
    stops_until_ns: AtomicU64,
    transit: AtomicU64,
}

/// What `Slot::clear` writes, and what there is to count.
#[derive(Debug)]
struct Cells {
    pid: AtomicU64,
    age: AtomicU64,
    state: AtomicU64,
    heartbeat_ns: AtomicU64,
    owed: owed::Owed,
    waiting: AtomicU64,
    booted_ns: AtomicU64,
    wish: AtomicU64,
    turn: turn::Turn,
    heirless: AtomicU64,
    queued: AtomicU64,
    claimed_ns: AtomicU64,
    claimed_at_ns: AtomicU64,
    room: AtomicU64,
    requests_before: AtomicU64,
    respawns: AtomicU64,
    work: work::WorkCells,
    connections: connections::ConnectionCells,
    own: tally::TallyCells,
    aside: tally::TallyCells,
}

#[derive(Clone, Copy, Debug)]
struct Scoreboard {
    header: &'static Header,
    slots: &'static [Cells],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    cells: &'static Cells,
    board: Scoreboard,
}

impl Slot {
    fn tell_nothing_of_its_own(self) {}
}

impl Cells {
    fn tally(&self) -> Tally {
        self.own.read_with(&self.aside)
    }
}

fn monotonic_ns() -> u64 {
    1
}

fn realtime_ns() -> u64 {
    1
}

include!(concat!(env!("OUT_DIR"), "/slot.rs"));

/// As a fresh mapping: all zeros. Mapped as long as the process.
fn board(workers: usize) -> Scoreboard {
    let zero = || AtomicU64::new(0);
    let cells = || Cells {
        pid: zero(),
        age: zero(),
        state: zero(),
        heartbeat_ns: zero(),
        owed: owed::owed(),
        waiting: zero(),
        booted_ns: zero(),
        wish: zero(),
        turn: turn::turn(),
        heirless: zero(),
        queued: zero(),
        claimed_ns: zero(),
        claimed_at_ns: zero(),
        room: zero(),
        requests_before: zero(),
        respawns: zero(),
        work: work::work(),
        connections: connections::connections(),
        own: tally::tally(),
        aside: tally::tally(),
    };
    let header = Header {
        magic: zero(),
        version: zero(),
        slot_size: zero(),
        slots: zero(),
        taken: AtomicU64::new(workers as u64),
        course: zero(),
        stops_until_ns: zero(),
        transit: zero(),
    };
    let slots = iter::repeat_with(cells).take(workers).collect::<Vec<_>>();
    Scoreboard { header: Box::leak(Box::new(header)), slots: Box::leak(slots.into_boxed_slice()) }
}

fn slot(board: Scoreboard, index: usize) -> Slot {
    Slot { cells: &board.slots[index], board }
}
