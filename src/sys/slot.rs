//! A worker's place on the scoreboard: what it says of itself there, and how that lies in memory.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::{monotonic_ns, realtime_ns};
use super::connections::{ConnectionCells, Connections};
use super::owed::Owed;
use super::scoreboard::Scoreboard;
use super::snapshot::WorkerView;
use super::tally::{Tally, TallyCells};
use super::tells::Tells;
use super::turn::Turn;
use super::wish::Wish;
use super::work::WorkCells;

/// Bytes of a slot.
pub(super) const SLOT_SIZE: usize = 2048;

/// One worker's place on the board. Copy it wherever it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub(super) cells: &'static Cells,
    pub(super) board: Scoreboard,
}

impl Slot {
    /// Takes the slot for a worker that is about to be forked: all fields back to 0.
    pub fn claim(self, age: u64) {
        self.cells.turn.pass(|| self.clear(age));
    }

    fn clear(self, age: u64) {
        let cells = self.cells;
        for cell in [
            &cells.pid,
            &cells.heartbeat_ns,
            &cells.waiting,
            &cells.booted_ns,
            &cells.wish,
            &cells.heirless,
            &cells.queued,
            &cells.room,
        ] {
            cell.store(0, Ordering::Relaxed);
        }
        cells.owed.clear();
        cells.work.clear();
        self.tell_nothing_of_its_own();
        cells.connections.set(Connections::default());
        cells.requests_before.store(cells.tally().requests(), Ordering::Relaxed);
        // Also known afterwards: how often the slot was taken before.
        if cells.claimed_ns.swap(monotonic_ns(), Ordering::Relaxed) != 0 {
            cells.respawns.fetch_add(1, Ordering::Relaxed);
        }
        cells.claimed_at_ns.store(realtime_ns(), Ordering::Relaxed);
        cells.age.store(age, Ordering::Relaxed);
        // A sibling that sees it taken sees nothing of the worker before.
        cells.state.store(CLAIMED, Ordering::Release);
    }

    /// See [`Scoreboard::secede`].
    ///
    /// # Errors
    /// mmap(2)'s.
    pub fn secede(self) -> io::Result<()> {
        self.board.secede()
    }

    /// Gives the slot back; master only, after the worker's end.
    pub fn release(self) {
        self.cells.state.store(FREE, Ordering::Relaxed);
    }

    /// True when no worker has it.
    pub fn is_free(self) -> bool {
        self.cells.state.load(Ordering::Relaxed) == FREE
    }

    /// The worker lives: one store, cheap enough for every turn of an event loop. `now_ns` is
    /// CLOCK_MONOTONIC.
    #[inline]
    pub fn beat(self, now_ns: u64) {
        self.cells.heartbeat_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Last heartbeat, `None` before the first one.
    pub fn heartbeat_ns(self) -> Option<u64> {
        Some(self.cells.heartbeat_ns.load(Ordering::Relaxed)).filter(|beat_ns| *beat_ns != 0)
    }

    /// When the worker had loaded its application, `None` before. `now_ns` is CLOCK_MONOTONIC.
    pub fn set_booted(self, now_ns: Option<u64>) {
        self.cells.booted_ns.store(now_ns.unwrap_or(0), Ordering::Relaxed);
    }

    /// When the worker had loaded its application, `None` before.
    pub fn booted_ns(self) -> Option<u64> {
        Some(self.cells.booted_ns.load(Ordering::Relaxed)).filter(|booted_ns| *booted_ns != 0)
    }

    /// The worker asks to be replaced. The first wish stays, unless `wish` is more urgent.
    pub fn set_wish(self, wish: Wish) {
        self.cells.wish.fetch_max(wish as u64, Ordering::Relaxed);
    }

    /// Why the worker asks to be replaced, `None` when it does not.
    pub fn wish(self) -> Option<Wish> {
        Wish::ALL.into_iter().find(|wish| *wish as u64 == self.cells.wish.load(Ordering::Relaxed))
    }

    /// The process that has the slot, 0 before the fork.
    pub fn pid(self) -> u64 {
        self.cells.pid.load(Ordering::Relaxed)
    }

    /// Says which process has the slot.
    pub fn set_pid(self, pid: u64) {
        self.cells.pid.store(pid, Ordering::Relaxed);
    }

    /// Serial number of the worker's fork.
    pub fn age(self) -> u64 {
        self.cells.age.load(Ordering::Relaxed)
    }

    /// There is a request that the worker has to finish; counted only where there are deadlines.
    pub fn begin_request(self) {
        self.cells.owed.begin();
    }

    /// It is finished.
    pub fn end_request(self) {
        self.cells.owed.end();
    }

    /// A request in the app has passed its deadline, or `back` from there.
    pub fn note_overdue(self, back: bool) {
        self.cells.owed.note_overdue(back);
    }

    /// Whether every request, one at least, has passed its deadline: nobody waits.
    pub fn is_lost(self) -> bool {
        self.cells.owed.is_lost()
    }

    /// How busy the worker's threads are.
    pub fn work(self) -> &'static WorkCells {
        &self.cells.work
    }

    /// The worker sleeps until a connection comes, from a listener or from a sibling.
    #[inline]
    pub fn set_waiting(self, waiting: bool) {
        self.cells.waiting.store(u64::from(waiting), Ordering::Relaxed);
    }

    /// What the connections are at.
    pub fn set_connection_states(self, now: Connections) {
        self.cells.connections.set(now);
    }

    /// How many requests the worker can run at once.
    pub fn set_room(self, requests: u64) {
        self.cells.room.store(requests, Ordering::Relaxed);
    }
}

const FREE: u64 = 0;
pub(super) const CLAIMED: u64 = 1;

/// All-zero is a valid value and means a free slot: that is what a fresh mapping holds.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Cells {
    pid: AtomicU64,
    age: AtomicU64,
    pub(super) state: AtomicU64,
    heartbeat_ns: AtomicU64,
    owed: Owed,
    pub(super) waiting: AtomicU64,
    booted_ns: AtomicU64,
    wish: AtomicU64,
    turn: Turn,
    pub(super) heirless: AtomicU64,
    pub(super) queued: AtomicU64,
    claimed_ns: AtomicU64,
    claimed_at_ns: AtomicU64,
    room: AtomicU64,
    requests_before: AtomicU64,
    respawns: AtomicU64,
    pub(super) tells: AtomicU64,
    work: WorkCells,
    connections: ConnectionCells,
    /// What the [`super::till::Till`] counts.
    pub(super) own: TallyCells,
    /// What everybody else counts.
    pub(super) aside: TallyCells,
    _reserved: [u8; SLOT_SIZE - 24 * 8 - 2 * size_of::<TallyCells>()],
}

impl Cells {
    /// All that was counted in the slot.
    pub(super) fn tally(&self) -> Tally {
        self.own.read_with(&self.aside)
    }

    /// All that is told of the slot and its worker; of nobody while the slot changes hands.
    pub(super) fn view(&self, slot: usize, now_ns: u64) -> WorkerView {
        let (view, whole) = self.turn.read(|| self.glance(slot, now_ns));
        WorkerView { alive: view.alive && whole, ..view }
    }

    fn glance(&self, slot: usize, now_ns: u64) -> WorkerView {
        let it = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        let when = |cell: &AtomicU64| Some(it(cell)).filter(|ns| *ns != 0);
        let wish = it(&self.wish);
        let connections = self.connections.read();
        WorkerView {
            slot,
            alive: it(&self.state) == CLAIMED,
            pid: it(&self.pid),
            age: it(&self.age),
            claimed_ns: it(&self.claimed_ns),
            claimed_at_ns: it(&self.claimed_at_ns),
            booted_ns: when(&self.booted_ns),
            heartbeat_ns: when(&self.heartbeat_ns),
            wish: Wish::ALL.into_iter().find(|known| *known as u64 == wish),
            room: it(&self.room),
            work: self.work.read(now_ns),
            queued: connections.waiting,
            connections,
            tally: self.tally(),
            requests_before: it(&self.requests_before),
            respawns: it(&self.respawns),
            tells: Tells::of_word(it(&self.tells)),
        }
    }
}

const _: () = assert!(size_of::<Cells>() == SLOT_SIZE);

#[cfg(test)]
#[path = "test_slot.rs"]
mod tests;
