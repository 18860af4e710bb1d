//! Shared memory in which workers say how they are and the master reads it.
//!
//! Mapped before the first fork and never unmapped, so a [`Slot`] is valid as long as the
//! process. All slots are reserved up front: untouched pages cost nothing, and SIGTTIN never runs
//! out. Each slot has one writer (its worker; before the fork the master) and any number of
//! readers; every field is one relaxed atomic, so a reader may see fields of different moments, but
//! not of different workers (`turn.rs`).
//!
//! # Layout, version 10
//! Places of 2048 bytes (whole cache lines, so that neighbours do not share one). The first is the
//! header (`header.rs`), the others are slots: what is of one worker, then what all workers of the slot
//! have counted (`tally.rs`). Everything is a native-endian u64. Whoever changes a field raises
//! the version: `rgunicorn top` may be of another release than the server.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous};

use super::clock::{monotonic_ns, realtime_ns};
use super::header::Header;
use super::owed::Owed;
use super::snapshot::WorkerView;
use super::tally::{ConnectionCells, Connections, Tally, TallyCells};
use super::tells::Tells;
use super::turn::Turn;
pub use super::wish::Wish;
use super::work::WorkCells;

/// How many workers the board has room for.
pub const SLOTS: usize = 4096;

/// Bytes of a slot.
pub(super) const SLOT_SIZE: usize = 2048;
const LENGTH: usize = (SLOTS + 1) * SLOT_SIZE;

/// The mapping. Cheap to copy; never unmapped.
#[derive(Clone, Copy, Debug)]
pub struct Scoreboard {
    pub(super) header: &'static Header,
    pub(super) slots: &'static [Cells],
    fd: RawFd,
}

impl Scoreboard {
    /// Maps a new board: anonymous memory, or an unlinked file when a directory is given
    /// (`worker_tmp_dir`).
    ///
    /// # Errors
    /// What memfd_create(2), or making a file in `dir`, or mmap(2) answers.
    pub fn new(dir: Option<&Path>) -> io::Result<Self> {
        let fd = match dir {
            None => memfd_create("rgunicorn-scoreboard", MFdFlags::MFD_CLOEXEC)?,
            Some(dir) => OwnedFd::from(tempfile::tempfile_in(dir)?),
        };
        let file = File::from(fd);
        file.set_len(LENGTH as u64)?;
        let (header, slots) = map(&file, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
        header.entitle();
        // The descriptor is the board's name for others (`/proc/PID/fd`): it stays open.
        let fd = OwnedFd::from(file);
        let board = Self { header, slots, fd: fd.as_raw_fd() };
        std::mem::forget(fd);
        Ok(board)
    }

    /// The slot with this number, 0…[`SLOTS`]-1.
    pub fn slot(&self, index: usize) -> Option<Slot> {
        self.slots.get(index).map(|cells| Slot { cells, board: *self })
    }

    /// Takes the slot with this number for a worker; siblings look at those up to the highest.
    pub fn claim(&self, index: usize, age: u64) -> Option<Slot> {
        let slot = self.slot(index)?;
        slot.claim(age);
        self.header.taken.fetch_max(index as u64 + 1, Ordering::Relaxed);
        Some(slot)
    }

    /// The free slot with the highest number.
    pub fn last_free(&self) -> Option<usize> {
        (0..SLOTS).rev().find(|index| self.slot(*index).is_some_and(|slot| slot.is_free()))
    }

    /// For a child that the application has forked: what it writes here from now on, nobody else
    /// sees. It may come back from the application and end requests that are its parent's.
    ///
    /// # Errors
    /// mmap(2)'s.
    pub fn secede(&self) -> io::Result<()> {
        let start = NonZeroUsize::new(std::ptr::from_ref(self.header) as usize);
        let length = NonZeroUsize::new(LENGTH).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let own = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
        // SAFETY: in place of our own mapping, of the same length and with the same access; zeroed
        // memory is a valid value of everything in it.
        unsafe { mmap_anonymous(start, length, access, own)? };
        Ok(())
    }

    /// The same to work with.
    pub fn as_fd(&self) -> BorrowedFd<'static> {
        // SAFETY: nobody ever closes it; see `new`.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    /// The descriptor behind the mapping; open as long as the process.
    pub fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

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

type Places = (&'static Header, &'static [Cells]);

/// The board in `file`, which may be anything, to read.
///
/// # Errors
/// `InvalidData` when it is too short; what mmap(2) answers.
pub(super) fn map_to_read(file: &File) -> io::Result<Places> {
    if file.metadata()?.len() != LENGTH as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no scoreboard of this version"));
    }
    map(file, ProtFlags::PROT_READ)
}

fn map(file: &File, access: ProtFlags) -> io::Result<Places> {
    let length = NonZeroUsize::new(LENGTH).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: a fresh shared mapping of a file of this length, at an address the kernel chooses.
    let start = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, file.as_fd(), 0)? };
    // SAFETY: page-aligned, as long as a place, zeroed or what was written through the same type,
    // never unmapped, and every access in every process goes through atomics.
    let header = unsafe { start.cast::<Header>().as_ref() };
    // SAFETY: the same, for the SLOTS places behind it.
    let slots = unsafe { std::slice::from_raw_parts(start.cast::<Cells>().add(1).as_ptr(), SLOTS) };
    Ok((header, slots))
}

#[cfg(test)]
#[path = "test_scoreboard.rs"]
mod tests;
