//! Connections of one worker, deposited where they outlive it: duplicates of their descriptors as
//! messages in a pair of unix sockets that the master has too, and beside them, in shared memory, a
//! record of each that says whether it may be rescued, and with what.
//!
//! A message can not be taken back out of the middle of the queue. So its record decides: it names the
//! message by a serial number, and a message that no record knows is *stale*, and dropped when it comes
//! to the front.
//!
//! Only [`State::Held`] is rescued, and a record is held only while nobody does anything with the
//! connection. A reader believes nothing: the process that wrote has died, perhaps of writing all over
//! its memory.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::flights::{Flights, Phase};
use super::handoff::{Handoff, MESSAGE_BYTES, Sent};
use super::mapping::Mapping;
use super::ticket::{read, write};

/// Most records of one vault.
pub const MOST_RECORDS: usize = 256;
/// Bytes for which a record has room.
pub const RECORD_BYTES: usize = RECORD_WORDS * 8 - HEADER_WORDS * 8;
const RECORD_WORDS: usize = 2048;
const HEADER_WORDS: usize = 8;

// Where it lies in a record's header.
const WORD: usize = 0;
const LENGTH: usize = 1;
/// One more than the number of the flight's place; 0 for none.
const FLIGHT_PLACE: usize = 2;
const FLIGHT_SERIAL: usize = 3;

/// The state is in the lowest byte of a record's word, the serial number above it.
const STATE_BITS: u32 = 8;
const STATE: u64 = 0xff;
const FREE: u64 = 0;
const AWAY: u64 = 1;
const HELD: u64 = 2;
const HELD_AS_WRITTEN: u64 = 3;

/// Before the bytes of a message: number of the record, serial number.
const START_BYTES: usize = 16;

/// Which record, and which of those who have had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    index: usize,
    serial: u64,
}

/// Where a deposited connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is in somebody's hands: lost when the worker is killed.
    Away,
    /// Nobody does anything with it: it can be had as its message has it.
    Held,
    /// The same, as its record has it.
    HeldAsWritten,
}

/// What became of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deposited {
    /// It lies there.
    As(Name),
    /// There is no room for it, here or in the socket.
    Full,
    /// Too many descriptors are on their way in sockets of this user.
    Crowded,
}

/// What was found in the vault of a worker that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescue {
    /// Connections that are in the queue between workers now.
    pub moved: usize,
    /// Connections for which there was no room.
    pub left: usize,
}

/// The vault of one worker.
#[derive(Debug)]
pub struct Vault {
    queue: Handoff,
    memory: Mapping,
    /// Messages in the queue, as far as this process knows.
    messages: AtomicUsize,
    /// Those of them that are stale.
    stale: AtomicUsize,
}

impl Vault {
    /// With `room` records, at least one, at most [`MOST_RECORDS`]; shared with all processes that are
    /// forked later. What is never used costs nothing.
    ///
    /// # Errors
    /// EMFILE, ENOMEM.
    pub fn new(room: usize) -> io::Result<Self> {
        let room = room.clamp(1, MOST_RECORDS);
        Ok(Self {
            queue: Handoff::new()?,
            memory: Mapping::new(room * RECORD_WORDS * 8, None)?,
            messages: AtomicUsize::new(0),
            stale: AtomicUsize::new(0),
        })
    }

    /// How many connections there is room for.
    pub fn room(&self) -> usize {
        self.memory.words().len() / RECORD_WORDS
    }

    /// For a child that the application has forked: it knows of no deposits.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn secede(&self) -> io::Result<()> {
        self.memory.secede()
    }

    /// Stale messages in the queue.
    pub fn stale(&self) -> usize {
        self.stale.load(Ordering::Relaxed)
    }

    /// Whether another message may be sent now. By the one thread that deposits.
    pub fn has_room(&self) -> bool {
        self.messages.load(Ordering::Relaxed) < self.room()
    }

    /// Deposits a connection: `message` is what a sibling needs, `fds` are its descriptors. It is away
    /// then. By the one thread that deposits.
    ///
    /// # Errors
    /// This message can never be sent.
    pub fn deposit(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<Deposited> {
        let name = if self.has_room() { self.reserve() } else { None };
        let Some(name) = name else { return Ok(Deposited::Full) };
        let mut start = [0; START_BYTES];
        start[..8].copy_from_slice(&(name.index as u64).to_ne_bytes());
        start[8..].copy_from_slice(&name.serial.to_ne_bytes());
        let sent = self.queue.send_all(&[IoSlice::new(&start), IoSlice::new(message)], fds);
        if matches!(sent, Ok(Sent::Whole)) {
            self.messages.fetch_add(1, Ordering::Relaxed);
            return Ok(Deposited::As(name));
        }
        self.set(name, FREE);
        Ok(if sent? == Sent::Crowded { Deposited::Crowded } else { Deposited::Full })
    }

    /// Where it stands; `None`: it is not in the vault any more.
    pub fn state(&self, name: Name) -> Option<State> {
        let word = self.record(name.index)?.first()?.load(Ordering::Acquire);
        match (word >> STATE_BITS == name.serial, word & STATE) {
            (true, AWAY) => Some(State::Away),
            (true, HELD) => Some(State::Held),
            (true, HELD_AS_WRITTEN) => Some(State::HeldAsWritten),
            _ => None,
        }
    }

    /// It is in somebody's hands now. False: it is not in the vault any more.
    #[inline]
    pub fn lift(&self, name: Name) -> bool {
        self.set(name, AWAY)
    }

    /// Nobody does anything with it from here on: it can be had as its message has it, or `as_written`.
    /// `flight` is that of its request, which does not end with the worker if the connection is
    /// rescued. False: it is not in the vault any more.
    #[inline]
    pub fn hold(&self, name: Name, as_written: bool, flight: Option<(usize, u64)>) -> bool {
        self.note_flight(name, flight)
            && self.set(name, if as_written { HELD_AS_WRITTEN } else { HELD })
    }

    /// Writes what a sibling would need, in place of the message; while it is away. False: there is no
    /// room for that.
    pub fn write(&self, name: Name, bytes: &[u8]) -> bool {
        if bytes.len() > RECORD_BYTES || self.state(name) != Some(State::Away) {
            return false;
        }
        let Some((header, content)) = self.parts(name.index) else { return false };
        write(content, bytes);
        header[LENGTH].store(bytes.len() as u64, Ordering::Relaxed);
        true
    }

    /// The flight of its request, from here on. False: it is not in the vault any more.
    #[inline]
    pub fn note_flight(&self, name: Name, flight: Option<(usize, u64)>) -> bool {
        let Some((header, _)) = self.parts(name.index) else { return false };
        if !is_known(header[WORD].load(Ordering::Relaxed), name) {
            return false;
        }
        let (place, serial) = flight.map_or((0, 0), |(place, serial)| (place as u64 + 1, serial));
        header[FLIGHT_SERIAL].store(serial, Ordering::Relaxed);
        header[FLIGHT_PLACE].store(place, Ordering::Relaxed);
        true
    }

    /// The connection is no business of the vault's any more: its message is stale.
    pub fn withdraw(&self, name: Name) {
        if self.set(name, FREE) {
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the stale messages out: each in turn to the front, and those that are not stale in again at
    /// the end. By the one thread that deposits. `buffer` is scratch space. Where there is no
    /// descriptor free for that, connections leave the vault.
    pub fn purge(&self, buffer: &mut Vec<u8>) {
        buffer.resize(START_BYTES + MESSAGE_BYTES, 0);
        let stale = self.stale.load(Ordering::Relaxed);
        for _ in 0..self.messages.load(Ordering::Relaxed) {
            // An error: the kernel had no descriptor to give, and has dropped the message.
            let (len, fds) = match self.queue.receive(buffer) {
                Ok(None) => break,
                Ok(Some(found)) => found,
                Err(_) => (0, Vec::new()),
            };
            self.messages.fetch_sub(1, Ordering::Relaxed);
            let bytes = buffer.get(..len).unwrap_or_default();
            let name = name_of(bytes).filter(|name| self.state(*name).is_some());
            let Some(name) = name else { continue };
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            if !fds.is_empty() && matches!(self.queue.send(bytes, &fds), Ok(Sent::Whole)) {
                self.messages.fetch_add(1, Ordering::Relaxed);
            } else {
                // No room in the kernel.
                self.set(name, FREE);
            }
        }
        // Not those that have become stale meanwhile. Nobody else takes any away, nor counts one twice.
        self.stale.fetch_sub(stale, Ordering::Relaxed);
    }

    /// Gives everything back to the kernel that lies there. By the one thread that deposits. True if
    /// that was anything.
    pub fn give_up(&self) -> bool {
        for index in 0..self.room() {
            if let Some(word) = self.record(index).and_then(|record| record.get(WORD)) {
                word.fetch_and(!STATE, Ordering::AcqRel);
            }
        }
        self.stale.store(0, Ordering::Relaxed);
        // recv(2) fails with EAGAIN only, which is the end.
        let _ = self.queue.clear();
        self.messages.swap(0, Ordering::Relaxed) > 0
    }

    /// The worker has ended: moves what is held into `queue`, and its flights end with nobody's regret.
    /// Everything else is closed. To be called by whoever reaps it.
    ///
    /// # Errors
    /// EMFILE and the like; the rest is still there.
    pub fn rescue(&self, queue: &Handoff, flights: Option<&Flights>) -> io::Result<Rescue> {
        let mut found = Rescue::default();
        let mut buffer = vec![0; START_BYTES + MESSAGE_BYTES];
        // No more than a worker may have put there.
        for _ in 0..2 * self.room() {
            let Some((len, fds)) = self.queue.receive(&mut buffer)? else { break };
            let bytes = buffer.get(..len).unwrap_or_default();
            let Some(name) = name_of(bytes) else { continue };
            let written;
            let message = match self.state(name) {
                Some(State::Held) => bytes.get(START_BYTES..).unwrap_or_default(),
                Some(State::HeldAsWritten) => {
                    written = self.written(name.index);
                    &written
                }
                Some(State::Away) | None => continue,
            };
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            // Once only, should the same be there twice.
            if fds.is_empty() || !self.set(name, FREE) {
                continue;
            }
            if !matches!(queue.send(message, &fds), Ok(Sent::Whole)) {
                found.left += 1;
                continue;
            }
            found.moved += 1;
            let flight = self.flight(name.index).and_then(|it| flights?.named(it));
            // Else it is somebody else's by now, or somebody has begun to answer.
            if let Some(flight) =
                flight.filter(|it| matches!(it.phase(), Some(Phase::Coming | Phase::Waiting)))
            {
                flight.end();
            }
        }
        Ok(found)
    }

    /// Closes everything that lies there.
    ///
    /// # Errors
    /// recv(2)'s.
    pub fn clear(&self) -> io::Result<()> {
        self.queue.clear()
    }

    fn reserve(&self) -> Option<Name> {
        (0..self.room()).find_map(|index| {
            let word = self.record(index)?.first()?;
            let before = word.load(Ordering::Acquire);
            if before & STATE != FREE {
                return None;
            }
            let serial = (before >> STATE_BITS).wrapping_add(1) & u64::MAX >> STATE_BITS;
            word.store(serial << STATE_BITS | AWAY, Ordering::Release);
            Some(Name { index, serial })
        })
    }

    /// A load and a store, and no exchange: a record is written by whoever has its connection, or, when
    /// the worker has ended, by whoever reaps it. [`Vault::give_up`] alone may be beside that, and what it
    /// overlooks then is a record whose message is gone, which nobody rescues.
    #[inline]
    fn set(&self, name: Name, state: u64) -> bool {
        let Some(word) = self.memory.words().get(name.index * RECORD_WORDS + WORD) else {
            return false;
        };
        let known = is_known(word.load(Ordering::Relaxed), name);
        if known {
            word.store(name.serial << STATE_BITS | state, Ordering::Release);
        }
        known
    }

    #[inline]
    fn record(&self, index: usize) -> Option<&[AtomicU64]> {
        let start = index.checked_mul(RECORD_WORDS)?;
        self.memory.words().get(start..start + RECORD_WORDS)
    }

    fn parts(&self, index: usize) -> Option<(&[AtomicU64; HEADER_WORDS], &[AtomicU64])> {
        self.record(index)?.split_first_chunk()
    }

    fn written(&self, index: usize) -> Vec<u8> {
        let Some((header, content)) = self.parts(index) else { return Vec::new() };
        let length = usize::try_from(header[LENGTH].load(Ordering::Relaxed)).unwrap_or(0);
        read(content, length)
    }

    fn flight(&self, index: usize) -> Option<(usize, u64)> {
        let (header, _) = self.parts(index)?;
        let place = header[FLIGHT_PLACE].load(Ordering::Relaxed).checked_sub(1)?;
        Some((usize::try_from(place).ok()?, header[FLIGHT_SERIAL].load(Ordering::Relaxed)))
    }
}

/// Whether a record's word is that of `name`.
#[inline]
fn is_known(word: u64, name: Name) -> bool {
    word >> STATE_BITS == name.serial && word & STATE != FREE
}

fn name_of(message: &[u8]) -> Option<Name> {
    let (index, rest) = message.split_first_chunk()?;
    let index = usize::try_from(u64::from_ne_bytes(*index)).ok()?;
    Some(Name { index, serial: u64::from_ne_bytes(*rest.first_chunk()?) })
}

#[cfg(test)]
#[path = "test_vault.rs"]
mod tests;
