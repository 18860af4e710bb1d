//! Shared memory in which a worker notes the requests that it runs, so that somebody can tell of
//! them when it has died: the master, which made the mapping before the fork.
//!
//! One place for each request that can run at once. A place changes hands by its *word*, one
//! atomic with a serial number above the phase: whoever wants to move a flight on says from which
//! phase of which flight, so a place that has been given to the next request in the meantime is
//! left alone. What is noted of a request is written once, before the phase says that it is
//! there; everything is atomics, as on the scoreboard.
//!
//! A reader believes nothing: the process that wrote may have died of writing all over its
//! memory. Lengths are bounded by the room there is, unknown phases are no flight, and texts are
//! bytes that the caller has to escape. `rgunicorn top` is one, by the master's descriptors: `manifest.rs`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};

use super::manifest::{self, Header, Label};
use super::mapping::Mapping;
use super::slate::Slate;
use super::tally::is_counting;
use super::ticket::{BOARDING, CODE, CODE_BITS, FREE, Place};
pub use super::ticket::{ID_BYTES, METHOD_BYTES, PATH_BYTES, PEER_BYTES, Peer, Sighting, Ticket};

/// Most places of one worker; more are never mapped, whatever the settings say.
pub const MOST_PLACES: usize = 65_536;
/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// It is complete and has a thread, which waits for the interpreter.
    Waiting = 2,
    /// It is in the application (or a hook), and nothing of a response has been sent.
    App = 3,
    /// The head of its response has gone out.
    Sending = 4,
    /// Somebody else has answered: it was past its deadline.
    Answered = 5,
    /// It has no thread: it is being received, or waits for one.
    Coming = 6,
    /// It has none any more: the client is slow to take what is left of its response.
    Departing = 7,
}

impl Phase {
    const ALL: [Self; 6] =
        [Self::Waiting, Self::App, Self::Sending, Self::Answered, Self::Coming, Self::Departing];

    /// Whether a word says that its application has not begun.
    fn is_before(word: u64) -> bool {
        matches!(Self::of(word), Some(Self::Coming | Self::Waiting))
    }

    pub(super) fn of(word: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| *phase as u64 == word & CODE)
    }
}

/// What else there is to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Mark {
    /// Its access line has been written.
    Logged = 1,
    /// Its client has gone.
    ClientGone = 2,
    /// It was past its deadline, and somebody has said so.
    Overdue = 4,
    /// It is counted on the scoreboard.
    Counted = 8,
}

/// The places of one worker.
#[derive(Debug)]
pub struct Flights {
    header: &'static Header,
    places: &'static [Place],
    slates: &'static [Slate],
    /// All of that; unmapped with it.
    mapping: Mapping,
}

impl Flights {
    /// Maps `room` places (at least one, at most [`MOST_PLACES`]) and `slates` slates (at most as
    /// many), shared with all processes that are forked later. Pages that are never used cost nothing.
    ///
    /// # Errors
    /// What mmap(2) answers.
    pub fn new(room: usize, slates: usize) -> io::Result<Self> {
        Self::map(room, slates, None)
    }

    /// The same, in memory that others find ([`manifest::Manifest`]) while the descriptor is open;
    /// without one, and memory that nobody finds, when the kernel has none left.
    ///
    /// # Errors
    /// What mmap(2) answers.
    pub fn listed(room: usize, slates: usize, label: Label) -> io::Result<(Self, Option<OwnedFd>)> {
        let fd = manifest::memory(length(room, slates)).ok();
        let flights = Self::map(room, slates, fd.as_ref().map(OwnedFd::as_fd))?;
        flights.header.entitle(label, flights.room());
        Ok((flights, fd))
    }

    fn map(room: usize, slates: usize, fd: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let mapping = Mapping::new(length(room, slates), fd)?;
        let (room, slates) = (room.clamp(1, MOST_PLACES), slates.min(MOST_PLACES));
        let start = mapping.start();
        // SAFETY: page-aligned, zeroed, mapped until our drop, which nothing handed out outlives; every access in
        // every process goes through atomics. The header is exactly as long as a place, and slates lie behind the
        // places, aligned as they are.
        let (header, places, slates) = unsafe {
            let place = start.cast::<Place>().add(1);
            let slate = place.add(room).cast::<Slate>();
            (
                start.cast::<Header>().as_ref(),
                std::slice::from_raw_parts(place.as_ptr(), room),
                std::slice::from_raw_parts(slate.as_ptr(), slates),
            )
        };
        Ok(Self { header, places, slates, mapping })
    }

    /// For a child that the application has forked: what it does from here on, nobody else sees.
    /// It may come back from the application and end requests that are its parent's.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn secede(&self) -> io::Result<()> {
        self.mapping.secede()
    }

    /// How many requests there is room for.
    pub fn room(&self) -> usize {
        self.places.len()
    }

    /// Notes a request in [`Phase::Waiting`]. `None` when there is no room; that is counted.
    /// `hint` is where the search begins: the caller's last place, most likely free again.
    #[inline]
    pub fn begin(&self, hint: &mut usize, ticket: &Ticket<'_>) -> Option<Flight<'_>> {
        if !is_counting() {
            return None;
        }
        let before = self.places.len().min(*hint);
        for index in (before..self.places.len()).chain(0..before) {
            let place = &self.places[index];
            if let Some(serial) = place.board(ticket) {
                *hint = index;
                return Some(Flight { place, index, serial });
            }
        }
        self.header.overflow.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// The same for a worker's only thread that runs requests: nobody else boards the first place.
    pub fn begin_alone(&self, hint: &mut usize, ticket: &Ticket<'_>) -> Option<Flight<'_>> {
        let first = self.places.first().filter(|_| is_counting());
        match first.and_then(|place| Some((place, place.board_alone(ticket)?))) {
            Some((place, serial)) => Some(Flight { place, index: 0, serial }),
            None => self.begin(hint, ticket),
        }
    }

    /// Notes a request that has no thread ([`Phase::Coming`], [`Phase::Departing`]) in one of the last
    /// `most` places, never in the first: the others are for those that run. `None`: there is no room.
    pub fn begin_beside(
        &self,
        most: usize,
        ticket: &Ticket<'_>,
        phase: Phase,
    ) -> Option<Flight<'_>> {
        let beside = self.places.iter().enumerate().skip(1).rev().take(most);
        let (index, place, serial) =
            beside.filter_map(|(index, it)| Some((index, it, it.board(ticket)?))).next()?;
        let flight = Flight { place, index, serial };
        flight.advance(Phase::Waiting, phase);
        Some(flight)
    }

    /// The requests that run now. Each may end at any time.
    pub fn running(&self) -> impl Iterator<Item = Flight<'_>> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let word = place.word.load(Ordering::Acquire);
            Phase::of(word).map(|_| Flight { place, index, serial: word >> CODE_BITS })
        })
    }

    /// Whether a request whose head was received under this number has begun here, and perhaps ended.
    pub fn has_begun_as(&self, reading: u64) -> bool {
        let mut words = self.read_as(reading).map(|(_, word)| word);
        words.any(|word| word & CODE != BOARDING && !Phase::is_before(word))
    }

    /// The flight of one that has not.
    pub fn waiting_as(&self, reading: u64) -> Option<Flight<'_>> {
        let (index, word) = self.read_as(reading).find(|(_, word)| Phase::is_before(*word))?;
        self.named((index, word >> CODE_BITS))
    }

    /// Numbers of places, and what stands there.
    fn read_as(&self, reading: u64) -> impl Iterator<Item = (usize, u64)> {
        let places = self.places.iter().enumerate();
        let found =
            places.filter(move |(_, place)| place.reading.load(Ordering::Relaxed) == reading);
        found.map(|(index, place)| (index, place.word.load(Ordering::Acquire)))
    }

    /// A flight by the number of its place and its serial number, as [`Flight::name`] tells.
    pub fn named(&self, (index, serial): (usize, u64)) -> Option<Flight<'_>> {
        self.places.get(index).map(|place| Flight { place, index, serial })
    }

    /// Where the thread with this number may keep lines.
    pub fn slate(&self, number: usize) -> Option<&Slate> {
        self.slates.get(number)
    }

    /// The lines on all slates.
    pub fn unwritten(&self) -> impl Iterator<Item = Vec<u8>> {
        self.slates.iter().map(Slate::lines).filter(|lines| !lines.is_empty())
    }

    /// Lines of all slates that were given up, and that nobody has been told of.
    pub fn lost_lines(&self) -> u64 {
        self.slates.iter().fold(0, |all, slate| all.saturating_add(slate.lost()))
    }

    /// Requests that found no room.
    pub fn overflow(&self) -> u64 {
        self.header.overflow.load(Ordering::Relaxed)
    }

    /// The worker writes its stacks when it gets this signal. 0: it does not.
    pub fn set_stack_signal(&self, number: u64) {
        self.header.stack_signal.store(number, Ordering::Relaxed);
    }

    /// The signal that makes the worker write its stacks, 0 for none.
    pub fn stack_signal(&self) -> u64 {
        self.header.stack_signal.load(Ordering::Relaxed)
    }
}

/// One request that runs, or ran. Cheap to copy; all methods may be called from any thread and
/// do nothing once the request has ended.
#[derive(Clone, Copy, Debug)]
pub struct Flight<'a> {
    place: &'a Place,
    index: usize,
    serial: u64,
}

impl Flight<'_> {
    /// Number of its place, and its serial number there.
    pub fn name(self) -> (usize, u64) {
        (self.index, self.serial)
    }

    /// Where it stands; `None` once it has ended.
    pub fn phase(self) -> Option<Phase> {
        let word = self.place.word.load(Ordering::Acquire);
        Phase::of(word).filter(|_| word >> CODE_BITS == self.serial)
    }

    /// Whether nobody has done anything with the request yet.
    pub fn has_not_begun(self) -> bool {
        self.phase().is_some_and(|phase| Phase::is_before(phase as u64))
    }

    /// Moves it on, if it stands in `from`. Exactly one of several who want that succeeds: who
    /// takes [`Phase::App`] to another phase may answer the client.
    #[inline]
    pub fn advance(self, from: Phase, to: Phase) -> bool {
        let word = &self.place.word;
        word.compare_exchange(self.word(from), self.word(to), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// The same for its owner, while nobody else moves it on: no watch looks at it.
    #[inline]
    pub fn advance_alone(self, from: Phase, to: Phase) {
        if self.place.word.load(Ordering::Relaxed) == self.word(from) {
            self.place.word.store(self.word(to), Ordering::Release);
        }
    }

    /// The request has ended. By its owner only, who overrules whoever moves it on meanwhile. Returns
    /// where it stood.
    #[inline]
    pub fn end(self) -> Option<Phase> {
        let stood = Phase::of(self.place.word.load(Ordering::Acquire));
        self.place.word.store(self.serial << CODE_BITS | FREE, Ordering::Release);
        stood
    }

    /// When it is overdue: CLOCK_MONOTONIC, nanoseconds; 0 for never. By its owner only.
    pub fn set_deadline_ns(self, deadline_ns: u64) {
        self.place.deadline_ns.store(deadline_ns, Ordering::Release);
    }

    /// When it is overdue, 0 for never. Ask [`Flight::phase`] afterwards whether that was still it.
    pub fn deadline_ns(self) -> u64 {
        self.place.deadline_ns.load(Ordering::Acquire)
    }

    /// Marks it. Returns whether it had the mark.
    pub fn mark(self, mark: Mark) -> bool {
        let before = self.place.marks.fetch_or(mark as u64, Ordering::AcqRel);
        before & mark as u64 != 0
    }

    /// The same for its owner, while nobody else marks it: no watch looks at it.
    #[inline]
    pub fn mark_alone(self, mark: Mark) {
        let before = self.place.marks.load(Ordering::Relaxed);
        self.place.marks.store(before | mark as u64, Ordering::Release);
    }

    /// Whether it has the mark.
    pub fn has(self, mark: Mark) -> bool {
        self.place.marks.load(Ordering::Acquire) & mark as u64 != 0
    }

    /// All that is noted; `None` once it has ended.
    pub fn sight(self) -> Option<Sighting> {
        let phase = self.phase()?;
        let sighting = self.place.read(phase);
        // Only if all of that was of one flight.
        fence(Ordering::Acquire);
        let word = self.place.word.load(Ordering::Relaxed);
        (word >> CODE_BITS == self.serial).then_some(sighting)
    }

    fn word(self, phase: Phase) -> u64 {
        self.serial << CODE_BITS | phase as u64
    }
}

/// Bytes of memory for that many places and slates.
fn length(room: usize, slates: usize) -> usize {
    let places = room.clamp(1, MOST_PLACES) + 1;
    places * size_of::<Place>() + slates.min(MOST_PLACES) * size_of::<Slate>()
}

#[cfg(test)]
#[path = "test_flights.rs"]
mod tests;
